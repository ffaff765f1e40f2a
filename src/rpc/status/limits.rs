//! What a plan does not allow: both sides, in numbers and words.

use super::Refusal;
use crate::{
    domain::{account::Micros, credits::Credits},
    holds::{packed::Answer, step::Limits},
    proto::ErrorReason,
    rpc::{
        fields::{DAY, SECOND},
        need::{Beyond, Need},
    },
};

/// The first of the plan's caps that a reserve would pass.
pub(super) fn above_a_cap(answer: &Answer) -> Refusal {
    let (asked, now) = (Credits::from_micro(answer.x), answer.now);
    let held = answer.balance.held + answer.balance.promised;
    let spending = answer.plan.as_ref().and_then(|plan| plan.spending);
    let windows = spending.into_iter().flat_map(|it| {
        let windows = ["hour", "day", "month"];
        windows.into_iter().zip(it.caps).zip(it.spent)
    });
    for ((window, cap), (since, spent)) in windows {
        // What was spent in a window that is over is none of this one.
        let over = since + longest(window) <= now;
        let spent = if over { Credits::ZERO } else { spent };
        let Some(cap) = cap.filter(|cap| spent + held + asked > *cap) else {
            continue;
        };
        let message = format!(
            "{asked} more would pass the {cap} that the plan allows in a {window}: {spent} are spent and {held} held"
        );
        return Refusal::new(ErrorReason::SpendCap, message)
            .with("window", window)
            .with("limit", cap)
            .with("spent", spent)
            .with("held", held)
            .with("amount", asked);
    }
    Refusal::new(ErrorReason::SpendCap, "the plan allows no more for now")
}

const fn longest(window: &str) -> Micros {
    match window.as_bytes() {
        b"hour" => 3600 * SECOND,
        b"day" => DAY,
        _ => 31 * DAY,
    }
}

/// What the account's plan does not give, or, without a subscription, the plan that all have.
pub(super) fn not_given(reason: ErrorReason, answer: &Answer, need: Option<&Need>) -> Refusal {
    let limits = match answer.plan.clone() {
        Some(plan) if plan.active => Some(plan),
        // Levels are the account's, whatever its plan.
        plan => need.map(|need| Limits {
            levels: plan.unwrap_or_default().levels,
            ..need.limits_without()
        }),
    };
    let beyond = need
        .zip(limits)
        .and_then(|(need, limits)| need.beyond(reason, &limits));
    let Some(Beyond { asked, given }) = beyond else {
        return Refusal::new(reason, "the account's plan does not allow it");
    };
    let (message, names) = match reason {
        ErrorReason::DurationLimit => (
            format!("the job has {asked} seconds, the plan allows {given}"),
            ("seconds", "limit"),
        ),
        ErrorReason::CapacityLimit => (
            format!("there is no room for more of {asked}: the limit is {given}"),
            ("resource", "limit"),
        ),
        ErrorReason::ResolutionLimit => (
            format!("the job has {asked}, the plan allows {given}"),
            ("resolutions", "allowed"),
        ),
        _ => (
            format!("the job needs {asked}, the plan has {given}"),
            ("features", "has"),
        ),
    };
    Refusal::new(reason, message)
        .with(names.0, asked)
        .with(names.1, given)
}

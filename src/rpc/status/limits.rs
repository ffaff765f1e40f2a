//! What a plan does not allow: both sides, in numbers and words.

use super::Refusal;
use crate::{
    domain::credits::Credits,
    holds::{
        packed::Answer,
        step::{Limits, Passed, Window},
    },
    proto::ErrorReason,
    rpc::need::{Beyond, Need},
};

/// The first cap that a call would pass.
pub(super) fn above_a_cap(answer: &Answer) -> Refusal {
    let asked = Credits::from_micro(answer.x);
    let Some((passed, window)) = answer
        .passed
        .as_ref()
        .and_then(|passed| Some((passed, passed.window?)))
    else {
        return Refusal::new(ErrorReason::SpendCap, "the plan allows no more for now");
    };
    let window = match window {
        Window::Hour => "hour",
        Window::Day => "day",
        Window::Month => "month",
    };
    let Passed {
        label,
        cap,
        spent,
        held,
        ..
    } = passed;
    let whose = label.as_ref().map_or_else(String::new, |(name, value)| {
        format!(" for {name} \"{value}\"")
    });
    let message = format!(
        "{asked} more would pass the {cap} that the plan allows in a {window}{whose}: {spent} are spent and {held} held"
    );
    let refusal = Refusal::new(ErrorReason::SpendCap, message)
        .with("window", window)
        .with("limit", cap)
        .with("spent", spent)
        .with("held", held)
        .with("amount", asked);
    match label {
        Some((name, value)) => refusal.with("label", name).with("value", value),
        None => refusal,
    }
}

/// Whether what is spent cannot be counted under one more value of a label.
pub(super) fn too_many_values(answer: &Answer) -> bool {
    let passed = answer.passed.as_ref();
    passed.is_some_and(|passed| passed.window.is_none())
}

/// That.
pub(super) fn no_more_values(answer: &Answer) -> Refusal {
    let passed = answer.passed.as_ref();
    let name = passed.and_then(|it| it.label.as_ref());
    let name = name.map_or("", |(name, _)| name);
    let most = passed.map_or(0, |passed| passed.cap.micro());
    let message = format!(
        "spend caps count {most} values of labels in a month, and this would be one more of {name}"
    );
    Refusal::new(ErrorReason::CapacityLimit, message)
        .with("resource", "label_values")
        .with("limit", most)
        .with("label", name)
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

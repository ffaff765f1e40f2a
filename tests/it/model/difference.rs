//! What counts as the same answer, and how a difference is told.
//!
//! A difference is text for a person: the paths that differ with both values, nothing that is equal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use holdbook::proto::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::operation::Reply;
use super::reference::Refusal;

/// Nothing, or what differs between the server's answer and the model's.
pub fn of_answers(
    server: &Result<Reply, Box<Status>>,
    model: &Result<Reply, Refusal>,
) -> Option<String> {
    match (server, model) {
        (Ok(server), Ok(model)) => {
            let mut server = server.clone();
            let named = server.take_durability();
            let of_reply = of_messages(&server, model);
            of_reply.or((!named).then(|| "durability: the server names none".into()))
        }
        (Err(server), Err(model)) => of_refusals(server, model),
        (Ok(server), Err(model)) => Some(format!(
            "the model refuses with {model:#?}\nthe server answers {server:#?}"
        )),
        (Err(server), Ok(model)) => Some(format!(
            "the server refuses: {}\nthe model answers {model:#?}",
            told(server)
        )),
    }
}

/// Nothing, or the paths at which two messages differ.
pub fn of_messages<T: Debug + PartialEq>(server: &T, model: &T) -> Option<String> {
    if server == model {
        return None;
    }
    let (server, model) = (leaves(server), leaves(model));
    let paths: BTreeSet<&String> = server.keys().chain(model.keys()).collect();
    let nothing = "(nothing)".to_string();
    let differing = paths.into_iter().filter_map(|path| {
        let (s, m) = (
            server.get(path).unwrap_or(&nothing),
            model.get(path).unwrap_or(&nothing),
        );
        (s != m).then(|| format!("  {path}: server {s}, model {m}"))
    });
    Some(differing.collect::<Vec<_>>().join("\n"))
}

/// A message as path -> value, from its pretty `Debug` form.
fn leaves<T: Debug>(message: &T) -> BTreeMap<String, String> {
    let text = format!("{message:#?}");
    let mut found = BTreeMap::new();
    // Name of each open bracket, and how many elements without a name it had so far.
    let mut open: Vec<(String, usize)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['}', ')', ']']) {
            open.pop();
            continue;
        }
        let (name, value) = match line.split_once(": ") {
            Some((name, value)) if !name.contains(' ') => (name.to_string(), value),
            _ => {
                let count = open.last_mut().map_or(0, |last| {
                    last.1 += 1;
                    last.1 - 1
                });
                let in_list = open.last().is_some_and(|last| last.0.ends_with('['));
                (
                    if in_list {
                        count.to_string()
                    } else {
                        String::new()
                    },
                    line,
                )
            }
        };
        if value.ends_with(['{', '(', '[']) {
            let bracket = if value.ends_with('[') { "[" } else { "" };
            open.push((format!("{name}{bracket}"), 0));
        } else {
            let parents = open.iter().map(|o| o.0.trim_end_matches('['));
            let path: Vec<&str> = parents
                .chain([name.as_str()])
                .filter(|part| !part.is_empty())
                .collect();
            found.insert(path.join("."), value.trim_end_matches(',').to_string());
        }
    }
    found
}

fn told(status: &Status) -> String {
    let details = status.get_error_details();
    format!(
        "{:?}: {}\n  {:?}\n  {:?}",
        status.code(),
        status.message(),
        details.error_info(),
        details.bad_request()
    )
}

/// Code and HTTP status of a reason, by the table of the contract.
fn code_of(reason: ErrorReason) -> (Code, &'static str) {
    use ErrorReason::*;
    match reason {
        InsufficientCredits | InDebt => (Code::ResourceExhausted, "402"),
        ConcurrencyLimit | CapacityLimit | SpendCap => (Code::ResourceExhausted, "429"),
        AccountSuspended | AccountFrozen | AccountClosed | PlanInactive | FeatureNotInPlan
        | DurationLimit | ResolutionLimit | SubscriptionActive => (Code::FailedPrecondition, "403"),
        HoldEnded
        | AboveHold
        | AboveMaxCommit
        | LateWindowPassed
        | NonRefundable
        | SubscriptionEnded
        | SubscriptionCancelled
        | PlanUnavailable
        | PaymentOutstanding
        | PaymentNotDue => (Code::FailedPrecondition, "409"),
        IdReused => (Code::AlreadyExists, "409"),
        AccountNotFound | HoldNotFound | GrantNotFound | CatalogNotFound | SubscriptionNotFound => {
            (Code::NotFound, "404")
        }
        Invalid => (Code::InvalidArgument, "400"),
        EtagMismatch => (Code::Aborted, "409"),
        Backpressure | PartitionRecovering | StoreUnavailable => (Code::Unavailable, "503"),
        Unspecified | Bug => (Code::Internal, "500"),
    }
}

/// A reason as it is sent.
pub fn name_of(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

/// Nothing, or what differs between two refusals.
pub fn of_refusals(server: &Status, model: &Refusal) -> Option<String> {
    let mut wrong: Vec<String> = Vec::new();
    let mut same = |what: &str, server: &str, model: &str| {
        if server != model {
            wrong.push(format!("  {what}: server {server}, model {model}"));
        }
    };
    let details = server.get_error_details();
    let first = model.reasons[0];
    let (code, http_status) = code_of(first);
    same(
        "code",
        &format!("{:?}", server.code()),
        &format!("{code:?}"),
    );
    let (domain, reason, metadata) = match details.error_info() {
        Some(info) => (
            info.domain.clone(),
            info.reason.clone(),
            info.metadata.clone(),
        ),
        None => Default::default(),
    };
    same("domain", &domain, "holdbook");
    same("reason", &reason, name_of(first));
    let sent = |key: &str| metadata.get(key).cloned().unwrap_or("(nothing)".into());
    same("metadata http_status", &sent("http_status"), http_status);
    if model.reasons.len() > 1 || metadata.contains_key("reasons") {
        let all: Vec<&str> = model.reasons.iter().copied().map(name_of).collect();
        same(
            "metadata reasons",
            &sent("reasons").replace(' ', ""),
            &all.join(","),
        );
    }
    for (key, value) in &model.metadata {
        same(
            &format!("metadata {key}"),
            &normal(key, &sent(key), value),
            value,
        );
    }
    let of_credits = matches!(
        first,
        ErrorReason::InsufficientCredits | ErrorReason::InDebt
    );
    if of_credits && !model.metadata.contains_key("next_expiry") {
        same("metadata next_expiry", &sent("next_expiry"), "(nothing)"); // only while a hold is open
    }
    if first == ErrorReason::IdReused {
        let recorded = serde_json::from_str::<serde_json::Value>(&sent("recorded"));
        same(
            "metadata recorded is JSON",
            &format!("{}", recorded.is_ok_and(|r| r.is_object())),
            "true",
        );
    }
    let fields = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(",");
    let violated = details
        .bad_request()
        .map(|b| b.field_violations.iter().map(|v| v.field.clone()).collect());
    same(
        "violated fields",
        &fields(violated.unwrap_or_default()),
        &fields(model.fields.clone()),
    );
    let quota = details
        .quota_failure()
        .is_some_and(|q| !q.violations.is_empty());
    same(
        "QuotaFailure",
        &quota.to_string(),
        &(code == Code::ResourceExhausted).to_string(),
    );
    same(
        "message is empty",
        &server.message().is_empty().to_string(),
        "false",
    );
    (!wrong.is_empty())
        .then(|| format!("{}\nthe server refused: {}", wrong.join("\n"), told(server)))
}

/// The server's metadata value in the model's form, where the contract leaves the form open.
fn normal(key: &str, sent: &str, model: &str) -> String {
    match key {
        "next_expiry" | "expired_at" => match sent.parse::<jiff::Timestamp>() {
            Ok(at) => {
                let shown = format!("{}.{:06}", at.as_second(), at.subsec_nanosecond() / 1000);
                // No open hold ends before `next_expiry`: an earlier bound is as true.
                if key == "next_expiry" && shown.as_str() < model {
                    model.into()
                } else {
                    shown
                }
            }
            Err(_) => format!("{sent} (not an RFC 3339 instant)"),
        },
        "state" => sent.trim_start_matches("HOLD_STATE_").to_uppercase(),
        "fields" => {
            let of = |list: &str| {
                list.split(',')
                    .map(|f| f.trim().to_string())
                    .collect::<BTreeSet<_>>()
            };
            if of(sent) == of(model) {
                model.into()
            } else {
                sent.into()
            }
        }
        _ => sent.into(),
    }
}

//! An id that was used before with other content (I3): which fields differ, and what is recorded.

use prost::Message;
use serde_json::{Value, json};
use tonic::Status;

use super::{
    core::Done,
    status::id_reused,
    usage::Sum,
    view::{self, BURNED, RETURNED},
};
use crate::{
    domain::{
        account::Micros,
        credits::Credits,
        event::MoveKind,
        hold::{Hold, HoldRequest, Usage},
    },
    holds::{
        Reader,
        operation::{self, BOUGHT_BYTES, LevelChange},
        packed::{self, Outcome},
    },
    proto::{
        ErrorReason, GrantCreditsRequest, PurchaseCreditsRequest, grant_credits_request::Expiry,
    },
};

/// Names of the fields whose two values differ.
fn differing(fields: &[(&'static str, bool)]) -> Vec<&'static str> {
    fields
        .iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| *name)
        .collect()
}

fn recorded_hold(hold: &Hold) -> Value {
    json!({
        "state": hold.state.name(),
        "requested": hold.request.amount.to_string(),
        "charged": hold.charged.to_string(),
        "overdrawn": hold.overdrawn.to_string(),
        "absorbed": hold.absorbed.to_string(),
        "released": hold.released.to_string(),
    })
}

fn recorded_moves(outcome: &Outcome) -> Value {
    let sum = |kinds: &[MoveKind]| view::sum(&outcome.moves, kinds).to_string();
    json!({
        "pinned": sum(&[MoveKind::Pin]),
        "charged": sum(&BURNED),
        "overdrawn": sum(&[MoveKind::Overdraw]),
        "absorbed": sum(&[MoveKind::Absorb]),
        "released": sum(&RETURNED),
        "refunded": sum(&[MoveKind::Refund]),
    })
}

/// Passes on anything but an id that was reused.
fn check(
    done: Done,
    what: &str,
    differences: impl FnOnce(&Done, &Outcome) -> (Vec<&'static str>, Value),
) -> Result<Done, Status> {
    if !done.refused_as(ErrorReason::IdReused) {
        return Ok(done);
    }
    let outcome = done.answer.outcome.clone().unwrap_or_default();
    let (fields, recorded) = differences(&done, &outcome);
    Err(id_reused(what, &fields, &recorded))
}

fn digest(usage: Option<Usage>) -> Option<[u8; 16]> {
    usage.map(|usage| usage.digest)
}

/// What a usage came to was not sent.
fn other_amount(was: &HoldRequest, now: &HoldRequest) -> bool {
    let sent = |of: &HoldRequest| of.usage.is_none().then_some(of.amount);
    sent(was) != sent(now)
}

/// A reserve or charge.
pub fn hold(done: Done, now: &HoldRequest) -> Result<Done, Status> {
    check(done, "the hold id", |done, _| {
        let Some(hold) = &done.answer.hold else {
            return (vec!["method"], Value::Null);
        };
        let was = &hold.request;
        let fields = if was.method == now.method {
            differing(&[
                ("amount", other_amount(was, now)),
                ("usage", digest(was.usage) != digest(now.usage)),
                ("ttl", was.ttl != now.ttl),
                ("overage", was.overage != now.overage),
                ("max_commit", was.max_commit != now.max_commit),
                ("labels", was.labels != now.labels),
            ])
        } else {
            vec!["method"]
        };
        (fields, recorded_hold(hold))
    })
}

/// An extension.
pub fn extension(done: Done, ttl: Micros, amount: Option<Credits>) -> Result<Done, Status> {
    check(done, "the extend id", |_, outcome| {
        let mut sent = Reader(&outcome.sent);
        let was = (
            sent.int(7).unwrap_or_default(),
            sent.int(7).unwrap_or_default(),
        );
        let now = (ttl, amount.map_or(-1, Credits::micro));
        (
            differing(&[("ttl", was.0 != now.0), ("amount", was.1 != now.1)]),
            recorded_moves(outcome),
        )
    })
}

/// A commit: partial ones by their ids, final ones by their hold.
pub fn commit(done: Done, now: &Sum, last: bool, commit_id: &str) -> Result<Done, Status> {
    let what = if last {
        "the hold's final commit"
    } else {
        "the commit id"
    };
    check(done, what, |_, outcome| {
        let Ok(was) = packed::commit(&outcome.sent) else {
            return (Vec::new(), recorded_moves(outcome));
        };
        let named =
            |amount: Option<Credits>, usage: Option<Usage>| amount.filter(|_| usage.is_none());
        let fields = differing(&[
            (
                "amount",
                named(was.amount, was.usage) != named(now.amount, now.usage),
            ),
            ("usage", digest(was.usage) != digest(now.usage)),
            ("all_held", was.amount.is_none() != now.amount.is_none()),
            ("final", was.last != last),
            ("commit_id", was.commit_id != commit_id),
        ]);
        (fields, recorded_moves(outcome))
    })
}

/// Whether the commit in an answer came after its hold's expiry: then it is the hold's own outcome.
pub fn was_late(done: &Done) -> bool {
    let Some((hold, outcome)) = done.answer.hold.as_ref().zip(done.answer.outcome.as_ref()) else {
        return false;
    };
    // A repeated partial commit from before the expiry returned, or left, pins; a late one never touches any.
    hold.late && outcome.a == 1
}

/// A refund.
pub fn refund(done: Done, amount: Credits) -> Result<Done, Status> {
    check(done, "the refund id", |_, outcome| {
        let was = Reader(&outcome.sent).int(7).unwrap_or_default();
        (
            differing(&[("amount", was != amount.micro())]),
            recorded_moves(outcome),
        )
    })
}

/// A creation: overdraft limit, credit limit (-1 for absent) and most open holds as sent.
pub fn account(
    done: Done,
    overdraft: Option<Credits>,
    credit: Option<Credits>,
    holds: u32,
) -> Result<Done, Status> {
    check(done, "the account id", |_, outcome| {
        let mut sent = Reader(&outcome.sent);
        let was = (
            sent.int(7).unwrap_or_default(),
            sent.int(7).unwrap_or_default(),
            sent.u32().unwrap_or_default(),
        );
        let now = (
            overdraft.map_or(-1, Credits::micro),
            credit.map_or(-1, Credits::micro),
            holds,
        );
        let fields = differing(&[
            ("overdraft_limit", was.0 != now.0),
            ("credit_limit", was.1 != now.1),
            ("max_open_holds", was.2 != now.2),
        ]);
        let shown = |micro: i64| (micro >= 0).then(|| Credits::from_micro(micro).to_string());
        let recorded = json!({
            "overdraft_limit": shown(was.0), "credit_limit": shown(was.1), "max_open_holds": was.2,
        });
        (fields, recorded)
    })
}

/// A grant as it is compared: without what does not count, amounts in one form.
pub fn comparable(request: &GrantCreditsRequest, amount: Credits, cap: Option<Credits>) -> Vec<u8> {
    let mut sent = request.clone();
    sent.account_id.clear();
    sent.grant_id.clear();
    sent.durability = 0;
    sent.amount = amount.to_string();
    if let Some(rollover) = &mut sent.rollover {
        rollover.cap = cap.map(|cap| cap.to_string());
    }
    sent.encode_to_vec()
}

fn instant(request: &GrantCreditsRequest) -> Option<prost_types::Timestamp> {
    match request.expiry {
        Some(Expiry::ExpiresAt(instant)) => Some(instant),
        _ => None,
    }
}

fn span(request: &GrantCreditsRequest) -> Option<prost_types::Duration> {
    match request.expiry {
        Some(Expiry::ExpiresIn(span)) => Some(span),
        _ => None,
    }
}

/// Of a purchase.
///
/// # Errors
/// ID_REUSED.
pub fn purchase(done: Done, sent: &[u8]) -> Result<Done, Status> {
    check(done, "the grant id", |_, outcome| {
        let end = outcome.sent.len().saturating_sub(BOUGHT_BYTES);
        let was = PurchaseCreditsRequest::decode(&outcome.sent[..end]).unwrap_or_default();
        let now = PurchaseCreditsRequest::decode(sent).unwrap_or_default();
        let mut fields = differing(&[
            ("what", was.what != now.what),
            ("trust_tier", was.trust_tier != now.trust_tier),
            ("starts_at", was.starts_at != now.starts_at),
            ("provider", was.provider != now.provider),
            (
                "external_reference",
                was.external_reference != now.external_reference,
            ),
        ]);
        // Credits were granted under the id, and not bought.
        if fields.is_empty() {
            fields.push("what");
        }
        let issued = view::sum(&outcome.moves, &[MoveKind::Issue]).to_string();
        (fields, json!({ "issued": issued }))
    })
}

/// Of a change of a level.
///
/// # Errors
/// ID_REUSED.
pub fn level(done: Done, capacity: &str, change: LevelChange) -> Result<Done, Status> {
    check(done, "the change id", |_, outcome| {
        let (was, by) = operation::level(&outcome.sent).unwrap_or((String::new(), change));
        let fields = differing(&[("capacity", was != capacity), ("change", by != change)]);
        (
            fields,
            json!({ "capacity": was, "level": view::credits(outcome.b) }),
        )
    })
}

/// A grant.
pub fn grant(done: Done, sent: &[u8]) -> Result<Done, Status> {
    check(done, "the grant id", |_, outcome| {
        // What the script keeps is what `comparable` packed.
        let was = GrantCreditsRequest::decode(&outcome.sent[..]).unwrap_or_default();
        let now = GrantCreditsRequest::decode(sent).unwrap_or_default();
        let fields = differing(&[
            ("kind", was.kind != now.kind),
            ("amount", was.amount != now.amount),
            ("priority", was.priority != now.priority),
            ("starts_at", was.starts_at != now.starts_at),
            ("expires_at", instant(&was) != instant(&now)),
            ("expires_in", span(&was) != span(&now)),
            ("rollover", was.rollover != now.rollover),
            ("non_refundable", was.non_refundable != now.non_refundable),
            ("provider", was.provider != now.provider),
            (
                "external_reference",
                was.external_reference != now.external_reference,
            ),
        ]);
        let settled = view::sum(&outcome.moves, &[MoveKind::Settle]).to_string();
        (fields, json!({ "amount": was.amount, "settled": settled }))
    })
}

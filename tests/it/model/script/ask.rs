//! What a line asks for: the request behind `verb name key=value ...`.

use holdbook::proto::commit_request::What;
use holdbook::proto::grant_credits_request::Expiry;
use holdbook::proto::{self, AccountState, Durability, GrantKind, Overage};

use super::line::Line;
use crate::model::operation::Operation;
use crate::model::reference::timestamp;
use crate::model::requests::duration;

/// The call of a line; `now` is what its spans count from.
pub fn operation(verb: &str, name: &str, line: &Line, account_id: &str, now: i64) -> Operation {
    let (account_id, id) = (account_id.to_string(), name.to_string());
    let amount = line.text("amount").unwrap_or("0".into());
    let own_id = |otherwise: &str| line.get("id").unwrap_or(otherwise).to_string();
    let durability = match line.get("durability") {
        None => Durability::Unspecified,
        Some("applied") => Durability::Applied,
        Some("ledger") => Durability::Ledger,
        Some(other) => panic!("durability {other}"),
    } as i32;
    match verb {
        "account" => Operation::CreateAccount(proto::CreateAccountRequest {
            account_id,
            overdraft_limit: line.text("overdraft"),
            credit_limit: line.text("credit"),
            max_open_holds: line.number("slots").unwrap_or(0),
            durability,
        }),
        "update" => Operation::UpdateAccount(proto::UpdateAccountRequest {
            account_id,
            overdraft_limit: line.text("overdraft"),
            credit_limit: line.text("credit"),
            max_open_holds: line.number("slots"),
            state: state(line) as i32,
            etag: line.text("etag").unwrap_or_default(),
            durability,
        }),
        "close" => Operation::CloseAccount(proto::CloseAccountRequest {
            account_id,
            durability,
        }),
        "show" => Operation::GetAccount(proto::GetAccountRequest { account_id }),
        "balance" => Operation::GetBalance(proto::GetBalanceRequest { account_id }),
        "grant" => Operation::GrantCredits(proto::GrantCreditsRequest {
            durability,
            ..grant(line, account_id, id, now)
        }),
        "revoke" => Operation::RevokeGrant(proto::RevokeGrantRequest {
            account_id,
            grant_id: id,
            durability,
        }),
        "reserve" => Operation::Reserve(proto::ReserveRequest {
            account_id,
            hold_id: id,
            amount,
            usage: None,
            ttl: line.span("ttl").map(duration),
            overage: match (line.has("reject"), line.has("allow")) {
                (true, _) => Overage::Reject,
                (_, true) => Overage::Allow,
                _ => Overage::Unspecified,
            } as i32,
            max_commit: line.text("max"),
            labels: line.map("labels"),
            validate_only: line.has("validate"),
            durability,
        }),
        "extend" => Operation::Extend(proto::ExtendRequest {
            account_id,
            hold_id: id,
            extend_id: own_id("e"),
            ttl: line.span("ttl").map(duration),
            amount: line.text("amount"),
            durability,
        }),
        "commit" => Operation::Commit(proto::CommitRequest {
            durability,
            ..commit(line, account_id, id, amount)
        }),
        "release" => Operation::Release(proto::ReleaseRequest {
            account_id,
            hold_id: id,
            durability,
        }),
        "charge" => Operation::Charge(proto::ChargeRequest {
            account_id,
            hold_id: id,
            amount,
            labels: line.map("labels"),
            durability,
        }),
        "refund" => Operation::Refund(proto::RefundRequest {
            account_id,
            hold_id: id,
            refund_id: own_id("r"),
            amount,
            durability,
        }),
        "hold" => Operation::GetHold(proto::GetHoldRequest {
            account_id,
            hold_id: id,
        }),
        _ => panic!("no verb {verb}"),
    }
}

fn state(line: &Line) -> AccountState {
    match (line.has("activate"), line.has("suspend")) {
        (true, _) => AccountState::Active,
        (_, true) => AccountState::Suspended,
        _ => AccountState::Unspecified,
    }
}

fn grant(
    line: &Line,
    account_id: String,
    grant_id: String,
    now: i64,
) -> proto::GrantCreditsRequest {
    let kind = match line.get("kind") {
        Some("promo") => GrantKind::Promo,
        Some("allowance") => GrantKind::Allowance,
        Some("rollover") => GrantKind::Rollover,
        None => GrantKind::TopUp,
        Some(other) => panic!("kind {other}"),
    };
    let within = line.span("expires").map(|s| Expiry::ExpiresIn(duration(s)));
    let until = line
        .span("until")
        .map(|s| Expiry::ExpiresAt(timestamp(now + s)));
    proto::GrantCreditsRequest {
        account_id,
        grant_id,
        kind: kind as i32,
        amount: line.text("amount").unwrap_or("0".into()),
        priority: line.number("priority"),
        starts_at: line.span("starts").map(|s| timestamp(now + s)),
        expiry: within.or(until),
        rollover: line.span("rolls").map(|s| proto::Rollover {
            duration: Some(duration(s)),
            cap: line.text("cap"),
        }),
        non_refundable: line.has("final"),
        ..Default::default()
    }
}

/// `part=id` is a partial commit of that id; `id=` names a final one, `final` says it aloud.
fn commit(
    line: &Line,
    account_id: String,
    hold_id: String,
    amount: String,
) -> proto::CommitRequest {
    let part = line.text("part");
    proto::CommitRequest {
        account_id,
        hold_id,
        what: Some(match line.has("all") {
            true => What::AllHeld(true),
            false => What::Amount(amount),
        }),
        r#final: part
            .is_some()
            .then_some(false)
            .or(line.has("final").then_some(true)),
        commit_id: part.or(line.text("id")).unwrap_or_default(),
        durability: 0,
    }
}

//! Subscriptions and bills as they are answered.

use crate::{
    domain::subscription::{BillKind, Status},
    ledger::{BillRow, SubscriptionRow},
    plans::{Answer, PaidBy, Phase, Subscription},
    proto::{self, SubscriptionState},
    reconcile::subscription_status,
    rpc::view::instant,
};

const fn state(status: Status) -> SubscriptionState {
    match status {
        Status::Trial => SubscriptionState::Trial,
        Status::Active => SubscriptionState::Active,
        Status::Cancelled => SubscriptionState::Cancelled,
        Status::Ended => SubscriptionState::Ended,
    }
}

/// A subscription.
pub(super) fn subscription(account_id: &str, it: &Subscription) -> proto::Subscription {
    let terms = &it.terms;
    let (mut keep_data_until, mut awaiting_payment) = (None, false);
    let since = match &it.phase {
        Phase::Trial { from, .. } => *from,
        Phase::Active(running) => {
            awaiting_payment = !running.settled;
            running.rhythm.cycle(it.cycle).from
        }
        Phase::Ended(ended) => {
            keep_data_until = terms.retention.and_then(|term| term.after(ended.at));
            ended.at
        }
    };
    let paid_by = match terms.paid_by {
        PaidBy::Cycle => proto::PaidBy::Cycle,
        PaidBy::Year => proto::PaidBy::Year,
    };
    proto::Subscription {
        account_id: account_id.to_owned(),
        subscription_id: it.id.clone(),
        plan: terms.plan.clone(),
        catalog_version: terms.version.into(),
        paid_by: paid_by.into(),
        state: state(subscription_status(it)).into(),
        cycle: it.cycle,
        since: instant(since),
        until: it.next_due().and_then(instant),
        paid_until: it.changes_at().and_then(instant),
        next_plan: it
            .change
            .as_ref()
            .map_or_else(String::new, |next| next.plan.clone()),
        awaiting_payment,
        allowance: terms.allowance.to_string(),
        price: terms.price.normalize().to_string(),
        keep_data_until: keep_data_until.and_then(instant),
    }
}

/// One of which only the ledger knows.
pub(super) fn earlier(
    account_id: &str,
    subscription_id: &str,
    row: SubscriptionRow,
) -> proto::Subscription {
    proto::Subscription {
        account_id: account_id.to_owned(),
        subscription_id: subscription_id.to_owned(),
        plan: row.plan,
        catalog_version: row.version,
        state: state(row.status).into(),
        since: instant(row.since),
        ..proto::Subscription::default()
    }
}

/// What a call came to.
pub(super) fn change(answer: &Answer) -> proto::SubscriptionChange {
    proto::SubscriptionChange {
        changed: answer.changed,
        holds_from: answer.holds_from.and_then(instant),
        granted: answer.granted.to_string(),
        charge: answer.charge.normalize().to_string(),
        credit: answer.credit.normalize().to_string(),
    }
}

/// A bill.
pub(super) fn bill(row: BillRow) -> proto::Bill {
    let bill = row.bill;
    let kind = match bill.kind {
        BillKind::Period => proto::BillKind::Period,
        BillKind::Change => proto::BillKind::Change,
        BillKind::Refund => proto::BillKind::Refund,
    };
    proto::Bill {
        subscription_id: row.subscription_id,
        number: bill.number,
        kind: kind.into(),
        cycle: bill.cycle,
        charge: bill.charge.to_string(),
        credit: bill.credit.to_string(),
        period_from: bill.from.and_then(instant),
        period_until: bill.until.and_then(instant),
        occurred_at: instant(bill.at),
    }
}

//! The proto's nouns as records: every field, in the order of the proto.

use super::record::{Record, Value};
use crate::proto::{
    Account, Balance, Bill, Grant, GrantAmount, GrantKind, Hold, KindBalance, Level, Rollover,
    Subscription, SubscriptionChange, Transfer,
};

/// An account.
pub fn account(account: Option<Account>) -> Value {
    let Some(account) = account else {
        return Value::Absent;
    };
    Value::Record(Record::of([
        ("account_id", Value::text(&account.account_id)),
        ("state", Value::word(account.state())),
        ("overdraft_limit", Value::credits(&account.overdraft_limit)),
        ("credit_limit", Value::credits(&account.credit_limit)),
        (
            "max_open_holds",
            Value::Count(account.max_open_holds.into()),
        ),
        ("open_holds", Value::Count(account.open_holds.into())),
        ("etag", Value::text(&account.etag)),
        ("created_at", Value::instant(account.created_at)),
    ]))
}

/// A balance.
pub fn balance(balance: Option<Balance>) -> Value {
    let Some(balance) = balance else {
        return Value::Absent;
    };
    Value::Record(Record::of([
        ("balance", Value::credits(&balance.balance)),
        ("available", Value::credits(&balance.available)),
        ("free", Value::credits(&balance.free)),
        ("held", Value::credits(&balance.held)),
        ("debt", Value::credits(&balance.debt)),
        ("pending", Value::credits(&balance.pending)),
        ("promised", Value::credits(&balance.promised)),
        ("as_of", Value::instant(balance.as_of)),
        ("sequence", Value::Count(balance.sequence)),
    ]))
}

/// What is left of each kind of grant.
pub fn kinds(kinds: &[KindBalance]) -> Value {
    let kind = |kind: &KindBalance| {
        Record::of([
            ("kind", Value::word(kind.kind())),
            ("granted", Value::credits(&kind.granted)),
            ("free", Value::credits(&kind.free)),
            ("held", Value::credits(&kind.held)),
        ])
    };
    let columns = &["kind", "granted", "free", "held"];
    Value::Rows(kinds.iter().map(kind).collect(), columns)
}

/// Levels.
pub fn levels(levels: &[Level]) -> Value {
    let level = |level: &Level| {
        Record::of([
            ("capacity", Value::text(&level.capacity)),
            ("level", Value::credits(&level.level)),
            ("limit", Value::credits(&level.limit)),
        ])
    };
    let columns = &["capacity", "level", "limit"];
    Value::Rows(levels.iter().map(level).collect(), columns)
}

/// A subscription.
pub fn subscription(it: Option<Subscription>) -> Value {
    let Some(it) = it else {
        return Value::Absent;
    };
    Value::Record(Record::of([
        ("account_id", Value::text(&it.account_id)),
        ("subscription_id", Value::text(&it.subscription_id)),
        ("plan", Value::text(&it.plan)),
        ("catalog_version", Value::Count(it.catalog_version)),
        ("paid_by", Value::word(it.paid_by())),
        ("state", Value::word(it.state())),
        ("cycle", Value::Count(it.cycle.into())),
        ("since", Value::instant(it.since)),
        ("until", Value::instant(it.until)),
        ("paid_until", Value::instant(it.paid_until)),
        ("next_plan", Value::text(&it.next_plan)),
        ("awaiting_payment", Value::Flag(it.awaiting_payment)),
        ("allowance", Value::credits(&it.allowance)),
        ("price", Value::credits(&it.price)),
        ("keep_data_until", Value::instant(it.keep_data_until)),
    ]))
}

/// What a call on a subscription came to.
pub fn change(change: Option<SubscriptionChange>) -> Value {
    let Some(change) = change else {
        return Value::Absent;
    };
    Value::Record(Record::of([
        ("changed", Value::Flag(change.changed)),
        ("holds_from", Value::instant(change.holds_from)),
        ("granted", Value::credits(&change.granted)),
        ("charge", Value::credits(&change.charge)),
        ("credit", Value::credits(&change.credit)),
    ]))
}

/// Bills in a list.
pub fn bills(bills: &[Bill]) -> Value {
    let bill = |bill: &Bill| {
        Record::of([
            ("subscription_id", Value::text(&bill.subscription_id)),
            ("number", Value::Count(bill.number.into())),
            ("kind", Value::word(bill.kind())),
            ("cycle", Value::Count(bill.cycle.into())),
            ("charge", Value::credits(&bill.charge)),
            ("credit", Value::credits(&bill.credit)),
            ("period_from", Value::instant(bill.period_from)),
            ("period_until", Value::instant(bill.period_until)),
            ("occurred_at", Value::instant(bill.occurred_at)),
        ])
    };
    const COLUMNS: &[&str] = &[
        "subscription_id",
        "number",
        "kind",
        "cycle",
        "charge",
        "credit",
        "period_from",
        "period_until",
    ];
    Value::Rows(bills.iter().map(bill).collect(), COLUMNS)
}

/// A grant.
pub fn grant(grant: Option<Grant>) -> Value {
    grant.map_or(Value::Absent, |grant| Value::Record(grant_record(&grant)))
}

/// Grants in a list.
pub fn grants(grants: &[Grant]) -> Value {
    const COLUMNS: &[&str] = &[
        "grant_id",
        "kind",
        "state",
        "amount",
        "free",
        "held",
        "priority",
        "starts_at",
        "expires_at",
    ];
    Value::Rows(grants.iter().map(grant_record).collect(), COLUMNS)
}

fn grant_record(grant: &Grant) -> Record {
    Record::of([
        ("account_id", Value::text(&grant.account_id)),
        ("grant_id", Value::text(&grant.grant_id)),
        ("kind", Value::word(grant.kind())),
        ("state", Value::word(grant.state())),
        ("amount", Value::credits(&grant.amount)),
        ("free", Value::credits(&grant.free)),
        ("held", Value::credits(&grant.held)),
        ("priority", Value::Count(grant.priority.into())),
        ("starts_at", Value::instant(grant.starts_at)),
        ("expires_at", Value::instant(grant.expires_at)),
        ("rollover", rollover(grant.rollover.as_ref())),
        ("non_refundable", Value::Flag(grant.non_refundable)),
        ("provider", Value::text(&grant.provider)),
        ("external_reference", Value::text(&grant.external_reference)),
    ])
}

fn rollover(rollover: Option<&Rollover>) -> Value {
    let Some(rollover) = rollover else {
        return Value::Absent;
    };
    let duration = rollover.duration.unwrap_or_default();
    let duration = jiff::SignedDuration::new(duration.seconds, duration.nanos);
    Value::Record(Record::of([
        ("duration", Value::Text(format!("{duration:#}"))),
        (
            "cap",
            rollover
                .cap
                .as_deref()
                .map_or(Value::Absent, Value::credits),
        ),
    ]))
}

/// A hold.
pub fn hold(hold: Option<Hold>) -> Value {
    hold.map_or(Value::Absent, |hold| Value::Record(hold_record(&hold)))
}

/// Holds in a list.
pub fn holds(holds: &[Hold]) -> Value {
    const COLUMNS: &[&str] = &[
        "hold_id",
        "state",
        "amount",
        "charged",
        "overdrawn",
        "absorbed",
        "released",
        "created_at",
        "expires_at",
    ];
    Value::Rows(holds.iter().map(hold_record).collect(), COLUMNS)
}

fn hold_record(hold: &Hold) -> Record {
    let mut labels: Vec<(String, String)> = hold.labels.clone().into_iter().collect();
    labels.sort();
    Record::of([
        ("account_id", Value::text(&hold.account_id)),
        ("hold_id", Value::text(&hold.hold_id)),
        ("state", Value::word(hold.state())),
        ("amount", Value::credits(&hold.amount)),
        ("held", Value::credits(&hold.held)),
        ("promised", Value::credits(&hold.promised)),
        ("requested", Value::credits(&hold.requested)),
        ("charged", Value::credits(&hold.charged)),
        ("overdrawn", Value::credits(&hold.overdrawn)),
        ("absorbed", Value::credits(&hold.absorbed)),
        ("released", Value::credits(&hold.released)),
        ("refunded", Value::credits(&hold.refunded)),
        ("late", Value::Flag(hold.late)),
        ("created_at", Value::instant(hold.created_at)),
        ("expires_at", Value::instant(hold.expires_at)),
        ("ended_at", Value::instant(hold.ended_at)),
        ("overage", Value::word(hold.overage())),
        (
            "catalog_version",
            hold.catalog_version.map_or(Value::Absent, Value::Count),
        ),
        (
            "max_commit",
            hold.max_commit
                .as_deref()
                .map_or(Value::Absent, Value::credits),
        ),
        ("labels", Value::Pairs(labels)),
    ])
}

/// Amounts by grant.
pub fn amounts(amounts: &[GrantAmount]) -> Value {
    let row = |part: &GrantAmount| {
        Record::of([
            ("grant_id", Value::text(&part.grant_id)),
            ("kind", Value::word(part.kind())),
            ("amount", Value::credits(&part.amount)),
        ])
    };
    Value::Rows(
        amounts.iter().map(row).collect(),
        &["grant_id", "kind", "amount"],
    )
}

/// Rows of the ledger.
pub fn transfers(transfers: &[Transfer]) -> Value {
    const COLUMNS: &[&str] = &[
        "sequence",
        "event",
        "debit",
        "credit",
        "amount",
        "grant_id",
        "hold_id",
        "actor",
        "occurred_at",
    ];
    Value::Rows(transfers.iter().map(transfer_record).collect(), COLUMNS)
}

fn transfer_record(transfer: &Transfer) -> Record {
    let kind = transfer.grant_kind();
    let no_kind = kind == GrantKind::Unspecified;
    Record::of([
        ("sequence", Value::Count(transfer.sequence)),
        ("index", Value::Count(transfer.index.into())),
        ("event", Value::text(&transfer.event)),
        ("debit", Value::word(transfer.debit())),
        ("credit", Value::word(transfer.credit())),
        ("amount", Value::credits(&transfer.amount)),
        ("grant_id", Value::text(&transfer.grant_id)),
        (
            "grant_kind",
            if no_kind {
                Value::Absent
            } else {
                Value::word(kind)
            },
        ),
        ("to_grant_id", Value::text(&transfer.to_grant_id)),
        ("hold_id", Value::text(&transfer.hold_id)),
        ("actor", Value::text(&transfer.actor)),
        ("occurred_at", Value::instant(transfer.occurred_at)),
        ("booked_at", Value::instant(transfer.booked_at)),
    ])
}

//! Domain values into the messages of `proto/`.

use std::collections::HashMap;

use crate::{
    domain::{
        account::{Micros, Standing},
        credits::Credits,
        event::{Move, MoveKind},
        grant::{GrantKind, GrantTerms},
        hold::{self, HoldState, Method},
        posting::LedgerAccount,
    },
    holds::packed::{self, Answer},
    ledger::{GrantRow, GrantStatus, HoldRow, TransferRow},
    proto,
};

/// Names of grants by their numbers.
pub type Names = HashMap<u32, (String, GrantKind)>;

/// An instant.
#[must_use]
pub fn instant(micros: Micros) -> Option<prost_types::Timestamp> {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or(0);
    Some(prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    })
}

/// A duration.
#[must_use]
pub fn duration(micros: Micros) -> Option<prost_types::Duration> {
    let nanos = i32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
    Some(prost_types::Duration {
        seconds: micros / 1_000_000,
        nanos,
    })
}

/// An instant as RFC 3339, UTC.
#[must_use]
pub fn rfc3339(micros: Micros) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| micros.to_string(), |instant| instant.to_string())
}

/// Micro-credits as an amount.
#[must_use]
pub fn credits(micro: i64) -> String {
    Credits::from_micro(micro).to_string()
}

/// The balance in an answer.
#[must_use]
pub fn balance(answer: &Answer) -> Option<proto::Balance> {
    let b = &answer.balance;
    Some(proto::Balance {
        balance: (b.free - b.debt).to_string(),
        available: b.available(answer.terms.credit_limit).to_string(),
        free: b.free.to_string(),
        held: b.held.to_string(),
        debt: b.debt.to_string(),
        pending: b.pending.to_string(),
        promised: b.promised.to_string(),
        as_of: instant(answer.now),
        sequence: answer.sequence,
    })
}

/// What is left of a kind of grant.
#[must_use]
pub fn kind(kind: &packed::Kind) -> proto::KindBalance {
    proto::KindBalance {
        kind: grant_kind(kind.kind).into(),
        granted: kind.granted.to_string(),
        free: kind.free.to_string(),
        held: kind.held.to_string(),
    }
}

/// The account in an answer.
#[must_use]
pub fn account(account_id: &str, answer: &Answer) -> Option<proto::Account> {
    let terms = &answer.terms;
    let state = match (terms.standing, terms.frozen) {
        (Standing::Closed, _) => proto::AccountState::Closed,
        (_, true) => proto::AccountState::Frozen,
        (Standing::Suspended, _) => proto::AccountState::Suspended,
        (Standing::Active, _) => proto::AccountState::Active,
    };
    Some(proto::Account {
        account_id: account_id.to_owned(),
        state: state.into(),
        overdraft_limit: terms.overdraft_limit.to_string(),
        credit_limit: terms.credit_limit.to_string(),
        max_open_holds: terms.max_open_holds,
        open_holds: answer.open_holds,
        etag: terms.etag.to_string(),
        created_at: instant(answer.created_at),
    })
}

/// A state of a hold.
#[must_use]
pub const fn hold_state(state: HoldState) -> proto::HoldState {
    match state {
        HoldState::Open => proto::HoldState::Open,
        HoldState::Committed => proto::HoldState::Committed,
        HoldState::Released => proto::HoldState::Released,
        HoldState::Expired => proto::HoldState::Expired,
    }
}

/// A kind of grant.
#[must_use]
pub const fn grant_kind(kind: GrantKind) -> proto::GrantKind {
    match kind {
        GrantKind::Promo => proto::GrantKind::Promo,
        GrantKind::Rollover => proto::GrantKind::Rollover,
        GrantKind::Allowance => proto::GrantKind::Allowance,
        GrantKind::TopUp => proto::GrantKind::TopUp,
        GrantKind::Refund => proto::GrantKind::Refund,
    }
}

/// A hold.
#[must_use]
pub fn hold(account_id: &str, hold_id: &str, hold: &hold::Hold) -> proto::Hold {
    let overage = if hold.rejects_overage {
        proto::Overage::Reject
    } else {
        proto::Overage::Allow
    };
    let by_charge = hold.request.method == Method::Charge;
    proto::Hold {
        account_id: account_id.to_owned(),
        hold_id: hold_id.to_owned(),
        state: hold_state(hold.state).into(),
        amount: (hold.held() + hold.promised).to_string(),
        held: hold.held().to_string(),
        promised: hold.promised.to_string(),
        requested: hold.request.amount.to_string(),
        charged: hold.charged.to_string(),
        overdrawn: hold.overdrawn.to_string(),
        absorbed: hold.absorbed.to_string(),
        released: hold.released.to_string(),
        refunded: hold.refunded.to_string(),
        late: hold.late,
        created_at: instant(hold.created_at),
        expires_at: if by_charge {
            None
        } else {
            instant(hold.expires_at)
        },
        ended_at: hold.ended_at.and_then(instant),
        overage: overage.into(),
        max_commit: hold.request.max_commit.map(|bound| bound.to_string()),
        labels: hold.request.labels.iter().cloned().collect(),
        catalog_version: hold.request.usage.map(|usage| usage.version.into()),
    }
}

/// A hold as the ledger has it.
#[must_use]
pub fn hold_row(account_id: &str, row: HoldRow) -> proto::Hold {
    let overage = if row.reject_overage {
        proto::Overage::Reject
    } else {
        proto::Overage::Allow
    };
    let by_charge = row.method == Method::Charge;
    proto::Hold {
        account_id: account_id.to_owned(),
        hold_id: row.hold_id,
        state: hold_state(row.state).into(),
        amount: (row.held + row.promised).to_string(),
        held: row.held.to_string(),
        promised: row.promised.to_string(),
        requested: row.requested.to_string(),
        charged: row.charged.to_string(),
        overdrawn: row.overdrawn.to_string(),
        absorbed: row.absorbed.to_string(),
        released: row.released.to_string(),
        refunded: row.refunded.to_string(),
        late: row.late,
        created_at: instant(row.created_at),
        expires_at: if by_charge {
            None
        } else {
            instant(row.expires_at)
        },
        ended_at: row.ended_at.and_then(instant),
        overage: overage.into(),
        max_commit: row.max_commit.map(|bound| bound.to_string()),
        labels: row.labels.into_iter().collect(),
        catalog_version: row.catalog_version,
    }
}

/// A grant as the ledger has it.
#[must_use]
pub fn grant_row(account_id: &str, row: GrantRow) -> proto::Grant {
    let terms = GrantTerms {
        no: row.no,
        grant_id: row.grant_id,
        kind: row.kind,
        priority: row.priority,
        amount: row.amount,
        starts_at: row.starts_at,
        expires_at: row.expires_at,
        rollover: row.rollover,
        non_refundable: row.non_refundable,
        started: true,
        provider: row.provider,
        external_reference: row.external_reference,
    };
    let state = match row.status {
        GrantStatus::Pending => proto::GrantState::Pending,
        GrantStatus::Active => proto::GrantState::Active,
        GrantStatus::Expired => proto::GrantState::Expired,
        GrantStatus::Revoked => proto::GrantState::Revoked,
        GrantStatus::Closed => proto::GrantState::Closed,
    };
    // A pending grant is not posted yet: all of it will start.
    let free = if row.status == GrantStatus::Pending {
        row.amount
    } else {
        row.free
    };
    grant(account_id, &terms, state, free, row.held)
}

/// A state of a grant in the ledger's word.
#[must_use]
pub const fn grant_status(state: proto::GrantState) -> Option<GrantStatus> {
    match state {
        proto::GrantState::Unspecified => None,
        proto::GrantState::Pending => Some(GrantStatus::Pending),
        proto::GrantState::Active => Some(GrantStatus::Active),
        proto::GrantState::Expired => Some(GrantStatus::Expired),
        proto::GrantState::Revoked => Some(GrantStatus::Revoked),
        proto::GrantState::Closed => Some(GrantStatus::Closed),
    }
}

const fn side(side: LedgerAccount) -> proto::LedgerAccount {
    match side {
        LedgerAccount::Issued => proto::LedgerAccount::Issued,
        LedgerAccount::Free => proto::LedgerAccount::Free,
        LedgerAccount::Held => proto::LedgerAccount::Held,
        LedgerAccount::Spent => proto::LedgerAccount::Spent,
        LedgerAccount::Debt => proto::LedgerAccount::Debt,
        LedgerAccount::Absorbed => proto::LedgerAccount::Absorbed,
        LedgerAccount::Breakage => proto::LedgerAccount::Breakage,
    }
}

/// A row of the book.
#[must_use]
pub fn transfer(row: TransferRow) -> proto::Transfer {
    let (grant_id, kind) = row.grant.unzip();
    proto::Transfer {
        sequence: row.key.sequence,
        index: row.key.line,
        event: row.event,
        debit: side(row.debit).into(),
        credit: side(row.credit).into(),
        amount: row.amount.to_string(),
        grant_id: grant_id.unwrap_or_default(),
        grant_kind: kind
            .map_or(proto::GrantKind::Unspecified, grant_kind)
            .into(),
        to_grant_id: row.to_grant_id.unwrap_or_default(),
        hold_id: row.hold_id.unwrap_or_default(),
        actor: row.actor,
        occurred_at: instant(row.occurred_at),
        booked_at: instant(row.booked_at),
    }
}

/// A grant as it was made.
#[must_use]
pub fn grant(
    account_id: &str,
    terms: &GrantTerms,
    state: proto::GrantState,
    free: Credits,
    held: Credits,
) -> proto::Grant {
    proto::Grant {
        account_id: account_id.to_owned(),
        grant_id: terms.grant_id.clone(),
        kind: grant_kind(terms.kind).into(),
        state: state.into(),
        amount: terms.amount.to_string(),
        free: free.to_string(),
        held: held.to_string(),
        priority: terms.priority.into(),
        starts_at: instant(terms.starts_at),
        expires_at: terms.expires_at.and_then(instant),
        rollover: terms.rollover.map(|rollover| proto::Rollover {
            duration: duration(rollover.duration),
            cap: rollover.cap.map(|cap| cap.to_string()),
        }),
        non_refundable: terms.non_refundable,
        provider: terms.provider.clone(),
        external_reference: terms.external_reference.clone(),
    }
}

/// Sum of the moves of some kinds.
#[must_use]
pub fn sum(moves: &[Move], kinds: &[MoveKind]) -> Credits {
    moves
        .iter()
        .filter(|moved| kinds.contains(&moved.kind))
        .map(|moved| moved.amount)
        .sum()
}

/// The moves of some kinds by grant, in order of each grant's first.
#[must_use]
pub fn by_grant(moves: &[Move], kinds: &[MoveKind], names: &Names) -> Vec<proto::GrantAmount> {
    let mut list: Vec<(u32, Credits)> = Vec::new();
    for moved in moves
        .iter()
        .filter(|moved| moved.grant_no != 0 && kinds.contains(&moved.kind))
    {
        match list.iter_mut().find(|(no, _)| *no == moved.grant_no) {
            Some((_, amount)) => *amount += moved.amount,
            None => list.push((moved.grant_no, moved.amount)),
        }
    }
    list.into_iter()
        .map(|(no, amount)| grant_amount(no, amount, names))
        .collect()
}

/// An amount out of one grant.
#[must_use]
pub fn grant_amount(no: u32, amount: Credits, names: &Names) -> proto::GrantAmount {
    let (grant_id, kind) = names
        .get(&no)
        .cloned()
        .unwrap_or((String::new(), GrantKind::TopUp));
    proto::GrantAmount {
        grant_id,
        kind: grant_kind(kind).into(),
        amount: amount.to_string(),
    }
}

/// Burned by a commit or a charge.
pub const BURNED: [MoveKind; 2] = [MoveKind::BurnPin, MoveKind::BurnFree];
/// Pins that came back.
pub const RETURNED: [MoveKind; 4] = [
    MoveKind::Return,
    MoveKind::ReturnJoin,
    MoveKind::ReturnBreak,
    MoveKind::ReturnIssued,
];

//! Refusals and failures into gRPC statuses: one exhaustive match from reason to code, one form of details.

mod catalog;
mod limits;
mod subscription;
mod violations;

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, QuotaViolation, StatusExt};

pub use self::{
    catalog::{catalog_failed, catalog_overtaken},
    subscription::{in_debt_for_plan, no_subscription, not_subscribed},
    violations::invalid,
};
use super::{fields::seconds, need::Need, view};
use crate::{
    domain::{credits::Credits, hold::Hold},
    holds::{HoldsError, packed::Answer},
    ledger::LedgerError,
    proto::ErrorReason,
    reconcile::memory::MemoryError,
};

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "holdbook";
/// When to try again what is unavailable.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The gRPC code, and what it would be over HTTP.
const fn code(reason: ErrorReason) -> (Code, u16) {
    use {Code as C, ErrorReason as R};
    match reason {
        R::InsufficientCredits | R::InDebt => (C::ResourceExhausted, 402),
        R::ConcurrencyLimit | R::CapacityLimit | R::SpendCap => (C::ResourceExhausted, 429),
        R::AccountSuspended | R::AccountFrozen | R::AccountClosed => (C::FailedPrecondition, 403),
        R::PlanInactive
        | R::FeatureNotInPlan
        | R::DurationLimit
        | R::ResolutionLimit
        | R::SubscriptionActive => (C::FailedPrecondition, 403),
        R::HoldEnded
        | R::AboveHold
        | R::AboveMaxCommit
        | R::LateWindowPassed
        | R::NonRefundable
        | R::SubscriptionEnded
        | R::SubscriptionCancelled
        | R::PlanUnavailable
        | R::PaymentOutstanding
        | R::PaymentNotDue => (C::FailedPrecondition, 409),
        R::IdReused => (C::AlreadyExists, 409),
        R::EtagMismatch => (C::Aborted, 409),
        R::AccountNotFound | R::HoldNotFound | R::GrantNotFound => (C::NotFound, 404),
        R::CatalogNotFound | R::SubscriptionNotFound => (C::NotFound, 404),
        R::Invalid => (C::InvalidArgument, 400),
        R::Backpressure | R::PartitionRecovering | R::StoreUnavailable => (C::Unavailable, 503),
        R::Bug | R::Unspecified => (C::Internal, 500),
    }
}

/// A reason's name on the wire: without its prefix.
#[must_use]
pub fn reason_name(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

/// A refusal under construction.
struct Refusal {
    reason: ErrorReason,
    message: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
}

impl Refusal {
    fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            details: ErrorDetails::new(),
        }
    }

    fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    fn status(mut self) -> Status {
        let (code, http) = code(self.reason);
        self.metadata
            .insert("http_status".to_owned(), http.to_string());
        self.details
            .set_error_info(reason_name(self.reason), DOMAIN, self.metadata);
        if code == Code::Unavailable {
            self.details.set_retry_info(Some(RETRY_AFTER));
        }
        Status::with_error_details(code, self.message, self.details)
    }
}

/// INVALID with one field.
#[must_use]
pub fn invalid_field(field: &str, description: impl Into<String>) -> Status {
    invalid(vec![FieldViolation::new(field, description)])
}

/// The account does not exist.
#[must_use]
pub fn no_account(account: &str) -> Status {
    Refusal::new(
        ErrorReason::AccountNotFound,
        format!("account {account} does not exist"),
    )
    .with("account_id", account)
    .status()
}

/// The ledger is too far behind.
#[must_use]
pub fn backpressure() -> Status {
    Refusal::new(
        ErrorReason::Backpressure,
        "the ledger is too far behind; nothing was done, try again",
    )
    .status()
}

/// The service stops; a stream ends here.
#[must_use]
pub fn stopping() -> Status {
    Refusal::new(
        ErrorReason::StoreUnavailable,
        "the server stops: send what is not answered to another",
    )
    .status()
}

/// A store failed. What it said stays in the log: messages never leak internals.
#[must_use]
pub fn failed(error: &MemoryError) -> Status {
    match error {
        MemoryError::Holds(HoldsError::Fenced(_)) => {
            tracing::warn!(%error, "a partition is not open");
            Refusal::new(
                ErrorReason::PartitionRecovering,
                "the account's partition is not open; nothing was done, try again",
            )
            .status()
        }
        MemoryError::Holds(HoldsError::Bug(_)) => {
            tracing::error!(%error, "a defect");
            Refusal::new(
                ErrorReason::Bug,
                "an internal defect; the server's log has it",
            )
            .status()
        }
        MemoryError::Holds(HoldsError::Unavailable(_) | HoldsError::CutShort(_))
        | MemoryError::Ledger(_) => {
            match error {
                MemoryError::Holds(HoldsError::CutShort(_)) => {
                    tracing::error!(%error, "a call was cut short");
                }
                _ => tracing::warn!(%error, "a store did not answer"),
            }
            Refusal::new(
                ErrorReason::StoreUnavailable,
                "a store did not answer; send the same call again",
            )
            .status()
        }
    }
}

/// The ledger failed.
#[must_use]
pub fn ledger_failed(error: LedgerError) -> Status {
    failed(&error.into())
}

/// The same id with other content.
#[must_use]
pub fn id_reused(what: &str, fields: &[&str], recorded: &serde_json::Value) -> Status {
    let fields = fields.join(",");
    Refusal::new(
        ErrorReason::IdReused,
        format!("{what} was used before with other {fields}; recorded: {recorded}"),
    )
    .with("fields", fields)
    .with("recorded", recorded)
    .status()
}

/// What the script refused. ID_REUSED and INVALID are made by those who know the request.
#[must_use]
pub fn refused(answer: &Answer, need: Option<&Need>) -> Status {
    let reasons: Vec<_> = answer
        .reasons
        .iter()
        .map(|number| ErrorReason::try_from(i32::from(*number)).unwrap_or(ErrorReason::Bug))
        .collect();
    let first = reasons.first().copied().unwrap_or(ErrorReason::Bug);
    let mut refusal = explain(first, answer, need);
    if reasons.len() > 1 {
        let names: Vec<_> = reasons.iter().map(|reason| reason_name(*reason)).collect();
        refusal = refusal.with("reasons", names.join(","));
    }
    let quotas: Vec<_> = reasons
        .iter()
        .filter(|reason| code(**reason).0 == Code::ResourceExhausted)
        .map(|reason| {
            QuotaViolation::new(reason_name(*reason), explain(*reason, answer, need).message)
        })
        .collect();
    if code(first).0 == Code::ResourceExhausted {
        refusal.details.set_quota_failure(quotas);
    }
    refusal.status()
}

fn explain(reason: ErrorReason, answer: &Answer, need: Option<&Need>) -> Refusal {
    use ErrorReason as R;
    let credits = Credits::from_micro;
    let (x, y, terms, balance) = (answer.x, answer.y, &answer.terms, &answer.balance);
    let available = balance.available(terms.credit_limit);
    // By addition here: the two together can pass what Lua adds exactly.
    let committed = answer.hold.as_ref().map_or(Credits::ZERO, Hold::committed) + credits(x);
    let state = || {
        answer
            .hold
            .as_ref()
            .map_or("unknown", |hold| hold.state.name())
    };
    let short = |message: String| {
        let next = answer.next_hold.filter(|_| answer.open_holds > 0);
        let refusal = Refusal::new(reason, message)
            .with("amount", credits(x))
            .with("available", available)
            .with("held", balance.held)
            .with("debt", balance.debt)
            .with("short_by", credits(x) - available);
        next.map_or_else(Vec::new, |next| vec![view::rfc3339(next)])
            .into_iter()
            .fold(refusal, |refusal, next| refusal.with("next_expiry", next))
    };
    match reason {
        R::InsufficientCredits => short(format!(
            "{} credits were asked for and {available} are available",
            credits(x)
        )),
        R::InDebt => short(format!(
            "debt of {} exceeds the credit limit of {}",
            balance.debt, terms.credit_limit
        ))
        .with("credit_limit", terms.credit_limit),
        R::ConcurrencyLimit => Refusal::new(
            reason,
            format!(
                "{} holds are open, the limit is {y}",
                answer.open_holds
            ),
        )
        .with("open_holds", answer.open_holds)
        .with("max_open_holds", y),
        R::CapacityLimit if limits::too_many_values(answer) => limits::no_more_values(answer),
        R::CapacityLimit if need.is_some_and(|need| !need.capacities.is_empty()) => {
            limits::not_given(reason, answer, need)
        }
        R::SpendCap => limits::above_a_cap(answer),
        R::CapacityLimit if x == 1 => {
            Refusal::new(reason, "the account has 64 live grants, the limit is 64")
                .with("resource", "grants")
                .with("limit", 64)
        }
        R::CapacityLimit => Refusal::new(
            reason,
            format!(
                "this would be more than {} credits in the account, free, held and pending, or in one hold",
                Credits::MAX
            ),
        )
        .with("resource", "credits")
        .with("limit", Credits::MAX),
        R::AccountSuspended => Refusal::new(reason, "the account is suspended by an operator"),
        R::AccountFrozen => Refusal::new(reason, "an event of the account is in quarantine"),
        R::AccountClosed => Refusal::new(reason, "the account is closed"),
        R::HoldEnded => {
            Refusal::new(reason, format!("the hold is {}", state())).with("state", state())
        }
        R::AboveHold => Refusal::new(
            reason,
            format!(
                "{} is more than the {} that there are",
                credits(x),
                credits(y)
            ),
        )
        .with("amount", credits(x))
        .with("limit", credits(y)),
        R::AboveMaxCommit => Refusal::new(
            reason,
            format!(
                "the commits would add up to {}, the hold's maximum is {}",
                committed,
                credits(y)
            ),
        )
        .with("amount", committed)
        .with("limit", credits(y)),
        R::LateWindowPassed => Refusal::new(
            reason,
            format!(
                "the hold expired at {}, longer ago than the window of {} seconds",
                view::rfc3339(x),
                seconds(y)
            ),
        )
        .with("expired_at", view::rfc3339(x))
        .with("window_seconds", seconds(y)),
        R::NonRefundable => Refusal::new(reason, "the grant is marked non-refundable"),
        R::HoldNotFound => Refusal::new(reason, "the account has no hold of this id"),
        R::GrantNotFound => Refusal::new(reason, "the account has no grant of this id"),
        R::EtagMismatch => Refusal::new(
            reason,
            format!("the account changed: its etag is {}", terms.etag),
        )
        .with("etag", terms.etag),
        R::SubscriptionActive => {
            Refusal::new(reason, "the account has a subscription: cancel it first")
        }
        R::PlanInactive => Refusal::new(reason, "the account has no active plan: subscribe to one"),
        R::FeatureNotInPlan | R::DurationLimit | R::ResolutionLimit => {
            limits::not_given(reason, answer, need)
        }
        R::AccountNotFound
        | R::CatalogNotFound
        | R::SubscriptionNotFound
        | R::SubscriptionEnded
        | R::SubscriptionCancelled
        | R::PlanUnavailable
        | R::PaymentOutstanding
        | R::PaymentNotDue
        | R::IdReused
        | R::Invalid
        | R::Backpressure
        | R::PartitionRecovering
        | R::StoreUnavailable
        | R::Bug
        | R::Unspecified => Refusal::new(R::Bug, "an internal defect; the server's log has it"),
    }
}

/// The reasons in a table, for `docs/errors.md`.
#[must_use]
pub fn reference() -> String {
    let mut rows = String::new();
    for number in 1.. {
        let Ok(reason) = ErrorReason::try_from(number) else {
            if number > 64 {
                return rows;
            }
            continue;
        };
        let (code, http) = code(reason);
        rows += &format!("| `{}` | `{:?}` | {http} |\n", reason_name(reason), code);
    }
    rows
}

//! Why a call about a subscription is refused.

use tonic::Status;
use tonic_types::QuotaViolation;

use super::Refusal;
use crate::{
    domain::credits::Credits,
    plans::{self, Refusal as Why},
    proto::ErrorReason as R,
    rpc::view::rfc3339,
};

/// The account has no subscription of this id.
#[must_use]
pub fn no_subscription() -> Status {
    not_subscribed(&plans::Refusal::NotFound)
}

/// A refusal of a subscription's rules.
#[must_use]
pub fn not_subscribed(why: &plans::Refusal) -> Status {
    let refusal = |reason| Refusal::new(reason, why.to_string());
    let because = |reason| refusal(reason).with("why", why.reason());
    match why {
        Why::AlreadySubscribed { subscription } => {
            refusal(R::SubscriptionActive).with("subscription_id", subscription)
        }
        Why::NotFound => refusal(R::SubscriptionNotFound),
        Why::NoTrial { .. } | Why::TrialUsed => because(R::PlanUnavailable),
        Why::TooSoon { at } => because(R::PlanUnavailable).with("from", rfc3339(*at)),
        Why::Over { at, .. } => refusal(R::SubscriptionEnded).with("ended_at", rfc3339(*at)),
        Why::Cancelled { at } => refusal(R::SubscriptionCancelled).with("ends_at", rfc3339(*at)),
        Why::PaymentOutstanding { cycle } => refusal(R::PaymentOutstanding).with("cycle", cycle),
        Why::NotBegun { current } => because(R::PaymentNotDue).with("cycle", current),
        Why::PaidTooLate { cycle } => because(R::PaymentNotDue).with("cycle", cycle),
        Why::NoRefund | Why::NotFirst | Why::NothingPaid => because(R::NonRefundable),
        Why::RefundWindowOver { at } => because(R::NonRefundable).with("ended_at", rfc3339(*at)),
    }
    .status()
}

/// The account owes more than the plan that was asked for lets a reserve promise.
#[must_use]
pub fn in_debt_for_plan(debt: Credits, limit: Credits) -> Status {
    let message = format!("debt of {debt} exceeds the other plan's credit limit of {limit}");
    let mut refusal = Refusal::new(R::InDebt, message)
        .with("debt", debt)
        .with("credit_limit", limit);
    let quota = QuotaViolation::new(super::reason_name(R::InDebt), refusal.message.clone());
    refusal.details.set_quota_failure(vec![quota]);
    refusal.status()
}

//! Why a command is refused, and what is allowed instead.

use super::Why;
use crate::domain::account::Micros;

/// What a caller can ask of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A new one.
    Subscribe,
    /// Another plan.
    ChangePlan,
    /// Its end.
    Cancel,
    /// No end.
    Resume,
    /// Its money back.
    Refund,
    /// A payment that came in.
    Payment,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One account, one subscription.
    #[error("the account has the subscription {subscription:?}: change or cancel that one")]
    AlreadySubscribed {
        /// That one.
        subscription: String,
    },
    /// The account has none of this id.
    #[error("the account has no subscription of this id")]
    NotFound,
    /// The plan has none.
    #[error("the plan {plan:?} has no trial: subscribe without one")]
    NoTrial {
        /// The plan.
        plan: String,
    },
    /// One account, one trial.
    #[error("the account had its trial: subscribe without one")]
    TrialUsed,
    /// A free plan was ended within its cycle.
    #[error(
        "the credits of a free plan come once in a cycle: subscribe to it when its last cycle is over"
    )]
    TooSoon {
        /// When that is.
        at: Micros,
    },
    /// Nothing becomes of it any more.
    #[error("the subscription is over: subscribe again")]
    Over {
        /// When it ended.
        at: Micros,
        /// Why.
        why: Why,
    },
    /// It was cancelled, and has yet to end.
    #[error("the subscription is cancelled: resume it first")]
    Cancelled {
        /// When it ends.
        at: Micros,
    },
    /// Money that has yet to come in is no base for a proration.
    #[error("the current period is not paid: change the plan when it is, or cancel")]
    PaymentOutstanding {
        /// The period's first cycle.
        cycle: u32,
    },
    /// A period that has yet to begin.
    #[error("the period has not begun: tell the payment when it has")]
    NotBegun {
        /// The current period's first cycle.
        current: u32,
    },
    /// The period ended without its credits, and gets none.
    #[error("the period is over, and its credits were never given: the payment goes back")]
    PaidTooLate {
        /// The period's first cycle.
        cycle: u32,
    },
    /// The plan gives none back.
    #[error("the plan gives no money back: cancel it")]
    NoRefund,
    /// Only the first subscription's money comes back.
    #[error("only an account's first subscription is refunded: cancel it")]
    NotFirst,
    /// There is none.
    #[error("nothing was paid: cancel it")]
    NothingPaid,
    /// Too late.
    #[error("the time for a refund is over: cancel it")]
    RefundWindowOver {
        /// When it ended.
        at: Micros,
    },
}

impl Refusal {
    /// As an error names it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::AlreadySubscribed { .. } => "ALREADY_SUBSCRIBED",
            Self::NotFound => "SUBSCRIPTION_NOT_FOUND",
            Self::NoTrial { .. } => "NO_TRIAL",
            Self::TrialUsed => "TRIAL_USED",
            Self::TooSoon { .. } => "TOO_SOON",
            Self::Over { .. } => "SUBSCRIPTION_OVER",
            Self::Cancelled { .. } => "SUBSCRIPTION_CANCELLED",
            Self::PaymentOutstanding { .. } => "PAYMENT_OUTSTANDING",
            Self::NotBegun { .. } => "PERIOD_NOT_BEGUN",
            Self::PaidTooLate { .. } => "PAID_TOO_LATE",
            Self::NoRefund => "NO_REFUND",
            Self::NotFirst => "NOT_FIRST_SUBSCRIPTION",
            Self::NothingPaid => "NOTHING_PAID",
            Self::RefundWindowOver { .. } => "REFUND_WINDOW_OVER",
        }
    }

    /// What would not be refused for this.
    #[must_use]
    pub const fn allowed(&self) -> &'static [Verb] {
        match self {
            Self::AlreadySubscribed { .. } => &[Verb::ChangePlan, Verb::Cancel],
            Self::NotFound
            | Self::TooSoon { .. }
            | Self::NoTrial { .. }
            | Self::TrialUsed
            | Self::Over { .. } => &[Verb::Subscribe],
            Self::Cancelled { .. } => &[Verb::Resume],
            Self::PaymentOutstanding { .. } => &[Verb::Payment, Verb::Cancel],
            Self::NotBegun { .. } => &[Verb::Payment],
            Self::PaidTooLate { .. } => &[],
            Self::NoRefund | Self::NotFirst | Self::NothingPaid | Self::RefundWindowOver { .. } => {
                &[Verb::Cancel]
            }
        }
    }
}

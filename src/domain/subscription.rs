//! What an event says of an account's subscription: the money behind it and where it stands. How it came to that is not known here.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::account::Micros;

/// A step of an account's subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionStep {
    /// The account's steps so far.
    pub revision: u32,
    /// The subscription.
    pub subscription_id: String,
    /// Its plan now.
    pub plan: String,
    /// The version of the catalog whose plan that is.
    pub version: u32,
    /// Where it stands.
    pub status: Status,
    /// When its current cycle or trial began; of one that is over, when it ended.
    pub since: Micros,
    /// When time changes it next.
    pub until: Option<Micros>,
    /// The call that asked for the step: what it was, for whoever must ask for it again; absent where time did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// What that call came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The id of that call; empty where time did it, or where the subscription's own id is the call's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    /// What the payment side is to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bills: Vec<Bill>,
}

impl SubscriptionStep {
    /// What was done, once and never again: a call by its ids, what time did by its revision.
    #[must_use]
    pub fn deed(&self) -> String {
        match &self.order {
            Some(_) => call_deed(&self.subscription_id, &self.call_id),
            None => format!("s/~{}", self.revision),
        }
    }
}

/// The name of a call's deed. The length tells where an id ends that may have any sign in it.
#[must_use]
pub fn call_deed(subscription_id: &str, call_id: &str) -> String {
    format!("s{}/{subscription_id}/{call_id}", subscription_id.len())
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Before its first payment.
    Trial,
    /// It goes on.
    Active,
    /// It ends with the paid period, or the trial.
    Cancelled,
    /// It is over.
    Ended,
}

impl Status {
    /// As the ledger writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Ended => "ended",
        }
    }
}

/// Money to take or to give. It is only ever told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Its number in its subscription: with the subscription's id, the payment side's own key.
    pub number: u32,
    /// For what.
    pub kind: BillKind,
    /// The first cycle of the paid period that it is for; 0: none.
    pub cycle: u32,
    /// To take.
    pub charge: Decimal,
    /// To give back.
    pub credit: Decimal,
    /// From when the period is.
    pub from: Option<Micros>,
    /// Until when.
    pub until: Option<Micros>,
    /// When it became true.
    pub at: Micros,
}

/// For what money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillKind {
    /// A paid period has begun.
    Period,
    /// Another plan for the rest of a paid period.
    Change,
    /// What was paid goes back.
    Refund,
}

impl BillKind {
    /// All.
    pub const ALL: [Self; 3] = [Self::Period, Self::Change, Self::Refund];

    /// As the ledger writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Change => "change",
            Self::Refund => "refund",
        }
    }
}

impl std::fmt::Display for BillKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for BillKind {
    type Err = NoKind;
    fn from_str(text: &str) -> Result<Self, NoKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or(NoKind)
    }
}

/// A text that names no kind of bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no kind of bill")]
pub struct NoKind;

as_text! { BillKind }

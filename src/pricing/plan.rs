//! Plans: what a subscription gives, for what money, and how it changes.
//!
//! They are read and checked here; what happens to a subscription is decided elsewhere.

use std::{collections::BTreeMap, fmt};

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::{
    amount::{Money, Percent, Quantity, divide},
    words::{AfterTrial, CreditsOnUpgrade, GrantOn, Overage, Rounding},
};
use crate::domain::credits::Credits;
pub use crate::domain::plan::{Cycle, Term};

/// What is set for all accounts of a plan, or for each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set<T> {
    /// For all.
    To(T),
    /// For each account; written `per_account`.
    PerAccount,
}

impl<T: fmt::Display> fmt::Display for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(value) => value.fmt(f),
            Self::PerAccount => f.write_str("per_account"),
        }
    }
}

impl<T: fmt::Display> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a subscription gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Credits of a cycle.
    pub allowance: Set<Credits>,
    /// Its length.
    pub cycle: Cycle,
    /// Money for a cycle; `None`: free.
    pub price: Option<Set<Money>>,
    /// Whether it can be paid by the year.
    pub yearly: Option<Yearly>,
    /// When a cycle's credits come.
    pub grant_on: GrantOn,
    /// Whether unused credits live on.
    pub rollover: Option<Rollover>,
    /// What a job may be.
    pub limits: Limits,
    /// What it may use.
    pub features: Vec<String>,
    /// How much may be kept at once.
    pub capacities: BTreeMap<String, Quantity>,
    /// What may be spent in a time.
    pub spend_caps: SpendCaps,
    /// Off every pack.
    pub pack_off: Percent,
    /// What a commit above its hold does.
    pub overage: Overage,
    /// Debt that a commit may make.
    pub overdraft_limit: Credits,
    /// Debt that a reserve may promise.
    pub credit_limit: Credits,
    /// Which credits an upgrade to it grants.
    pub credits_on_upgrade: CreditsOnUpgrade,
    /// A time for free before the first payment.
    pub trial: Option<Trial>,
    /// The first subscription's payment comes back within this time.
    pub refund_within: Option<Term>,
    /// How long data is kept after the end.
    pub retention: Option<Term>,
    /// What people are told, such as the support tier.
    pub labels: BTreeMap<String, String>,
}

/// The price of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Yearly {
    /// Off twelve cycles.
    pub off: Percent,
    /// The price is a multiple of this.
    pub round_to: Money,
    /// How it is brought there.
    pub rounding: Rounding,
}

/// Unused credits of a cycle live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rollover {
    /// So long.
    #[serde(rename = "for")]
    pub lasts: Term,
    /// At most so many.
    pub cap: Option<Credits>,
}

/// What a job may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Open holds.
    pub concurrency: Option<u32>,
    /// Seconds.
    pub duration: Option<Quantity>,
    /// The largest, one of the catalog's resolutions.
    pub resolution: Option<String>,
}

/// What may be spent in a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SpendCaps {
    /// By an account.
    #[serde(flatten)]
    pub account: Caps,
    /// Under each value of a label, such as by each user.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub per_label: BTreeMap<String, Caps>,
}

/// The most in each of the windows, which are those of the calendar in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// In an hour.
    pub hour: Option<Credits>,
    /// In a day.
    pub day: Option<Credits>,
    /// In a month.
    pub month: Option<Credits>,
}

impl Caps {
    /// From the shortest.
    #[must_use]
    pub const fn of_windows(self) -> [Option<Credits>; 3] {
        [self.hour, self.day, self.month]
    }
}

/// A time for free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// So long.
    #[serde(rename = "for")]
    pub lasts: Term,
    /// Credits for it.
    pub allowance: Credits,
    /// What comes after it.
    pub then: AfterTrial,
}

const MONTHS: Decimal = Decimal::from_parts(12, 0, 0, false, 0);

impl Plan {
    /// The price of a year; `None` if there is none for all accounts.
    #[must_use]
    pub fn yearly_price(&self) -> Option<Money> {
        let (Some(Set::To(price)), Some(yearly)) = (self.price, self.yearly) else {
            return None;
        };
        let exact = price
            .decimal()
            .checked_mul(MONTHS)?
            .checked_mul(yearly.off.left())?;
        Money::to_step(exact, yearly.round_to.decimal(), yearly.rounding)
    }

    /// The price of a year as it is shown for a month.
    #[must_use]
    pub fn yearly_price_a_month(&self) -> Option<Money> {
        let (year, yearly) = (self.yearly_price()?, self.yearly?);
        let step = yearly.round_to.decimal().checked_mul(MONTHS)?;
        let steps = divide(year.decimal(), step, 0, yearly.rounding)?;
        Money::to_step(
            steps.checked_mul(yearly.round_to.decimal())?,
            yearly.round_to.decimal(),
            Rounding::Down,
        )
    }
}

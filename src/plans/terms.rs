//! A plan as a subscriber agreed to it.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{
    credits::Credits,
    plan::{AfterTrial, CreditsOnUpgrade, Cycle, Gives, GrantOn, Term},
};

/// A plan with one way of paying, all that is set for each account resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Its name in the catalog.
    pub plan: String,
    /// The catalog's version.
    pub version: u32,
    /// Credits of a cycle.
    pub allowance: Credits,
    /// The cycle of one who does not pay by the year.
    pub cycle: Cycle,
    /// How often it is paid.
    pub paid_by: PaidBy,
    /// Money for what is paid at once, a cycle or a year, to the cent; 0: free.
    pub price: Decimal,
    /// Money for a cycle without what is off for paying by the year. Tells an upgrade from a downgrade.
    pub list_price: Decimal,
    /// When a cycle's credits come.
    pub grant_on: GrantOn,
    /// What becomes of a cycle's unused credits; `None`: breakage.
    pub rollover: Option<Rollover>,
    /// Which credits an upgrade to it grants.
    pub credits_on_upgrade: CreditsOnUpgrade,
    /// A time before the first payment.
    pub trial: Option<Trial>,
    /// The first subscription's payments come back within this time of the first of them; `None`: never.
    pub refund_within: Option<Term>,
    /// How long data is kept after the end; `None`: it is not said.
    pub retention: Option<Term>,
    /// What the account may do.
    pub gives: Gives,
    /// How far a commit and a reserve may go into debt once the subscription is over.
    pub debt_after: (Credits, Credits),
}

/// How often a subscription is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaidBy {
    /// With each cycle.
    Cycle,
    /// Once for twelve calendar months; credits still come with each month.
    Year,
}

/// Unused credits of a cycle live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollover {
    /// So long from the cycle's end.
    pub lasts: Term,
    /// At most so many of one cycle.
    pub cap: Option<Credits>,
}

/// A time for free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// So long.
    pub lasts: Term,
    /// Credits for it.
    pub allowance: Credits,
    /// What follows.
    pub then: AfterTrial,
}

impl Terms {
    /// The cycle, and how many of them are paid at once.
    #[must_use]
    pub const fn cycles(&self) -> (Cycle, u32) {
        match self.paid_by {
            PaidBy::Cycle => (self.cycle, 1),
            PaidBy::Year => (Cycle::CalendarMonth, 12),
        }
    }

    /// Nothing is paid for it.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.price.is_zero()
    }

    /// More is an upgrade: by the money of a day, then by the credits of a day, neither by the year's discount.
    #[must_use]
    pub fn rank(&self, other: &Self) -> Ordering {
        let (mine, others) = (length(self.cycle), length(other.cycle));
        let by = |a: Decimal, b: Decimal| (a * others).cmp(&(b * mine));
        by(self.list_price, other.list_price).then(by(
            self.allowance.to_decimal(),
            other.allowance.to_decimal(),
        ))
    }
}

/// In twelfths of a day, so that a month, the twelfth part of a year of 365 days, is a whole number.
fn length(cycle: Cycle) -> Decimal {
    Decimal::from(match cycle {
        Cycle::CalendarMonth => 365,
        Cycle::Days(days) => 12 * u64::from(days),
    })
}

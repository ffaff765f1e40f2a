//! What a step has others do, as data.

use rust_decimal::Decimal;

use super::{Period, Why};
use crate::domain::{account::Micros, credits::Credits};

/// One thing that became true of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its number in its subscription, from 1, without gaps: done once for each.
    pub number: u32,
    /// When it became true, which may be long before somebody looked.
    pub at: Micros,
    /// What.
    pub what: What,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The limits, features and caps of a plan hold from now.
    Plan {
        /// Its name.
        plan: String,
        /// The catalog's version.
        version: u32,
    },
    /// Credits.
    Grant(Grant),
    /// Grants end before their time: what is free of them at once, what is pinned when it comes back. Nothing rolls.
    End {
        /// Their ids.
        grants: Vec<String>,
        /// What becomes of the rest.
        as_: Ending,
    },
    /// Something for the payment side to know.
    Bill(Bill),
    /// The subscription is over. No plan holds any more but one that the product gives to all.
    Ended {
        /// Why.
        why: Why,
        /// Data may go from then on; `None`: it is not said.
        keep_data_until: Option<Micros>,
    },
}

/// What becomes of credits that end before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They were paid and not used.
    Breakage,
    /// As if never given: the money goes back.
    Revoked,
}

/// Credits of a cycle: an allowance, in the kind and priority of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// By subscription and cycle, for an upgrade also by its effect's number: the same again is one grant (G5).
    pub grant_id: String,
    /// The cycle's number; 0 is the trial.
    pub cycle: u32,
    /// How many; never 0 (A4).
    pub amount: Credits,
    /// From when.
    pub starts_at: Micros,
    /// Until the end of its cycle.
    pub expires_at: Micros,
    /// What becomes of the rest then (G2).
    pub rolls: Option<Rolls>,
}

/// What is unused at a grant's end lives on as a rollover grant, which does not roll again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolls {
    /// Until then; `None`: for ever.
    pub until: Option<Micros>,
    /// At most so many.
    pub cap: Option<Credits>,
}

/// Money to take or to give. It is only ever told: no credit depends on it but by a `Payment` that is told back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bill {
    /// A paid period has begun.
    Charge {
        /// The number of its first cycle, which the payment names.
        cycle: u32,
        /// Its bounds.
        period: Period,
        /// How much.
        amount: Decimal,
    },
    /// Another plan for the rest of the paid period.
    Change {
        /// The paid period's first cycle.
        cycle: u32,
        /// To give back: the old price for what is left of the period.
        credit: Decimal,
        /// To take: the new price for what is left of the period.
        charge: Decimal,
    },
    /// What was paid comes back.
    Refund {
        /// How much.
        amount: Decimal,
    },
}

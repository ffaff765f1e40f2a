//! The catalog: all that a product sells, as one value.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    amount::{Money, Percent},
    meter::{Meter, Pattern, Prices},
    plan::{Plan, Term},
    words::{Mode, Rounding, Stacking},
};
use crate::domain::credits::Credits;

/// What a product sells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Catalog {
    /// Its name.
    #[serde(rename = "catalog")]
    pub name: String,
    /// Of its money, as `USD`.
    pub currency: String,
    /// What a new account is.
    pub accounts: Accounts,
    /// What is counted.
    pub meters: BTreeMap<String, Meter>,
    /// Prices that an account may have instead, by name and meter.
    pub overrides: BTreeMap<String, BTreeMap<String, Prices>>,
    /// Whose prices those are: accounts, each with the name of its own.
    pub contracts: BTreeMap<String, String>,
    /// Plans.
    pub plans: BTreeMap<String, Plan>,
    /// Credits to buy, in fixed amounts.
    pub packs: BTreeMap<String, Pack>,
    /// How the two discounts of a pack come together.
    pub pack_discounts: Stacking,
    /// Credits to buy, in any amount.
    pub purchases: Option<Purchases>,
    /// How much an account may buy at once, by its trust tier.
    pub trust_tiers: BTreeMap<String, TrustTier>,
    /// Names that plans give and meters ask for.
    pub features: Vec<String>,
    /// Levels that plans bound, and their units.
    pub capacities: BTreeMap<String, String>,
    /// Resolutions, from the smallest; what is in one row is equally large.
    pub resolutions: Vec<Vec<Pattern>>,
}

/// What a new account is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accounts {
    /// Who pays first.
    pub mode: Mode,
    /// The plan that it has at once.
    pub plan: Option<String>,
    /// Without an active plan every reserve is refused.
    pub plan_required: bool,
    /// Credits that it gets once.
    pub welcome: Option<Welcome>,
}

/// Credits for a new account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Welcome {
    /// So many.
    pub credits: Credits,
    /// Until then.
    pub expires: Term,
}

/// Credits to buy at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pack {
    /// So many.
    pub credits: Credits,
    /// For so much.
    pub price: Money,
    /// Off the price.
    pub off: Percent,
    /// Until then.
    pub expires: Term,
    /// Whether it can be given back.
    pub refundable: bool,
}

/// Any amount of credits to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Purchases {
    /// At least.
    pub minimum: Credits,
    /// Money for a credit.
    pub price: Money,
    /// Until then.
    pub expires: Term,
    /// Whether they can be given back.
    pub refundable: bool,
}

/// A trust tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TrustTier {
    /// The most that is bought at once.
    pub maximum_purchase: Credits,
}

const CENT: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

impl Catalog {
    /// What a pack costs an account with this plan, or with none, to the cent, half a cent up. `None`: there is no such pack or plan.
    #[must_use]
    pub fn pack_price(&self, pack: &str, plan: Option<&str>) -> Option<Money> {
        let pack = self.packs.get(pack)?;
        let plan_off = match plan {
            Some(plan) => self.plans.get(plan)?.pack_off,
            None => Percent::ZERO,
        };
        let left = match self.pack_discounts {
            Stacking::Multiply => pack.off.left().checked_mul(plan_off.left())?,
            Stacking::Add => pack.off.plus(plan_off).left(),
            Stacking::Best => pack.off.max(plan_off).left(),
        };
        Money::to_step(
            pack.price.decimal().checked_mul(left)?,
            CENT,
            Rounding::HalfUp,
        )
    }
}

//! The arithmetic of one price: from a quantity to credits.
//!
//! Everything is exact until the amount is brought to the meter's decimal places, once, at the end. Where 28 digits do not
//! hold a number, the amount is far above what an account can hold, and is refused.

use rust_decimal::Decimal;

use crate::{
    domain::credits::Credits,
    pricing::{
        amount::{Quantity, divide},
        meter::{Meter, Price, Step},
        words::TierMode,
    },
};

/// The quantity that is charged: a multiple of the increment, unless that is counted exactly.
pub(super) fn charged(meter: &Meter, quantity: Quantity) -> Option<Quantity> {
    let Some(rounding) = meter.rounding else {
        return Some(quantity);
    };
    let increment = meter.increment.decimal();
    let increments = divide(quantity.decimal(), increment, 0, rounding)?;
    increments.checked_mul(increment).map(Quantity::of)
}

/// What a quantity can come to.
pub(super) struct Bounds {
    /// The least that the quantity costs.
    pub(super) minimum: Credits,
    /// The most that it, or less of it, costs.
    pub(super) maximum: Credits,
}

/// What a charged quantity costs.
pub(super) fn bounds(meter: &Meter, price: &Price, charged: Quantity) -> Option<Bounds> {
    let flat = |price: Credits| amount(meter, charged.decimal().checked_mul(price.to_decimal())?);
    let (minimum, maximum) = match price {
        Price::Flat(price) => (flat(*price)?, flat(*price)?),
        Price::Range { min, max } => (flat(*min)?, flat(*max)?),
        Price::Tiers { mode, steps } => {
            let at = |charged| tiered(meter, *mode, steps, charged);
            let exact = at(charged.decimal())?;
            let mut most = exact;
            // With volume tiers a little less, at the dearer tier's end, can cost more.
            let ends = steps.iter().filter_map(|step| step.up_to);
            for end in ends.filter(|end| *end < charged) {
                most = most.max(at(end.decimal())?);
            }
            (exact, most)
        }
    };
    Some(Bounds { minimum, maximum })
}

fn tiered(meter: &Meter, mode: TierMode, steps: &[Step], charged: Decimal) -> Option<Credits> {
    let mut sum = Decimal::ZERO;
    let mut start = Decimal::ZERO;
    for step in steps {
        let end = step.up_to.map_or(charged, |end| end.decimal().min(charged));
        let last = step.up_to.is_none_or(|end| charged <= end.decimal());
        let units = match mode {
            TierMode::Graduated => end - start,
            TierMode::Volume if last => charged,
            TierMode::Volume => Decimal::ZERO,
        };
        sum = sum.checked_add(units.checked_mul(step.price.to_decimal())?)?;
        if last {
            break;
        }
        start = end;
    }
    amount(meter, sum)
}

/// Prices are for an increment, so the sum of units and prices is divided by it.
fn amount(meter: &Meter, sum: Decimal) -> Option<Credits> {
    let increment = meter.increment.decimal();
    let exact = divide(sum, increment, meter.decimals, meter.amount_rounding)?;
    Credits::from_decimal(exact).filter(|amount| *amount <= Credits::MAX)
}

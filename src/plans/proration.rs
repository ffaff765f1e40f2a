//! The part of a whole that belongs to the rest of a period.
//!
//! In integers, so that only the named rounding ever cuts. What was used is the whole less what is left, so the two always
//! sum to the whole, however often a period is cut.

use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::Period;
use crate::domain::{account::Micros, credits::Credits};

/// Decimal places of money.
const CENTS: u32 = 2;

/// Money for what is left of a period, by its microseconds, to the cent, half a cent up.
#[must_use]
pub fn money_left(price: Decimal, period: Period, at: Micros) -> Decimal {
    let (left, whole) = parts(period, at);
    let cents = (price * Decimal::ONE_HUNDRED).to_i128().unwrap_or(0);
    Decimal::from_i128_with_scale((2 * cents * left + whole) / (2 * whole), CENTS).normalize()
}

/// Credits for what is left of a period, by its microseconds, down to the micro-credit: grants of one period never sum to more
/// than its whole.
#[must_use]
pub fn credits_left(amount: Credits, period: Period, at: Micros) -> Credits {
    let (left, whole) = parts(period, at);
    let micro = i128::from(amount.micro()) * left / whole;
    Credits::from_micro(i64::try_from(micro).unwrap_or(0))
}

/// What is left, and the whole; a period without length is left whole.
fn parts(period: Period, at: Micros) -> (i128, i128) {
    let whole = i128::from(period.until) - i128::from(period.from);
    let left = i128::from(period.until) - i128::from(at);
    if whole <= 0 {
        return (1, 1);
    }
    (left.clamp(0, whole), whole)
}

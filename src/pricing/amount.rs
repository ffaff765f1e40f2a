//! Quantities, money and percentages: exact decimals that no float ever was.

use std::fmt;

use rust_decimal::Decimal;

use super::words::Rounding;
use crate::domain::credits::{Credits, CreditsError};

/// Decimal places of credits and quantities.
pub const DECIMALS: u32 = 6;
/// Decimal places of money.
const CENTS: u32 = 2;

/// So much of a meter's unit: not negative, at most 9,000,000,000, at most six decimal places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(Decimal);

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Reads the form of an amount of credits.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, CreditsError> {
        Credits::parse(text).map(|same| Self(same.to_decimal()))
    }

    /// From micro-units, as `Credits` counts; `None` if negative or above the maximum.
    #[must_use]
    pub fn from_micro(micro: i64) -> Option<Self> {
        (0..=Credits::MAX.micro())
            .contains(&micro)
            .then(|| Self(Decimal::new(micro, DECIMALS)))
    }

    /// The number.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// Both; `None` above the maximum.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let sum = self.0 + other.0;
        (sum <= Credits::MAX.to_decimal()).then_some(Self(sum))
    }

    /// A number that is known to be a quantity.
    pub(super) const fn of(decimal: Decimal) -> Self {
        Self(decimal)
    }
}

/// Money in the catalog's currency, to the cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(Decimal);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Reads `29` or `29.90`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let money = Credits::parse(text).ok()?.to_decimal().normalize();
        (money.scale() <= CENTS).then_some(Self(money))
    }

    /// The number.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// To a multiple of `step`. Prices are far below what would overflow.
    #[must_use]
    pub fn to_step(exact: Decimal, step: Decimal, rounding: Rounding) -> Option<Self> {
        let steps = divide(exact, step, 0, rounding)?;
        Some(Self(steps.checked_mul(step)?.normalize()))
    }
}

/// From 0% to 100%, at most two decimal places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(Decimal);

impl Percent {
    /// Nothing off.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Reads `18%`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Money(number) = Money::parse(text.strip_suffix('%')?)?;
        (number <= Decimal::ONE_HUNDRED).then_some(Self(number))
    }

    /// What is left of one when this is taken off.
    #[must_use]
    pub fn left(self) -> Decimal {
        Decimal::ONE - self.0 / Decimal::ONE_HUNDRED
    }

    /// Both off together, at most everything.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Decimal::ONE_HUNDRED))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0.normalize())
    }
}

as_text! { Quantity Money Percent }

/// `a / b` at `decimals` places, for `a >= 0` and `b > 0`; `None` where 28 digits do not hold it.
///
/// Decimal's own quotient is already rounded at its last digit, and rounding it again could cross a step; so the quotient
/// is cut, and the remainder, which is exact, decides.
pub(super) fn divide(a: Decimal, b: Decimal, decimals: u32, rounding: Rounding) -> Option<Decimal> {
    let step = Decimal::new(1, decimals);
    let mut quotient = a.checked_div(b)?.trunc_with_scale(decimals);
    let mut rest = a.checked_sub(quotient.checked_mul(b)?)?;
    if rest.is_sign_negative() && !rest.is_zero() {
        quotient = quotient.checked_sub(step)?;
        rest = rest.checked_add(step.checked_mul(b)?)?;
    }
    let twice = rest.checked_mul(Decimal::TWO)?;
    let whole = step.checked_mul(b)?;
    let even = || (quotient / step % Decimal::TWO).is_zero();
    let up = match rounding {
        Rounding::Up => !rest.is_zero(),
        Rounding::Down => false,
        Rounding::HalfUp => twice >= whole,
        Rounding::HalfEven => twice > whole || (twice == whole && !even()),
    };
    if up {
        quotient.checked_add(step)
    } else {
        Some(quotient)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pricing::words::Word;

    #[test]
    fn the_middle_goes_where_the_rounding_says() {
        use Rounding::{Down, HalfEven, HalfUp, Up};
        for (a, b, decimals, up, down, half_up, half_even) in [
            ("1", "2", 0, "1", "0", "1", "0"),
            ("3", "2", 0, "2", "1", "2", "2"),
            ("5", "2", 0, "3", "2", "3", "2"),
            ("1", "3", 6, "0.333334", "0.333333", "0.333333", "0.333333"),
            ("2", "3", 6, "0.666667", "0.666666", "0.666667", "0.666667"),
            ("30.001", "30", 0, "2", "1", "1", "1"),
            ("60", "30", 0, "2", "2", "2", "2"),
        ] {
            let number = |text: &str| Quantity::parse(text).expect(text).decimal();
            for (rounding, expected) in [
                (Up, up),
                (Down, down),
                (HalfUp, half_up),
                (HalfEven, half_even),
            ] {
                let found = divide(number(a), number(b), decimals, rounding);
                assert_eq!(
                    found,
                    Some(number(expected)),
                    "{a} / {b} {}",
                    rounding.word()
                );
            }
        }
    }

    /// 28 digits do not hold a third less than this, and what is rounded up must not count as reached.
    #[test]
    fn a_quotient_that_was_rounded_up_is_taken_back() {
        let whole = Decimal::from_i128_with_scale(26_000_000_000_000_000_000_000_000_000, 0);
        let three = Decimal::from(3);
        let below = whole * three - Decimal::ONE;
        assert_eq!(
            divide(below, three, 0, Rounding::Down),
            Some(whole - Decimal::ONE)
        );
        assert_eq!(divide(below, three, 0, Rounding::HalfEven), Some(whole));
    }

    proptest! {
        /// Against integers, which never round by themselves: the largest sum of quantities and prices, and any increment.
        #[test]
        fn dividing_is_what_integers_say(
            a in 0_i128..=9_000_000_000_000_000_000_000_000_000,
            b in 1_i64..=1_000_000_000_000,
            decimals in 0_u32..=6,
        ) {
            let dividend = Decimal::from_i128_with_scale(a, 12);
            let divisor = Decimal::new(b, 6);
            let (top, bottom) = (a * 10_i128.pow(decimals), i128::from(b) * 1_000_000);
            let (floor, rest) = (top / bottom, top % bottom);
            for rounding in Rounding::ALL {
                let up = match rounding {
                    Rounding::Up => rest > 0,
                    Rounding::Down => false,
                    Rounding::HalfUp => rest * 2 >= bottom,
                    Rounding::HalfEven => rest * 2 > bottom || (rest * 2 == bottom && floor % 2 == 1),
                };
                let expected = Decimal::from_i128_with_scale(floor + i128::from(up), decimals);
                prop_assert_eq!(divide(dividend, divisor, decimals, *rounding), Some(expected));
            }
        }
    }
}

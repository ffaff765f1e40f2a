//! Amounts of credits: micro-credits in an `i64` inside, decimal strings at the edges (A1, A3).

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;

/// Micro-credits in a credit.
const MICRO: i64 = 1_000_000;

/// An amount of credits, exact to the sixth decimal place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

/// Why a string is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditsError {
    /// Not of the form.
    #[error(
        "must be a decimal number of credits like \"12\" or \"0.25\", with at most 10 digits before the point and no sign"
    )]
    Form,
    /// More than six decimal places.
    #[error("has more than 6 decimal places; amounts are never rounded")]
    Precision,
    /// More than [`Credits::MAX`].
    #[error("is more than 9000000000")]
    Range,
}

impl Credits {
    /// Nothing.
    pub const ZERO: Credits = Credits(0);
    /// The most that an account can hold and a request can name (A2): 9,000,000,000 credits, below 2^53 micro-credits.
    pub const MAX: Credits = Credits(9_000_000_000 * MICRO);

    /// From micro-credits.
    #[must_use]
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro)
    }

    /// In micro-credits.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// Reads `[0-9]{1,10}(\.[0-9]{1,6})?`, at most [`Credits::MAX`].
    ///
    /// # Errors
    /// What is wrong with the string.
    pub fn parse(text: &str) -> Result<Self, CreditsError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || whole.len() > 10 || fraction.is_some_and(|f| !digits(f)) {
            return Err(CreditsError::Form);
        }
        let fraction = fraction.unwrap_or("0");
        if fraction.len() > 6 {
            return Err(CreditsError::Precision);
        }
        // Both fit: at most 10 and 6 digits.
        let whole: i64 = whole.parse().map_err(|_| CreditsError::Form)?;
        let micro: i64 = format!("{fraction:0<6}")
            .parse()
            .map_err(|_| CreditsError::Form)?;
        let amount = Self(whole * MICRO + micro);
        if amount > Self::MAX {
            return Err(CreditsError::Range);
        }
        Ok(amount)
    }

    /// As Postgres keeps it: `NUMERIC(20,6)`.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 6)
    }

    /// From what Postgres keeps; `None` when it is finer than a micro-credit or out of range.
    #[must_use]
    pub fn from_decimal(value: Decimal) -> Option<Self> {
        let micro = value.checked_mul(Decimal::from(MICRO))?;
        if !micro.is_integer() {
            return None;
        }
        i64::try_from(micro.trunc().mantissa() / 10_i128.pow(micro.trunc().scale()))
            .ok()
            .map(Self)
    }
}

impl std::ops::Add for Credits {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for Credits {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::ops::AddAssign for Credits {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl std::iter::Sum for Credits {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |a, b| a + b)
    }
}

/// As answered: no trailing zeros, `-` only when negative.
impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, micro) = (
            self.0.unsigned_abs() / MICRO.unsigned_abs(),
            self.0.unsigned_abs() % MICRO.unsigned_abs(),
        );
        let sign = if self.0 < 0 { "-" } else { "" };
        if micro == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{micro:06}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl FromStr for Credits {
    type Err = CreditsError;
    fn from_str(text: &str) -> Result<Self, CreditsError> {
        Self::parse(text)
    }
}

as_text! { Credits }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a1_reads_and_writes_the_decimal_form() {
        for (text, micro, out) in [
            ("0", 0, "0"),
            ("12", 12_000_000, "12"),
            ("0.000001", 1, "0.000001"),
            ("1.50", 1_500_000, "1.5"),
            ("9000000000", 9_000_000_000_000_000, "9000000000"),
            ("0000000007.1", 7_100_000, "7.1"),
        ] {
            let credits = Credits::parse(text).expect(text);
            assert_eq!(
                (credits.micro(), credits.to_string().as_str()),
                (micro, out)
            );
            assert_eq!(Credits::from_decimal(credits.to_decimal()), Some(credits));
        }
        assert_eq!(Credits::from_micro(-1_230_000).to_string(), "-1.23");
    }

    #[test]
    fn a3_refuses_what_it_would_have_to_round_or_guess() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "0x10",
            " 1",
            "1 ",
            "1,5",
            "12345678901",
            "１",
        ] {
            assert_eq!(Credits::parse(text), Err(CreditsError::Form), "{text}");
        }
        assert_eq!(Credits::parse("0.0000001"), Err(CreditsError::Precision));
        assert_eq!(
            Credits::parse("9000000000.000001"),
            Err(CreditsError::Range)
        );
        assert_eq!(Credits::from_decimal(Decimal::new(1, 7)), None);
    }
}

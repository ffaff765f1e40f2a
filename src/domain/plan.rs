//! The words that a plan is made of, and their arithmetic by the calendar.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{Span, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{account::Micros, credits::Credits};

/// 24 hours.
pub const DAY: Micros = 86_400_000_000;

/// How long a cycle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// The same day of each month; the 31st is the last day of a shorter one and comes back.
    CalendarMonth,
    /// So many days from the subscribe instant.
    Days(u32),
}

impl Cycle {
    /// When the cycle starts that has so many others between it and the anchor. Each is counted from the anchor and not from the
    /// one before, so that a short month moves no later one. Of no days there is none: it would never end.
    #[must_use]
    pub fn start(self, anchor: Micros, cycles: u32) -> Micros {
        match self {
            Self::CalendarMonth => months_after(anchor, i64::from(cycles)),
            Self::Days(days) => {
                let days = i64::from(days.max(1));
                days_after(anchor, days.saturating_mul(i64::from(cycles)))
            }
        }
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CalendarMonth => f.write_str("calendar_month"),
            Self::Days(days) => write!(f, "days({days})"),
        }
    }
}

impl FromStr for Cycle {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        let days = || counted(text, "days").map(Self::Days);
        let month = (text == "calendar_month").then_some(Self::CalendarMonth);
        month.or_else(days).ok_or(NoWord)
    }
}

/// A length of time by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// So many times 24 hours.
    Days(u32),
    /// The same day so many years later; 29 February is the 28th.
    Years(u32),
    /// No end.
    Never,
}

impl Term {
    /// Its end, if it starts at an instant; `None`: it has none.
    #[must_use]
    pub fn after(self, from: Micros) -> Option<Micros> {
        match self {
            Self::Days(days) => Some(days_after(from, i64::from(days))),
            Self::Years(years) => Some(months_after(from, i64::from(years) * 12)),
            Self::Never => None,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "days({days})"),
            Self::Years(years) => write!(f, "years({years})"),
            Self::Never => f.write_str("never"),
        }
    }
}

impl FromStr for Term {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        let days = || counted(text, "days").map(Self::Days);
        let years = || counted(text, "years").map(Self::Years);
        let never = (text == "never").then_some(Self::Never);
        never.or_else(days).or_else(years).ok_or(NoWord)
    }
}

/// A text that is none of the words that are written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no cycle and no length of time")]
pub struct NoWord;

/// `days(30)`.
fn counted(text: &str, unit: &str) -> Option<u32> {
    let digits = text
        .strip_prefix(unit)?
        .strip_prefix('(')?
        .strip_suffix(')')?;
    digits.parse().ok()
}

as_text! { Cycle Term }

/// What an account may do under a plan. A value of 0, or an empty list of resolutions, bounds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gives {
    /// The most open holds.
    pub concurrency: u32,
    /// The longest job, in microseconds.
    pub duration: Micros,
    /// The resolutions that a job may have, as the catalog writes them.
    pub resolutions: Vec<String>,
    /// The features that a job may use.
    pub features: Vec<String>,
    /// The most of each level, in millionths of its unit.
    pub capacities: BTreeMap<String, i64>,
    /// The most that may be spent in an hour, a day and a month.
    #[serde(default)]
    pub spend_caps: [Option<Credits>; 3],
    /// The same of each value of a label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub label_caps: BTreeMap<String, [Option<Credits>; 3]>,
    /// A commit above its hold is refused, where the reserve does not say what it does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejects_overage: bool,
    /// The most debt that a commit may make.
    pub overdraft_limit: Credits,
    /// How far a reserve may go beyond the credits.
    pub credit_limit: Credits,
}

/// What was spent, as far as spend caps hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// A label; empty: the account as a whole.
    pub label: String,
    /// Its value.
    pub value: String,
    /// The last hour, day and month in which something was, and how much.
    pub windows: [(Micros, Credits); 3],
}

/// When a renewal's credits are granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GrantOn {
    /// At the renewal.
    #[serde(rename = "renewal")]
    Renewal,
    /// When the payment for it has come in.
    #[serde(rename = "payment")]
    Payment,
}

/// Which credits an upgrade grants at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CreditsOnUpgrade {
    /// The difference of the allowances, for what is left of the cycle.
    #[serde(rename = "prorated_difference")]
    ProratedDifference,
    /// The difference of the allowances.
    #[serde(rename = "difference")]
    Difference,
    /// The new allowance.
    #[serde(rename = "full")]
    Full,
    /// Nothing before the next renewal.
    #[serde(rename = "none")]
    None,
}

/// What comes after a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AfterTrial {
    /// The first paid period.
    #[serde(rename = "convert")]
    Convert,
    /// Nothing.
    #[serde(rename = "end")]
    End,
}

fn days_after(from: Micros, days: i64) -> Micros {
    let later = from.saturating_add(days.saturating_mul(DAY));
    Timestamp::from_microsecond(later).map_or(Micros::MAX, Timestamp::as_microsecond)
}

/// The same day and time of day in UTC so many months later, or the last day of a month that is too short. Behind the
/// calendar's end, in the year 9999, it is never, as for days.
fn months_after(from: Micros, months: i64) -> Micros {
    let later = || {
        let start = Timestamp::from_microsecond(from).ok()?;
        let span = Span::new().try_months(months).ok()?;
        let day = TimeZone::UTC.to_datetime(start).checked_add(span).ok()?;
        Some(TimeZone::UTC.to_timestamp(day).ok()?.as_microsecond())
    };
    later().unwrap_or(Micros::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        let instant: Timestamp = text.parse().expect(text);
        instant.as_microsecond()
    }

    #[test]
    fn the_31st_is_clamped_and_comes_back() {
        let anchor = at("2027-01-31T23:59:59.999999Z");
        for (cycles, expected) in [
            (0, "2027-01-31"),
            (1, "2027-02-28"),
            (2, "2027-03-31"),
            (3, "2027-04-30"),
            (13, "2028-02-29"),
            (14, "2028-03-31"),
        ] {
            let expected = at(&format!("{expected}T23:59:59.999999Z"));
            assert_eq!(Cycle::CalendarMonth.start(anchor, cycles), expected);
        }
    }

    #[test]
    fn the_29th_of_february_is_the_28th_in_other_years() {
        let from = at("2028-02-29T00:00:00Z");
        for (years, expected) in [(1, "2029-02-28"), (3, "2031-02-28"), (4, "2032-02-29")] {
            let expected = at(&format!("{expected}T00:00:00Z"));
            assert_eq!(Term::Years(years).after(from), Some(expected));
        }
    }

    #[test]
    fn days_are_24_hours_whatever_the_month() {
        let from = at("2027-01-31T12:00:00Z");
        let expected = at("2027-03-02T12:00:00Z");
        assert_eq!(Cycle::Days(30).start(from, 1), expected);
        assert_eq!(Term::Days(30).after(from), Some(expected));
        assert_eq!(Term::Never.after(from), None);
        assert_eq!(Cycle::Days(0).start(from, 3), from + 3 * DAY);
    }

    #[test]
    fn behind_the_calendar_is_never() {
        let from = at("9999-06-01T00:00:00Z");
        assert_eq!(Cycle::CalendarMonth.start(from, 12), Micros::MAX);
        assert_eq!(Cycle::Days(u32::MAX).start(from, u32::MAX), Micros::MAX);
        assert_eq!(Term::Days(366).after(from), Some(Micros::MAX));
    }
}

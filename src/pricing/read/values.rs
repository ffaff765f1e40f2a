//! The forms of single values, each with what is allowed.

use super::{
    super::{
        amount::{Money, Percent, Quantity},
        plan::{Cycle, Set, Term},
        words::Word,
        yaml::{Node, Value},
    },
    Reader,
    names::nearest,
};
use crate::domain::credits::Credits;

const DAYS_MAX: u32 = 3660;
const YEARS_MAX: u32 = 10;

impl Reader {
    pub(super) fn credits(&mut self, node: &Node, name: &str) -> Option<Credits> {
        self.read(node, name, |text| {
            Credits::parse(text).map_err(|why| why.to_string())
        })
    }

    pub(super) fn some_credits(&mut self, node: &Node, name: &str) -> Option<Credits> {
        let credits = self.credits(node, name)?;
        if credits == Credits::ZERO {
            self.wrong(
                node.place,
                format!("{name}: \"0\" is not more than nothing"),
            );
            return None;
        }
        Some(credits)
    }

    pub(super) fn quantity(&mut self, node: &Node, name: &str) -> Option<Quantity> {
        self.read(node, name, |text| {
            Quantity::parse(text).map_err(|why| {
                why.to_string()
                    .replace("number of credits", "number")
                    .replace("amounts are", "numbers are")
            })
        })
    }

    pub(super) fn money(&mut self, node: &Node, name: &str) -> Option<Money> {
        self.read(node, name, |text| {
            Money::parse(text).ok_or_else(|| "is not money: a number like 29 or 29.90, with at most 2 decimal places and no sign".to_owned())
        })
    }

    pub(super) fn percent(&mut self, node: &Node, name: &str) -> Option<Percent> {
        self.read(node, name, |text| {
            Percent::parse(text).ok_or_else(|| {
                "is not a percentage: write 18%, from 0% to 100%, with at most 2 decimal places"
                    .to_owned()
            })
        })
    }

    pub(super) fn whole(&mut self, node: &Node, name: &str, min: u32, max: u32) -> Option<u32> {
        self.read(node, name, |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text
                .parse()
                .ok()
                .filter(|number| digits && (min..=max).contains(number));
            number.ok_or_else(|| format!("is not a whole number from {min} to {max}"))
        })
    }

    pub(super) fn yes(&mut self, node: &Node, name: &str) -> Option<bool> {
        self.read(node, name, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("is neither true nor false".to_owned()),
        })
    }

    pub(super) fn word<T: Word>(&mut self, node: &Node, name: &str) -> Option<T> {
        self.read(node, name, |text| {
            let found = T::ALL.iter().copied().find(|value| value.word() == text);
            found.ok_or_else(|| not_one_of(text, T::ALL.iter().map(|value| value.word())))
        })
    }

    /// A word, or one that stands for none of them.
    pub(super) fn word_or<T: Word>(
        &mut self,
        node: &Node,
        name: &str,
        none: &'static str,
    ) -> Option<Option<T>> {
        self.read(node, name, |text| {
            let found = T::ALL.iter().copied().find(|value| value.word() == text);
            match found {
                None if text != none => {
                    let words = T::ALL.iter().map(|value| value.word());
                    Err(not_one_of(text, words.chain([none])))
                }
                found => Ok(found),
            }
        })
    }

    pub(super) fn term(&mut self, node: &Node, name: &str) -> Option<Term> {
        self.read(node, name, |text| {
            let days = counted(text, "days", DAYS_MAX).map(Term::Days);
            let years = counted(text, "years", YEARS_MAX).map(Term::Years);
            let never = (text == "never").then_some(Term::Never);
            days.or(years).or(never).ok_or_else(|| {
                format!("is no length of time: days(1) to days({DAYS_MAX}), years(1) to years({YEARS_MAX}), or never")
            })
        })
    }

    pub(super) fn days(&mut self, node: &Node, name: &str) -> Option<Term> {
        self.read(node, name, |text| {
            let days = counted(text, "days", DAYS_MAX).map(Term::Days);
            days.ok_or_else(|| format!("is no number of days: days(1) to days({DAYS_MAX})"))
        })
    }

    pub(super) fn cycle(&mut self, node: &Node, name: &str) -> Option<Cycle> {
        self.read(node, name, |text| {
            let month = (text == "calendar_month").then_some(Cycle::CalendarMonth);
            let days = counted(text, "days", 366).map(Cycle::Days);
            month
                .or(days)
                .ok_or_else(|| "is no cycle: calendar_month, or days(1) to days(366)".to_owned())
        })
    }

    /// Seconds, with their unit.
    pub(super) fn seconds(&mut self, node: &Node, name: &str) -> Option<Quantity> {
        self.read(node, name, |text| {
            let units = [("s", 1), ("m", 60), ("h", 3600)];
            let found = units.iter().find_map(|(unit, seconds)| {
                let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
                Quantity::from_micro(number.checked_mul(seconds * 1_000_000)?)
            });
            found.filter(|it| *it > Quantity::ZERO).ok_or_else(|| {
                "is no duration: a whole number and s, m or h, as 90s or 10m".to_owned()
            })
        })
    }

    /// For all accounts, or `per_account`.
    pub(super) fn set<T>(
        &mut self,
        node: &Node,
        name: &str,
        read: impl FnOnce(&mut Self, &Node, &str) -> Option<T>,
    ) -> Option<Set<T>> {
        if node.value == Value::Scalar("per_account".to_owned()) {
            return Some(Set::PerAccount);
        }
        read(self, node, name).map(Set::To)
    }

    /// Any text of one line that is not too long to show.
    pub(super) fn label(&mut self, node: &Node, name: &str) -> Option<String> {
        self.read(node, name, |text| {
            let short = text.chars().count() <= 200 && !text.chars().any(char::is_control);
            short
                .then(|| text.to_owned())
                .ok_or_else(|| "is not one line of at most 200 characters".to_owned())
        })
    }
}

/// `days(30)`.
fn counted(text: &str, unit: &str, max: u32) -> Option<u32> {
    let digits = text
        .strip_prefix(unit)?
        .strip_prefix('(')?
        .strip_suffix(')')?;
    let number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?;
    number.filter(|number| (1..=max).contains(number))
}

fn not_one_of(text: &str, words: impl Iterator<Item = &'static str> + Clone) -> String {
    let near = nearest(text, words.clone());
    let all: Vec<_> = words.collect();
    format!("is not one of {}{near}", all.join(", "))
}

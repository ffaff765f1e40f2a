//! Requests into domain values: every field checked against its bound in `proto/`, all violations listed at once.

use std::collections::HashMap;

use tonic::Status;
use tonic_types::FieldViolation;

use super::status;
use crate::{
    domain::{account::Micros, credits::Credits},
    holds::step::PLAN_GRANT,
    pricing::quote::Problems,
    proto::Durability,
};

/// 2200-01-01T00:00:00Z.
const LAST_INSTANT: Micros = 7_258_118_400_000_000;
/// Microseconds in a second.
pub const SECOND: Micros = 1_000_000;
/// Microseconds in a day.
pub const DAY: Micros = 86_400 * SECOND;

const ACCOUNT_ID: &str = "must match [A-Za-z0-9._-]{1,64}";
const ID: &str = "must match [A-Za-z0-9][A-Za-z0-9._:/@+=#-]{0,127}";
const LABELS_MAX: usize = 16;
const LABELS_BYTES_MAX: usize = 1024;
const PAGE_MAX: u32 = 1000;
const PAGE_DEFAULT: u32 = 100;

/// Collects violations while a request is read.
#[derive(Default)]
pub struct Fields(Vec<FieldViolation>);

fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.as_bytes()[0].is_ascii_alphanumeric()
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:/@+=#-".contains(&b))
}

impl Fields {
    /// Notes a violation.
    pub fn violation(&mut self, field: &str, what: impl Into<String>) {
        self.0.push(FieldViolation::new(field, what));
    }

    /// How many violations have been noted so far.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Refuses the request if anything was noted.
    ///
    /// # Errors
    /// INVALID with all violations.
    pub fn finish(self) -> Result<(), Status> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.refusal())
        }
    }

    /// The refusal for what was noted.
    #[must_use]
    pub fn refusal(self) -> Status {
        status::invalid(self.0)
    }

    /// Notes why a usage has no price; `list` is where the request has its items.
    pub fn problems(&mut self, list: &str, Problems(problems): Problems) {
        for problem in problems {
            let field = problem.field.replacen("usage", list, 1);
            self.violation(&field, problem.what);
        }
    }

    /// An account id.
    pub fn account_id(&mut self, id: &str) {
        let ok = (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !ok {
            self.violation("account_id", ACCOUNT_ID);
        }
    }

    /// A caller's id.
    pub fn id(&mut self, field: &str, id: &str) {
        if !is_id(id) {
            self.violation(field, ID);
        }
    }

    /// A grant's id, also of one that Holdbook made.
    pub fn any_grant_id(&mut self, id: &str) {
        let rest = id.strip_prefix("~rollover:").unwrap_or(id);
        let of_plan = rest.strip_prefix(PLAN_GRANT);
        let rest = rest.strip_prefix("~refund:").unwrap_or(rest);
        // A cycle, and the subscription's id.
        let fits = rest == "~welcome"
            || of_plan.map_or(is_id(rest), |rest| {
                let parts = rest.split_once(':');
                parts.is_some_and(|(cycle, subscription)| is_id(cycle) && is_id(subscription))
            });
        if !fits {
            self.violation(
                "grant_id",
                format!("{ID}, or be the id of a grant that Holdbook made"),
            );
        }
    }

    /// An amount; `zero` says whether 0 is allowed.
    pub fn amount(&mut self, field: &str, text: &str, zero: bool) -> Credits {
        match Credits::parse(text) {
            Ok(Credits::ZERO) if !zero => self.violation(field, "must be more than 0"),
            Ok(amount) => return amount,
            Err(error) => self.violation(field, error.to_string()),
        }
        Credits::ZERO
    }

    /// An optional amount.
    pub fn optional_amount(
        &mut self,
        field: &str,
        text: Option<&String>,
        zero: bool,
    ) -> Option<Credits> {
        text.map(|text| self.amount(field, text, zero))
    }

    /// A duration between two bounds in microseconds, both included.
    pub fn duration(
        &mut self,
        field: &str,
        duration: Option<prost_types::Duration>,
        least: Micros,
        most: Micros,
    ) -> Option<Micros> {
        let duration = duration?;
        let micros = duration
            .seconds
            .checked_mul(SECOND)
            .and_then(|seconds| seconds.checked_add(i64::from(duration.nanos) / 1000))
            .filter(|micros| (least..=most).contains(micros));
        if micros.is_none()
            || !(0..1_000_000_000).contains(&duration.nanos)
            || duration.nanos % 1000 != 0
        {
            let (least, most) = (seconds(least), seconds(most));
            self.violation(
                field,
                format!("must be between {least} and {most} seconds, in whole microseconds"),
            );
            return None;
        }
        micros
    }

    /// An instant.
    pub fn instant(
        &mut self,
        field: &str,
        instant: Option<prost_types::Timestamp>,
    ) -> Option<Micros> {
        let instant = instant?;
        let micros = instant
            .seconds
            .checked_mul(SECOND)
            .map(|seconds| seconds + i64::from(instant.nanos) / 1000);
        let whole = (0..1_000_000_000).contains(&instant.nanos) && instant.nanos % 1000 == 0;
        match micros.filter(|micros| whole && (0..=LAST_INSTANT).contains(micros)) {
            Some(micros) => Some(micros),
            None => {
                self.violation(
                    field,
                    "must be between 1970-01-01 and 2200-01-01, in whole microseconds",
                );
                None
            }
        }
    }

    /// Labels, sorted by key.
    pub fn labels(&mut self, labels: &HashMap<String, String>) -> Vec<(String, String)> {
        let mut list: Vec<_> = labels
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        list.sort_unstable();
        let bytes: usize = list
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        let fits = |(key, value): &(String, String)| {
            (1..=63).contains(&key.len())
                && value.len() <= 255
                && !key.chars().chain(value.chars()).any(char::is_control)
        };
        if list.len() > LABELS_MAX || bytes > LABELS_BYTES_MAX || !list.iter().all(fits) {
            self.violation(
                "labels",
                "must be at most 16 and 1024 bytes in all, keys of 1 to 63 bytes, values up to 255, without control characters",
            );
        }
        list
    }

    /// A text of bounded length without control characters.
    pub fn text(&mut self, field: &str, text: &str, bytes_max: usize) {
        if text.len() > bytes_max || text.chars().any(char::is_control) {
            self.violation(
                field,
                format!("must be at most {bytes_max} bytes without control characters"),
            );
        }
    }

    /// A number of an enumeration; `None` if it is 0 and that is allowed.
    pub fn choice<E: TryFrom<i32>>(
        &mut self,
        field: &str,
        number: i32,
        zero: bool,
        allowed: &str,
    ) -> Option<E> {
        match E::try_from(number) {
            Ok(_) if number == 0 && zero => None,
            Ok(value) if number != 0 => Some(value),
            _ => {
                self.violation(field, format!("must be {allowed}"));
                None
            }
        }
    }

    /// What the caller wants to wait for.
    pub fn durability(&mut self, number: i32, default: Durability) -> Durability {
        self.choice("durability", number, true, "APPLIED or LEDGER, or absent")
            .unwrap_or(default)
    }

    /// A page's size.
    pub fn page_size(&mut self, size: u32) -> u32 {
        if size > PAGE_MAX {
            self.violation("page_size", "must be between 1 and 1000, or absent");
        }
        if size == 0 { PAGE_DEFAULT } else { size }
    }

    /// A page token: the key of the last row before the page, as numbers; `None` for the first page.
    pub fn page_token<const N: usize>(&mut self, token: &str) -> Option<[u64; N]> {
        if token.is_empty() {
            return None;
        }
        let parts: Option<Vec<u64>> = token
            .split('.')
            .map(|part| u64::from_str_radix(part, 16).ok())
            .collect();
        let key = parts.and_then(|parts| <[u64; N]>::try_from(parts).ok());
        if key.is_none() {
            self.violation(
                "page_token",
                "must be the next_page_token of the answer before",
            );
        }
        key
    }
}

/// The token of the page after the row with this key.
#[must_use]
pub fn next_page_token<const N: usize>(key: [u64; N]) -> String {
    key.map(|part| format!("{part:x}")).join(".")
}

/// Microseconds as decimal seconds.
#[must_use]
pub fn seconds(micros: Micros) -> String {
    // A micro-credit is to a credit what a microsecond is to a second.
    Credits::from_micro(micros).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_listed() {
        let mut fields = Fields::default();
        fields.account_id("no spaces");
        fields.id("hold_id", "-starts-badly");
        fields.amount("amount", "0", false);
        fields.duration(
            "ttl",
            Some(prost_types::Duration {
                seconds: 0,
                nanos: 1,
            }),
            1000,
            SECOND,
        );
        fields.instant(
            "starts_at",
            Some(prost_types::Timestamp {
                seconds: -1,
                nanos: 0,
            }),
        );
        fields.text("provider", "a\nb", 64);
        fields.page_size(1001);
        fields.page_token::<2>("1");
        fields.durability(9, Durability::Applied);
        let names: Vec<_> = fields
            .0
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        let expected = [
            "account_id",
            "hold_id",
            "amount",
            "ttl",
            "starts_at",
            "provider",
            "page_size",
            "page_token",
            "durability",
        ];
        assert_eq!(names, expected);
        assert!(fields.finish().is_err());
    }

    #[test]
    fn page_tokens_come_back() {
        let mut fields = Fields::default();
        assert_eq!(
            fields.page_token::<2>(&next_page_token([255, 3])),
            Some([255, 3])
        );
        assert_eq!(fields.page_token::<2>(""), None);
        assert!(fields.finish().is_ok());
    }
}

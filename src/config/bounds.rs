//! What each setting allows, and how a text is read under it.
//!
//! Owns the bounds, each once: mistakes and docs/configuration.md quote the same text. Knows nothing of what a setting is
//! for.

use std::{fmt, net::SocketAddr, time::Duration};

use jiff::{Span, SpanRelativeTo};

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A setting and what it allows.
#[derive(Debug)]
pub(super) struct Setting {
    /// The field's name in the arguments; flag and variable follow from it.
    pub id: &'static str,
    pub allowed: Allowed,
}

/// What a setting allows.
#[derive(Debug)]
pub(super) enum Allowed {
    /// An address to listen on.
    Address,
    /// One of these schemes.
    Url(&'static [&'static str]),
    /// A duration in milliseconds, both ends included.
    Duration { least_ms: u64, most_ms: u64 },
    /// A whole number, both ends included.
    Count { least: u64, most: u64 },
    /// A power of two from 1.
    PowerOfTwo { most: u64 },
    /// One of these words.
    Word(&'static [&'static str]),
}

const fn duration(id: &'static str, least_ms: u64, most_ms: u64) -> Setting {
    Setting {
        id,
        allowed: Allowed::Duration { least_ms, most_ms },
    }
}

const fn count(id: &'static str, least: u64, most: u64) -> Setting {
    Setting {
        id,
        allowed: Allowed::Count { least, most },
    }
}

const fn flag(id: &'static str) -> Setting {
    Setting {
        id,
        allowed: Allowed::Word(&["true", "false"]),
    }
}

pub(super) const REDIS_URL: Setting = Setting {
    id: "redis_url",
    allowed: Allowed::Url(&["redis://", "redis+unix://"]),
};
pub(super) const POSTGRES_URL: Setting = Setting {
    id: "postgres_url",
    allowed: Allowed::Url(&["postgres://", "postgresql://"]),
};
pub(super) const LISTEN: Setting = Setting {
    id: "listen",
    allowed: Allowed::Address,
};
pub(super) const ADMIN_LISTEN: Setting = Setting {
    id: "admin_listen",
    allowed: Allowed::Address,
};
pub(super) const PARTITIONS: Setting = Setting {
    id: "partitions",
    allowed: Allowed::PowerOfTwo { most: 1024 },
};
pub(super) const DEFAULT_TTL: Setting = duration("default_ttl", 1, 3660 * DAY_MS);
pub(super) const MAX_TTL: Setting = duration("max_ttl", 1, 3660 * DAY_MS);
pub(super) const MAX_LIFETIME: Setting = duration("max_lifetime", 1, 3660 * DAY_MS);
pub(super) const REPEAT_WINDOW: Setting = duration("repeat_window", SECOND_MS, 366 * DAY_MS);
pub(super) const LATE_COMMIT_WINDOW: Setting = duration("late_commit_window", 0, 366 * DAY_MS);
pub(super) const REFUND_TTL: Setting = duration("refund_ttl", SECOND_MS, 3660 * DAY_MS);
pub(super) const LEDGER_WAIT: Setting = duration("ledger_wait", 0, MINUTE_MS);
pub(super) const BACKLOG_SOFT: Setting = count("backlog_soft", 1, 10_000_000);
pub(super) const BACKLOG_HARD: Setting = count("backlog_hard", 1, 10_000_000);
pub(super) const REPLAY_BUFFER: Setting = count("replay_buffer", 1, 10_000_000);
pub(super) const BATCH_MAX: Setting = count("batch_max", 1, 1000);
pub(super) const MAX_IN_FLIGHT: Setting = count("max_in_flight", 1, 1_000_000);
pub(super) const RELAY_PAUSE: Setting = duration("relay_pause", 0, 10 * SECOND_MS);
pub(super) const RELAY_GATHER: Setting = duration("relay_gather", 0, 10 * SECOND_MS);
pub(super) const RELAY_BATCH: Setting = count("relay_batch", 1, 10_000);
pub(super) const STREAM_TAIL: Setting = duration("stream_tail", 0, DAY_MS);
pub(super) const IDLE_AFTER: Setting = duration("idle_after", 0, 30 * DAY_MS);
pub(super) const POSTGRES_POOL: Setting = count("postgres_pool", 1, 1000);
pub(super) const POSTGRES_TIMEOUT: Setting = duration("postgres_timeout", 100, 10 * MINUTE_MS);
pub(super) const AUDIT_PAUSE: Setting = duration("audit_pause", 0, HOUR_MS);
pub(super) const STOP_TIMEOUT: Setting = duration("stop_timeout", 0, HOUR_MS);
pub(super) const LOG_FORMAT: Setting = Setting {
    id: "log_format",
    allowed: Allowed::Word(&["text", "json"]),
};
pub(super) const TEST_CLOCK: Setting = flag("test_clock");
pub(super) const BENCH: Setting = flag("bench");
pub(super) const ALLOW_VOLATILE_REDIS: Setting = flag("allow_volatile_redis");

/// Every setting, in the order of the arguments.
pub(super) const ALL: [&Setting; 30] = [
    &REDIS_URL,
    &POSTGRES_URL,
    &LISTEN,
    &ADMIN_LISTEN,
    &PARTITIONS,
    &DEFAULT_TTL,
    &MAX_TTL,
    &MAX_LIFETIME,
    &REPEAT_WINDOW,
    &LATE_COMMIT_WINDOW,
    &REFUND_TTL,
    &LEDGER_WAIT,
    &BACKLOG_SOFT,
    &BACKLOG_HARD,
    &REPLAY_BUFFER,
    &BATCH_MAX,
    &MAX_IN_FLIGHT,
    &RELAY_PAUSE,
    &RELAY_GATHER,
    &RELAY_BATCH,
    &STREAM_TAIL,
    &IDLE_AFTER,
    &POSTGRES_POOL,
    &POSTGRES_TIMEOUT,
    &AUDIT_PAUSE,
    &STOP_TIMEOUT,
    &LOG_FORMAT,
    &TEST_CLOCK,
    &BENCH,
    &ALLOW_VOLATILE_REDIS,
];

impl Setting {
    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("HOLDBOOK_{}", self.id.to_uppercase())
    }

    /// The flag.
    pub fn flag(&self) -> String {
        format!("--{}", self.id.replace('_', "-"))
    }

    /// Reads a number or a duration (as milliseconds) within the bounds.
    pub fn number(&self, text: &str) -> Option<u64> {
        match self.allowed {
            Allowed::Duration { least_ms, most_ms } => {
                milliseconds(text).filter(|value| (least_ms..=most_ms).contains(value))
            }
            Allowed::Count { least, most } => {
                whole(text).filter(|value| (least..=most).contains(value))
            }
            Allowed::PowerOfTwo { most } => {
                whole(text).filter(|value| value.is_power_of_two() && *value <= most)
            }
            Allowed::Address | Allowed::Url(_) | Allowed::Word(_) => None,
        }
    }

    /// Reads an address.
    pub fn address(&self, text: &str) -> Option<SocketAddr> {
        text.parse().ok()
    }

    /// Whether the text is one of the words, or has one of the schemes and something after it.
    pub fn allows(&self, text: &str) -> bool {
        match self.allowed {
            Allowed::Word(words) => words.contains(&text),
            Allowed::Url(schemes) => schemes.iter().any(|scheme| {
                text.strip_prefix(scheme)
                    .is_some_and(|rest| !rest.is_empty())
            }),
            _ => false,
        }
    }
}

/// What is allowed, to be read after "allowed:".
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Address => {
                f.write_str("an IP address and a port, as 127.0.0.1:7600 or [::1]:7600")
            }
            Allowed::Url(schemes) => write!(f, "a URL that begins with {}", schemes.join(" or ")),
            Allowed::Duration { least_ms, most_ms } => {
                write!(
                    f,
                    "{} to {}, as 10ms, 90s, 15m, 24h or 30d",
                    spell(*least_ms),
                    spell(*most_ms)
                )
            }
            Allowed::Count { least, most } => write!(f, "a whole number, {least} to {most}"),
            Allowed::PowerOfTwo { most } => write!(f, "a power of two, 1 to {most}"),
            Allowed::Word(words) => f.write_str(&words.join(" or ")),
        }
    }
}

/// Digits only: the standard parser would also take a `+`.
fn whole(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// A duration in whole milliseconds, by jiff's friendly format; a day is 24 hours, a month is nothing definite.
fn milliseconds(text: &str) -> Option<u64> {
    let span: Span = text.parse().ok()?;
    let exact = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let exact = Duration::try_from(exact).ok()?;
    let whole = exact.subsec_nanos() % 1_000_000 == 0;
    whole.then(|| u64::try_from(exact.as_millis()).ok())?
}

/// A duration in its largest unit that needs no fraction.
fn spell(value_ms: u64) -> String {
    let units = [
        (DAY_MS, "d"),
        (HOUR_MS, "h"),
        (MINUTE_MS, "m"),
        (SECOND_MS, "s"),
    ];
    let unit = units
        .into_iter()
        .find(|(length_ms, _)| value_ms > 0 && value_ms.is_multiple_of(*length_ms));
    match unit {
        Some((length_ms, name)) => format!("{}{name}", value_ms / length_ms),
        None => format!("{value_ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, expected_ms) in [
            ("90s", 90 * SECOND_MS),
            ("24h", DAY_MS),
            ("30d", 30 * DAY_MS),
            ("1h30m", 90 * MINUTE_MS),
            ("10ms", 10),
            ("0s", 0),
        ] {
            assert_eq!(milliseconds(text), Some(expected_ms), "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_duration() {
        for text in [
            "", "90", "s", "-5s", "5s ago", "1mo", "1y", "1.5", "10us", "1e3s", "soon",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }

    #[test]
    fn bounds_are_included_and_nothing_beyond_them() {
        for (text, expected) in [
            ("0", None),
            ("1", Some(1)),
            ("1000", Some(1000)),
            ("1001", None),
            ("+7", None),
        ] {
            assert_eq!(BATCH_MAX.number(text), expected, "{text}");
        }
        for (text, expected) in [
            ("0", None),
            ("1", Some(1)),
            ("3", None),
            ("1024", Some(1024)),
            ("2048", None),
        ] {
            assert_eq!(PARTITIONS.number(text), expected, "{text}");
        }
        assert_eq!(LEDGER_WAIT.number("60s"), Some(MINUTE_MS));
        assert_eq!(LEDGER_WAIT.number("60001ms"), None);
    }

    #[test]
    fn a_url_needs_its_scheme_and_a_host() {
        for (text, expected) in [
            ("postgres://h/db", true),
            ("postgresql://h/db", true),
            ("postgres://", false),
            ("redis://h", false),
            ("", false),
        ] {
            assert_eq!(POSTGRES_URL.allows(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_spelled_in_their_largest_unit() {
        for (value_ms, text) in [
            (0, "0ms"),
            (1, "1ms"),
            (1000, "1s"),
            (90_000, "90s"),
            (60_000, "1m"),
            (3660 * DAY_MS, "3660d"),
        ] {
            assert_eq!(spell(value_ms), text);
        }
    }
}

//! What a load came to: for people with a plot, for programs as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use hdrhistogram::Histogram;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    super::totals::Totals,
    args::{BenchArgs, Over, Spread},
    load::{Seen, TIMED},
    plot,
};

/// Of a latency, each by how many there are for one that is slower.
const QUANTILES: [(&str, u64); 5] = [
    ("p50", 2),
    ("p90", 10),
    ("p99", 100),
    ("p99.9", 1000),
    ("p99.99", 10_000),
];

/// What is told of latencies, in microseconds.
fn told(times: &Histogram<u64>) -> impl Iterator<Item = (&'static str, u64)> {
    let quantiles = QUANTILES.map(|(name, one_in)| (name, plot::slower(times, one_in)));
    quantiles.into_iter().chain([("max", times.max())])
}

/// An account of which the ledger says something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub account_id: String,
    /// What it was charged by its answers.
    pub answered: Decimal,
    /// By the ledger's rows.
    pub rows: Totals,
}

/// What a load came to.
pub struct Report {
    /// The beginning of its accounts' ids.
    pub run: String,
    over: Over,
    spread: Spread,
    rate: Option<u64>,
    in_flight: u32,
    connections: u32,
    accounts: u32,
    length: Duration,
    /// In microseconds, by what was timed.
    pub times: [Histogram<u64>; 3],
    operations: u64,
    again: u64,
    failed: BTreeMap<String, u64>,
    compared: usize,
    left_out: usize,
    /// Accounts of which the ledger says something else.
    pub differences: Vec<Difference>,
}

impl Report {
    pub(super) fn new(
        args: &BenchArgs,
        run: String,
        seen: Seen,
        compared: usize,
        differences: Vec<Difference>,
    ) -> Self {
        Self {
            run,
            over: args.over,
            spread: args.spread,
            rate: args.rate.map(u64::from),
            in_flight: args.in_flight,
            connections: args.connections,
            accounts: args.accounts,
            length: args.duration,
            times: seen.times,
            operations: seen.operations,
            again: seen.again,
            failed: seen.failed,
            compared,
            left_out: seen.unknown.len(),
            differences,
        }
    }

    /// In the measured time.
    pub fn operations_per_second(&self) -> u64 {
        let millis = u64::try_from(self.length.as_millis()).unwrap_or(u64::MAX);
        self.operations.saturating_mul(1000) / millis.max(1)
    }

    /// For programs: times in microseconds.
    #[must_use]
    pub fn json(&self) -> Value {
        let times = TIMED.into_iter().zip(&self.times).map(|(name, times)| {
            let values = told(times).map(|(quantile, value)| (quantile.to_owned(), json!(value)));
            let values: serde_json::Map<_, _> = values.collect();
            (name.to_owned(), Value::Object(values))
        });
        json!({
            "run": self.run,
            "over": format!("{:?}", self.over).to_lowercase(),
            "spread": format!("{:?}", self.spread).to_lowercase(),
            "rate": self.rate,
            "in_flight": self.in_flight,
            "connections": self.connections,
            "accounts": self.accounts,
            "seconds": self.length.as_secs(),
            "operations": self.operations,
            "operations_per_second": self.operations_per_second(),
            "sent_again": self.again,
            "failed": self.failed,
            "microseconds": times.collect::<serde_json::Map<_, _>>(),
            "accounts_compared": self.compared,
            "accounts_left_out": self.left_out,
            "differences": self.differences.len(),
        })
    }
}

/// Microseconds, for people.
pub(super) fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.rate.map_or_else(
            || format!("{} turns at once", self.in_flight),
            |rate| format!("{rate} turns a second"),
        );
        writeln!(
            f,
            "{rate} on {} connections, {} accounts ({}), {}, for {} s",
            self.connections,
            self.accounts,
            format!("{:?}", self.spread).to_lowercase(),
            format!("{:?}", self.over).to_lowercase(),
            self.length.as_secs()
        )?;
        for (name, times) in TIMED.into_iter().zip(&self.times) {
            write!(f, "{name:>8}")?;
            for (quantile, value) in told(times) {
                write!(f, "  {quantile} {}", millis(value))?;
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        write!(f, "{}", plot::text(&self.times[2]))?;
        writeln!(f)?;
        for (reason, count) in &self.failed {
            writeln!(f, "failed: {count} turns, {reason}")?;
        }
        if self.again > 0 {
            writeln!(f, "sent again: {}", self.again)?;
        }
        if self.left_out > 0 {
            writeln!(
                f,
                "not compared: {} accounts with a turn of which the end is not known",
                self.left_out
            )?;
        }
        for Difference {
            account_id,
            answered,
            rows,
        } in &self.differences
        {
            writeln!(
                f,
                "{account_id}: charged {answered} by its answers, {} by the ledger, which has {} held",
                rows.spent, rows.held
            )?;
        }
        write!(
            f,
            "bench: {} operations a second, {} accounts compared with the ledger, {} differences",
            self.operations_per_second(),
            self.compared,
            self.differences.len()
        )
    }
}

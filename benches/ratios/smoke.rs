//! `make bench-smoke`: one unary caller and many, against calls that do nothing. Bounds are held by the medians over the rounds.

use std::io::{self, Write};

use super::{
    Outcome,
    round::{Callers, Round},
    stack::Stack,
};

const ROUNDS: usize = 5;
/// `reserve_p50_vs_noop` may be at most this.
const RESERVE_P50_MAX: f64 = 4.0;
/// `unary_calls_vs_noop` must be at least this.
const UNARY_CALLS_MIN: f64 = 0.2;
/// `usage_vs_amount` must be at least this.
const USAGE_MIN: f64 = 0.85;

/// Says whether all bounds hold.
pub async fn measure(stack: &Stack, callers: &Callers) -> Outcome<bool> {
    let mut out = io::stdout();
    let mut rounds = Vec::with_capacity(ROUNDS);
    for number in 1..=ROUNDS {
        let round = callers.round(stack, number).await?;
        writeln!(out, "# round {number}: {round}")?;
        rounds.push(round);
    }
    super::end(stack).await?;
    report(&mut out, &rounds)
}

/// What is read off a round.
type Figure = fn(&Round) -> f64;

/// The medians, then the lines that count.
fn report(out: &mut impl Write, rounds: &[Round]) -> Outcome<bool> {
    let median = |of: Figure| super::median(rounds.iter().map(of).collect());
    writeln!(out, "# medians of {} rounds", rounds.len())?;
    let absolute: [(&str, Figure); 14] = [
        ("disk_write_p50_ms", |r| r.disk.p50_ms()),
        ("disk_write_p90_ms", |r| r.disk.p90_ms()),
        ("reserve_p50_ms", |r| r.alone.reserve.p50_ms()),
        ("reserve_p99_ms", |r| r.alone.reserve.p99_ms()),
        ("service_noop_p50_ms", |r| r.alone.noop.p50_ms()),
        ("bare_noop_p50_ms", |r| r.alone.bare.p50_ms()),
        ("unary_calls_per_s", |r| r.together.pairs.calls_per_s()),
        ("unary_calls_per_s_before_the_ledger_had_them", |r| {
            r.together.answered_per_s
        }),
        ("service_noop_calls_per_s", |r| {
            r.together.noop.calls_per_s()
        }),
        ("bare_noop_calls_per_s", |r| r.together.bare.calls_per_s()),
        ("pair_p50_ms", |r| r.together.pairs.times.p50_ms()),
        ("pair_p99_ms", |r| r.together.pairs.times.p99_ms()),
        ("ledger_lag_entries_at_the_end_of_the_load", |r| {
            r.together.lag_entries as f64
        }),
        ("ledger_drained_after_ms", |r| {
            r.together.drained_after.as_secs_f64() * 1000.0
        }),
    ];
    for (name, of) in absolute {
        writeln!(out, "# {name} {:.3}", median(of))?;
    }
    let (latency, calls, by_usage) = (
        median(Round::reserve_p50_vs_noop),
        median(Round::unary_calls_vs_noop),
        median(|round| round.together.usage_vs_amount()),
    );
    writeln!(out, "reserve_p50_vs_noop {latency:.2} {RESERVE_P50_MAX}")?;
    writeln!(out, "unary_calls_vs_noop {calls:.2} {UNARY_CALLS_MIN}")?;
    writeln!(out, "usage_vs_amount {by_usage:.2} {USAGE_MIN}")?;
    Ok(latency <= RESERVE_P50_MAX && calls >= UNARY_CALLS_MIN && by_usage >= USAGE_MIN)
}

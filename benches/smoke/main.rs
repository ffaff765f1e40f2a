//! `make bench-smoke`: what a Reserve costs over a call that does nothing, and how many calls there are of each, with every write
//! on the disk and the ledger keeping up.
//!
//! One run on one machine, so the figures that count are ratios. In each round the service and two calls that do nothing take turns:
//! the service's own `BenchService/Noop`, and the same call of a bare tonic server in a process of its own with the same answer. The
//! faster of the two is the yardstick. Bounds are held by the medians over the rounds.

#![expect(
    clippy::float_arithmetic,
    reason = "ratios and times, never amounts of credits"
)]

mod bare;
mod customers;
mod load;
mod round;
#[path = "../service/mod.rs"]
mod service;
mod stack;

use std::{
    env,
    error::Error,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use self::{
    round::{Callers, Round},
    stack::Stack,
};

/// What goes wrong here ends the run.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// As the service itself, so that the bare server has no worse one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
/// The ledger has everything at most this long after a load.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// `reserve_p50_vs_noop` may be at most this.
const RESERVE_P50_MAX: f64 = 4.0;
/// `unary_calls_vs_noop` must be at least this.
const UNARY_CALLS_MIN: f64 = 0.2;
/// `usage_vs_amount` must be at least this.
const USAGE_MIN: f64 = 0.85;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(Into::into)
        .and_then(|runtime| match &arguments[..] {
            [_, mode, answer] if mode == bare::MODE => runtime
                .block_on(bare::serve(Path::new(answer)))
                .map(|()| true),
            _ => runtime.block_on(measure()),
        });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // With standard error closed there is nobody left to tell.
            let _ = writeln!(io::stderr(), "bench-smoke: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything; says whether all bounds hold.
async fn measure() -> Outcome<bool> {
    let stack = Stack::start().await?;
    let outcome = measure_on(&stack).await;
    // What went wrong in the run says more than what then went wrong in the end.
    let stopped = stack.stop().await;
    let held = outcome?;
    stopped?;
    Ok(held)
}

async fn measure_on(stack: &Stack) -> Outcome<bool> {
    let mut out = io::stdout();
    writeln!(out, "# {}", stack.describe().await?)?;
    let started = Instant::now();
    let callers = Callers::connect(stack).await?;
    customers::sell(callers.service[0].clone()).await?;
    customers::create(&callers.service).await?;
    stack.drain(DRAIN_MAX).await?;
    let (count, seconds) = (customers::ACCOUNTS, started.elapsed().as_secs_f64());
    writeln!(
        out,
        "# {count} accounts with two grants each, made in {seconds:.1} s"
    )?;

    callers.warm_up(stack).await?;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for number in 1..=ROUNDS {
        let round = callers.round(stack, number).await?;
        writeln!(out, "# round {number}: {round}")?;
        rounds.push(round);
    }
    stack.drain(DRAIN_MAX).await?;
    stack.audit().await?;
    writeln!(
        out,
        "# the ledger has everything, and the audit is balanced"
    )?;
    report(&mut out, &rounds)
}

/// What is read off a round.
type Figure = fn(&Round) -> f64;

/// The medians, then the lines that count.
fn report(out: &mut impl Write, rounds: &[Round]) -> Outcome<bool> {
    let median = |of: Figure| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
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

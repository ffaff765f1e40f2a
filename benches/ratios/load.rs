//! The two loads: one caller that waits for each answer, and many in flight for a while.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::Outcome;

/// Callers at once, spread over the connections.
pub const IN_FLIGHT: usize = 64;
/// Connections to each server.
pub const CONNECTIONS: usize = 8;

/// How long things took, in nanoseconds.
pub struct Times(Histogram<u64>);

impl Times {
    pub fn new() -> Outcome<Self> {
        Ok(Self(Histogram::new(3)?))
    }

    pub fn record(&mut self, time: Duration) -> Outcome<()> {
        Ok(self.0.record(u64::try_from(time.as_nanos())?)?)
    }

    pub fn add(&mut self, other: &Self) -> Outcome<()> {
        Ok(self.0.add(&other.0)?)
    }

    pub fn p50_ms(&self) -> f64 {
        self.0.value_at_quantile(0.5) as f64 / 1e6
    }

    pub fn p90_ms(&self) -> f64 {
        self.0.value_at_quantile(0.9) as f64 / 1e6
    }

    pub fn p99_ms(&self) -> f64 {
        self.0.value_at_quantile(0.99) as f64 / 1e6
    }
}

/// What a load came to.
pub struct Load {
    pub calls: u64,
    pub took: Duration,
    /// Of each turn of a caller, which may be several calls.
    pub times: Times,
}

impl Load {
    pub fn calls_per_s(&self) -> f64 {
        self.calls as f64 / self.took.as_secs_f64()
    }
}

/// One caller: `count` calls one after the other, each timed.
pub async fn alone(
    numbers: std::ops::Range<u64>,
    mut call: impl AsyncFnMut(u64) -> Outcome<()>,
) -> Outcome<Times> {
    let mut times = Times::new()?;
    for number in numbers {
        let started = Instant::now();
        call(number).await?;
        times.record(started.elapsed())?;
    }
    Ok(times)
}

/// [`IN_FLIGHT`] callers on all connections for `length`, each beginning its next turn when the one before has ended. A turn is
/// given a connection and a number that no other has, and says how many calls it made. A call that fails ends the run.
pub async fn together<C, F>(
    connections: &[C],
    length: Duration,
    turn: impl Fn(C, u64) -> F + Clone + Send + 'static,
) -> Outcome<Load>
where
    C: Clone + Send + 'static,
    F: Future<Output = Outcome<u64>> + Send,
{
    callers(IN_FLIGHT, connections, length, u64::MAX, turn).await
}

/// As [`together`], with so many `callers` that make at most `turns`.
pub async fn callers<C, F>(
    count: usize,
    connections: &[C],
    length: Duration,
    turns: u64,
    turn: impl Fn(C, u64) -> F + Clone + Send + 'static,
) -> Outcome<Load>
where
    C: Clone + Send + 'static,
    F: Future<Output = Outcome<u64>> + Send,
{
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..count {
        let (connection, turn) = (
            connections[caller % connections.len()].clone(),
            turn.clone(),
        );
        callers.spawn(async move {
            let (mut calls, mut times) = (0, Times::new()?);
            for number in (caller as u64..turns).step_by(count) {
                let began = Instant::now();
                if began - started >= length {
                    break;
                }
                calls += turn(connection.clone(), number).await?;
                times.record(began.elapsed())?;
            }
            Outcome::Ok((calls, times))
        });
    }
    let mut load = Load {
        calls: 0,
        took: Duration::ZERO,
        times: Times::new()?,
    };
    while let Some(caller) = callers.join_next().await {
        let (calls, times) = caller??;
        load.calls += calls;
        load.times.add(&times)?;
    }
    load.took = started.elapsed();
    Ok(load)
}

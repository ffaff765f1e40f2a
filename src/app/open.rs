//! Opening: both stores are fit to keep credits, and agree about the partitions.

use std::time::Duration;

use crate::{
    config::Config,
    holds::{Holds, HoldsError, Options, ServerProblem, Settings, server_problems},
    ledger::{Ledger, LedgerError},
    reconcile::{Look, Recovery, RecoveryError, RelayOptions},
};

/// How long a start waits for a partition that another process recovers, or for a store.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks.
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// Why the service cannot open its stores.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Redis does not answer.
    #[error(transparent)]
    Holds(#[from] HoldsError),
    /// Postgres does not answer, or is not set up.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The server would lose credits.
    #[error("this Redis must not keep credits: {0} (--allow-volatile-redis for a trial)")]
    Unfit(ServerProblem),
    /// A partition cannot be opened.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// Another process has been recovering a partition for too long.
    #[error("another process has been recovering a partition for {} s", OPEN_LIMIT.as_secs())]
    Busy,
}

/// Microseconds of a configured time span; all are far below the range.
pub fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl From<&Config> for RelayOptions {
    fn from(config: &Config) -> Self {
        Self {
            batch: config.relay_batch,
            pause: config.relay_pause,
            gather: config.relay_gather,
            tail: config.stream_tail,
        }
    }
}

/// The room of Redis by the configuration.
///
/// # Errors
/// The URL is not one of a Redis server.
pub fn holds(
    config: &Config,
    observe_batch: Box<dyn Fn(usize) + Send + Sync>,
) -> Result<Holds, HoldsError> {
    let bound = |entries: u64| i64::try_from(entries).unwrap_or(i64::MAX);
    Holds::new(Options {
        url: config.redis_url.expose().to_owned(),
        partitions: u32::from(config.partitions),
        settings: Settings {
            repeat_window: micros(config.repeat_window),
            late_commit_window: micros(config.late_commit_window),
            refund_ttl: micros(config.refund_ttl),
            max_lifetime: micros(config.max_lifetime),
            backlog_soft: bound(config.backlog_soft),
            backlog_hard: bound(config.backlog_hard),
        },
        batch_max: config.batch_max,
        queue_max: config.max_in_flight,
        observe_batch: observe_batch.into(),
    })
}

/// The room of Redis for commands that send no operation, so that the script's settings do not matter.
///
/// # Errors
/// The URL is not one of a Redis server, or Postgres does not answer.
pub async fn for_reading(url: String, ledger: &Ledger) -> Result<Holds, OpenError> {
    let partitions = u32::try_from(ledger.partitions().await?.len()).unwrap_or(1);
    let options = Options::for_reading(url, partitions.max(1));
    Ok(Holds::new(options)?)
}

/// Makes sure that both stores are fit and set up, and opens every partition: the first start is a recovery, too.
///
/// # Errors
/// A store does not answer, is unfit, or the two are not of one service.
pub async fn partitions(watchers: &mut [Recovery]) -> Result<(), OpenError> {
    for watcher in watchers {
        until_open(async || watcher.step().await).await?;
    }
    Ok(())
}

/// Looks at a partition until it is open.
///
/// # Errors
/// It is not within the limit, or cannot be.
pub async fn until_open(
    mut look: impl AsyncFnMut() -> Result<Look, RecoveryError>,
) -> Result<(), OpenError> {
    let deadline = tokio::time::Instant::now() + OPEN_LIMIT;
    loop {
        match look().await {
            Ok(Look::Open | Look::Recovered) => return Ok(()),
            Ok(Look::Elsewhere) if tokio::time::Instant::now() < deadline => {}
            Err(error) if error.passes() && tokio::time::Instant::now() < deadline => {
                tracing::warn!(%error, "a partition cannot be opened yet");
            }
            Ok(Look::Elsewhere) => return Err(OpenError::Busy),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(OPEN_PAUSE).await;
    }
}

/// Refuses a Redis that would lose credits, and records at the first start what never changes.
///
/// # Errors
/// A store does not answer or is unfit, or the ledger was set up otherwise.
pub async fn stores(config: &Config, holds: &Holds, ledger: &Ledger) -> Result<(), OpenError> {
    let problems = server_problems(config.redis_url.expose()).await?;
    let grave = |problem: &ServerProblem| {
        !config.allow_volatile_redis || *problem == ServerProblem::NoHistory
    };
    if let Some(problem) = problems.into_iter().find(grave) {
        return Err(OpenError::Unfit(problem));
    }
    // An epoch grows with time, so that one never comes back.
    let epoch = u64::try_from(holds.server_time().await? / 1000).unwrap_or(1);
    ledger
        .bootstrap(u32::from(config.partitions), config.test_clock, epoch)
        .await?;
    Ok(())
}

//! Opening: both stores are fit to keep credits, and agree about the partitions.

use std::time::Duration;

use crate::{
    config::Config,
    holds::{Holds, HoldsError, Options, ServerProblem, Settings, server_problems},
    ledger::{Ledger, LedgerError},
};

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
    /// The two stores tell different stories.
    #[error("{0}")]
    Disagree(String),
}

/// Microseconds of a configured time span; all are far below the range.
pub fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
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

/// Opens every partition, at the first start by setting it up in the ledger first and then in Redis: a crash in between is
/// mended by the next start.
///
/// # Errors
/// A store does not answer, is unfit, or the two disagree.
pub async fn partitions(config: &Config, holds: &Holds, ledger: &Ledger) -> Result<(), OpenError> {
    if !config.allow_volatile_redis
        && let Some(problem) = server_problems(config.redis_url.expose())
            .await?
            .into_iter()
            .next()
    {
        return Err(OpenError::Unfit(problem));
    }
    let now = holds.server_time().await?;
    // An epoch grows with time, so that one never comes back.
    let epoch = u64::try_from(now / 1000).unwrap_or(1);
    let rows = ledger
        .bootstrap(u32::from(config.partitions), config.test_clock, epoch)
        .await?;
    for row in rows {
        let (id, recorded) = (row.id, row.cursor);
        let mut opened = holds.open(id, None, None).await?;
        if opened.epoch.is_none() && recorded.n == 0 {
            opened = holds
                .open(id, Some(recorded.epoch), config.test_clock.then_some(now))
                .await?;
        }
        let Some(found) = opened.epoch else {
            return Err(OpenError::Disagree(format!(
                "Redis has lost partition {id}: the ledger has its entries up to {recorded}, Redis knows nothing of it"
            )));
        };
        if found != recorded.epoch {
            return Err(OpenError::Disagree(format!(
                "partition {id} is at epoch {found} in Redis and {} in the ledger: are these the two stores of one service?",
                recorded.epoch
            )));
        }
        if opened.partitions != holds.partitions() {
            return Err(OpenError::Disagree(format!(
                "Redis was set up with {} partitions, the configuration says {}",
                opened.partitions,
                holds.partitions()
            )));
        }
        if opened.test_clock != config.test_clock {
            let kind = if opened.test_clock {
                "a test clock"
            } else {
                "the real clock"
            };
            return Err(OpenError::Disagree(format!(
                "Redis was set up with {kind}; start with the same"
            )));
        }
        holds.set_epoch(id, found);
    }
    Ok(())
}

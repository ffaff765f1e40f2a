//! The evictor of a partition: drops accounts that nobody uses, so that Redis' memory follows the active ones. The next call on one loads
//! it from the ledger.
//!
//! An account is dropped only once the ledger is known to have all of it. A step looks at one page of accounts and remembers where the
//! partition stood; it, or a later one, drops those that are still as they were seen when the ledger has come there.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    domain::account::Micros,
    holds::{Holds, HoldsError, Idle},
    ledger::{Ledger, LedgerError},
    telemetry::Instruments,
};

/// Between two steps of a round: a page a tenth of a second is no load, and millions of keys are walked in minutes.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two rounds at least, and at most; else a tenth of the time after which an account is idle.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Why a step did not succeed. Nothing was dropped that the ledger does not have.
#[derive(Debug, thiserror::Error)]
pub enum EvictorError {
    /// Redis did not answer.
    #[error(transparent)]
    Holds(#[from] HoldsError),
    /// Postgres did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Accounts that were dropped.
    pub dropped: u64,
    /// All accounts were looked at; the next step begins anew.
    pub round_over: bool,
}

/// The evictor of one partition.
pub struct Evictor {
    partition: u32,
    holds: Holds,
    ledger: Ledger,
    instruments: Arc<Instruments>,
    idle_after: Duration,
    /// Where the next page begins.
    from: u64,
    /// Seen idle, not dropped yet: the ledger was behind.
    seen: Option<Idle>,
}

impl Evictor {
    /// An evictor of accounts on which nothing was written for `idle_after`.
    #[must_use]
    pub const fn new(
        partition: u32,
        holds: Holds,
        ledger: Ledger,
        instruments: Arc<Instruments>,
        idle_after: Duration,
    ) -> Self {
        Self {
            partition,
            holds,
            ledger,
            instruments,
            idle_after,
            from: 0,
            seen: None,
        }
    }

    /// Looks at a page of accounts, unless one still waits, and drops those of it that may be.
    ///
    /// # Errors
    /// A store did not answer; the page is looked at again in the next round.
    pub async fn step(&mut self) -> Result<Turn, EvictorError> {
        let idle = match self.seen.take() {
            Some(idle) => idle,
            None => {
                let span = Micros::try_from(self.idle_after.as_micros()).unwrap_or(Micros::MAX);
                let (next, idle) = self.holds.idle(self.partition, self.from, span).await?;
                self.from = next;
                idle
            }
        };
        let round_over = self.from == 0;
        if idle.accounts.is_empty() {
            return Ok(Turn {
                dropped: 0,
                round_over,
            });
        }
        let head = self.holds.head(self.partition).await?;
        if head.epoch == idle.epoch && head.ledger_n < idle.n {
            self.seen = Some(idle);
            return Ok(Turn::default());
        }
        let dropped = self.drop_all(idle).await?;
        self.instruments.dropped(dropped);
        Ok(Turn {
            dropped,
            round_over,
        })
    }

    /// The ledger has all of them, if only in quarantine: those it cannot be asked for.
    async fn drop_all(&self, mut idle: Idle) -> Result<u64, EvictorError> {
        let waiting = self.ledger.quarantined_accounts(self.partition).await?;
        idle.accounts
            .retain(|(account, _)| !waiting.contains(account));
        if idle.accounts.is_empty() {
            return Ok(0);
        }
        Ok(self.holds.drop_idle(self.partition, &idle).await?)
    }

    /// Steps until the flag is raised.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let rest = (self.idle_after / 10).clamp(REST.0, REST.1);
        loop {
            let pause = match self.step().await {
                Ok(turn) if turn.round_over => rest,
                Ok(_) => PAUSE,
                Err(error) => {
                    tracing::warn!(partition = self.partition, %error, "the evictor tries again");
                    rest
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

//! The relay of a partition: moves entries from the stream to the ledger, exactly once whoever else tries.
//!
//! Owns no state but connections: where to go on is the ledger's cursor, read anew after every failure. A step is read, post,
//! publish; killed between any two, the next step of any relay goes on rightly.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::LedgerWait;
use crate::{
    domain::{account::Micros, event::Entry},
    holds::{Holds, HoldsError},
    ledger::{Cursor, Ledger, LedgerError, Posted, Writer},
    telemetry::Instruments,
};

/// How long one wait for the next entry blocks; a stop waits for it.
const WAIT: Duration = Duration::from_millis(500);
/// Between tries when a store does not answer: from, up to.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Bounds of a relay.
#[derive(Clone, Copy, Debug)]
pub struct RelayOptions {
    /// Most entries in a step.
    pub batch: usize,
    /// Between two steps, so that entries gather and a batch is worth its transaction.
    pub pause: Duration,
    /// Entries that stay in the stream after they are posted.
    pub tail: u64,
}

/// Why a step did not succeed. Nothing is lost: the next one starts from the ledger's cursor.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Redis did not answer.
    #[error(transparent)]
    Holds(#[from] HoldsError),
    /// Postgres did not answer, or something is wrong with what it was given.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The relay of one partition.
pub struct Relay {
    partition: u32,
    holds: Holds,
    ledger: Ledger,
    waits: LedgerWait,
    instruments: Arc<Instruments>,
    options: RelayOptions,
    writer: Option<Writer>,
    cursor: Option<Cursor>,
    /// When the first entry of the last step occurred.
    moved_from: Option<Micros>,
}

impl Relay {
    /// A relay that has read nothing yet.
    #[must_use]
    pub const fn new(
        partition: u32,
        holds: Holds,
        ledger: Ledger,
        waits: LedgerWait,
        instruments: Arc<Instruments>,
        options: RelayOptions,
    ) -> Self {
        Self {
            partition,
            holds,
            ledger,
            waits,
            instruments,
            options,
            writer: None,
            cursor: None,
            moved_from: None,
        }
    }

    /// Reads, posts and publishes one batch; says how many entries it moved.
    ///
    /// # Errors
    /// A store did not answer; the step can be taken again.
    pub async fn step(&mut self) -> Result<usize, RelayError> {
        let (from, entries) = self.read().await?;
        if entries.is_empty() {
            return Ok(0);
        }
        let posted = self.post(from, &entries).await?;
        self.publish(&posted).await?;
        Ok(entries.len())
    }

    /// The entries after the ledger's cursor.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn read(&mut self) -> Result<(Cursor, Vec<Entry>), RelayError> {
        let from = match self.cursor {
            Some(cursor) => cursor,
            None => {
                let cursor = self.ledger.cursor(self.partition).await?;
                // Whoever posted up to here may have died before telling.
                self.tell(cursor).await?;
                *self.cursor.insert(cursor)
            }
        };
        let entries = self
            .holds
            .read_log(self.partition, from.epoch, from.n, self.options.batch)
            .await?;
        let first = entries.first().and_then(|entry| entry.events.last());
        self.moved_from = first.map(|event| event.occurred_at);
        Ok((from, entries))
    }

    /// Posts entries and moves the cursor, in one transaction.
    ///
    /// # Errors
    /// Nothing was posted; or the answer was lost, and the cursor tells.
    pub async fn post(&mut self, from: Cursor, entries: &[Entry]) -> Result<Posted, RelayError> {
        let started = Instant::now();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(self.ledger.writer().await?),
        };
        let posted = match writer.post(self.partition, from, entries).await {
            Ok(posted) => posted,
            Err(error) => {
                self.forget();
                return Err(error.into());
            }
        };
        self.cursor = Some(posted.cursor);
        self.instruments
            .relay_batch(posted.events as u64, started.elapsed());
        Ok(posted)
    }

    /// Tells those who wait, freezes whose events went to quarantine, tells Redis and trims the stream.
    ///
    /// # Errors
    /// Redis did not answer; what is posted stays posted, and the next step publishes again.
    pub async fn publish(&mut self, posted: &Posted) -> Result<(), RelayError> {
        if posted.queued > 0 {
            self.instruments.quarantined(posted.queued as u64);
        }
        for account in posted
            .quarantined
            .iter()
            .filter(|account| !account.is_empty())
        {
            tracing::error!(
                account,
                "an event cannot be posted: it is in quarantine, and its account frozen"
            );
            self.holds.freeze(account).await?;
        }
        self.tell(posted.cursor).await
    }

    /// Tells those who wait here, and Redis, how far the ledger is.
    async fn tell(&self, cursor: Cursor) -> Result<(), RelayError> {
        self.waits.reached(self.partition, cursor);
        let Cursor { epoch, n } = cursor;
        self.holds
            .publish_ledger(self.partition, epoch, n, self.options.tail)
            .await?;
        Ok(())
    }

    /// After a failure: connect anew, ask where the ledger is.
    fn forget(&mut self) {
        self.writer = None;
        self.cursor = None;
    }

    /// Freezes again whoever a crash left in quarantine without being frozen.
    async fn refreeze(&self) -> Result<(), RelayError> {
        for account in self.ledger.quarantined_accounts(self.partition).await? {
            self.holds.freeze(&account).await?;
        }
        Ok(())
    }

    /// Steps until the flag is raised.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut backoff = BACKOFF.0;
        let mut started = false;
        loop {
            let turn = async {
                if !started {
                    self.refreeze().await?;
                    started = true;
                }
                self.turn().await
            };
            let result = tokio::select! {
                result = turn => result,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let pause = match result {
                Ok(()) => {
                    backoff = BACKOFF.0;
                    self.options.pause
                }
                Err(error) => {
                    self.complain(&error);
                    self.forget();
                    backoff = (backoff * 2).min(BACKOFF.1);
                    backoff
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One step, or a wait for something to do.
    async fn turn(&mut self) -> Result<(), RelayError> {
        let moved = self.step().await?;
        let Some(at) = self.cursor else { return Ok(()) };
        self.measure(at, moved).await?;
        if moved == 0 {
            self.holds
                .wait_log(self.partition, at.epoch, at.n, WAIT)
                .await?;
        }
        Ok(())
    }

    /// How far behind the ledger is: entries now, and the age of what was moved last.
    async fn measure(&self, at: Cursor, moved: usize) -> Result<(), RelayError> {
        let head = self.holds.head(self.partition).await?;
        let age = match self.moved_from.filter(|_| moved > 0) {
            Some(occurred_at) => self.holds.server_time().await? - occurred_at,
            None => 0,
        };
        self.instruments.ledger_lag(
            u16::try_from(self.partition).unwrap_or(u16::MAX),
            head.n.saturating_sub(at.n),
            Duration::from_micros(u64::try_from(age).unwrap_or(0)),
        );
        Ok(())
    }

    fn complain(&self, error: &RelayError) {
        let partition = self.partition;
        match error {
            // The other one did the work.
            RelayError::Ledger(LedgerError::Overtaken { .. }) => {
                tracing::debug!(partition, %error, "another relay was here")
            }
            RelayError::Ledger(LedgerError::Unavailable(_))
            | RelayError::Holds(HoldsError::Unavailable(_)) => {
                tracing::warn!(partition, %error, "a store does not answer; the relay tries again");
            }
            _ => tracing::error!(partition, %error, "the relay cannot go on; it tries again"),
        }
    }
}

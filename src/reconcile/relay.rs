//! The relay of a partition: moves entries from the stream to the ledger, exactly once whoever else tries.
//!
//! Owns no state but connections: where to go on is the ledger's cursor, read anew after every failure. A step is read, post,
//! publish; killed between any two, the next step of any relay goes on rightly.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::{LedgerWait, Memory, tail::Tail};
use crate::{
    domain::{account::Micros, event::Entry},
    holds::{Holds, HoldsError},
    ledger::{Cursor, Ledger, LedgerError, Posted, Writer},
    telemetry::Instruments,
};

/// How long a freeze waits for the ledger to have what its account must be loaded from.
const FREEZE_PATIENCE: Duration = Duration::from_secs(60);
/// How long one wait for the next entry blocks; a stop waits for it.
const WAIT: Duration = Duration::from_millis(500);
/// Between tries when a store does not answer: from, up to.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Bounds of a relay.
#[derive(Clone, Copy, Debug)]
pub struct RelayOptions {
    /// Most entries in a step.
    pub batch: usize,
    /// The least time between two steps, so that a batch is worth its transaction.
    pub pause: Duration,
    /// How long entries gather between two steps while nobody waits for the ledger: its transactions share cores and disk with Redis.
    pub gather: Duration,
    /// How long entries stay in the stream after they are posted.
    pub tail: Duration,
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

impl RelayError {
    /// Another relay did the work.
    #[must_use]
    pub const fn is_overtaken(&self) -> bool {
        matches!(self, Self::Ledger(LedgerError::Overtaken { .. }))
    }
}

/// The relay of one partition.
pub struct Relay {
    partition: u32,
    holds: Holds,
    ledger: Ledger,
    waits: LedgerWait,
    memory: Memory,
    instruments: Arc<Instruments>,
    options: RelayOptions,
    writer: Option<Writer>,
    cursor: Option<Cursor>,
    tail: Tail,
    /// Most entries in the next step: halved by each that Postgres did not take, so that none is too large for ever.
    batch: usize,
    /// When the first entry of the last step occurred.
    moved_from: Option<Micros>,
}

impl Relay {
    /// A relay that has read nothing yet.
    #[must_use]
    pub fn new(
        partition: u32,
        holds: Holds,
        ledger: Ledger,
        waits: LedgerWait,
        instruments: Arc<Instruments>,
        options: RelayOptions,
    ) -> Self {
        Self {
            partition,
            memory: Memory::new(
                holds.clone(),
                ledger.clone(),
                waits.clone(),
                FREEZE_PATIENCE,
            ),
            holds,
            ledger,
            waits,
            instruments,
            options,
            writer: None,
            cursor: None,
            tail: Tail::new(options.tail),
            batch: options.batch,
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
        let posted = self.post_dense(from, &entries).await?;
        self.publish(&posted).await?;
        Ok(usize::try_from(posted.cursor.n - from.n).unwrap_or(usize::MAX))
    }

    /// The entries after the ledger's cursor.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn read(&mut self) -> Result<(Cursor, Vec<Entry>), RelayError> {
        let from = match self.cursor {
            Some(cursor) => cursor,
            None => {
                let known = self.waits.cursor(self.partition);
                let cursor = self.ledger.cursor(self.partition).await?;
                self.looked(known, cursor);
                // Whoever posted up to here may have died before telling. Of another era there is nobody to tell.
                match self.tell(cursor).await {
                    Ok(()) | Err(RelayError::Holds(HoldsError::Fenced(_))) => {}
                    Err(error) => return Err(error),
                }
                *self.cursor.insert(cursor)
            }
        };
        let entries = self
            .holds
            .read_log(self.partition, from.epoch, from.n, self.batch)
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
                if matches!(error, LedgerError::Unavailable(_)) {
                    self.batch = (self.batch / 2).max(1);
                }
                self.forget();
                return Err(error.into());
            }
        };
        self.batch = (self.batch * 2).min(self.options.batch);
        self.cursor = Some(posted.cursor);
        self.instruments
            .relay_batch(posted.events as u64, started.elapsed());
        Ok(posted)
    }

    /// Posts entries while they are dense. One that is missing right behind the cursor is never skipped: the partition is suspected,
    /// and the recovery looks whether it is lost.
    async fn post_dense(&mut self, from: Cursor, entries: &[Entry]) -> Result<Posted, RelayError> {
        // Where none is, all are tried, and the gap is the answer.
        let dense = match from.dense(self.partition, entries) {
            0 => entries.len(),
            dense => dense,
        };
        let posted = self.post(from, &entries[..dense]).await;
        if let Err(RelayError::Ledger(LedgerError::Gap { .. })) = posted {
            self.holds.suspect(self.partition);
        }
        posted
    }

    /// Tells those who wait, freezes whose events went to quarantine, tells Redis and trims the stream.
    ///
    /// # Errors
    /// Redis did not answer; what is posted stays posted, and the next step publishes again.
    pub async fn publish(&mut self, posted: &Posted) -> Result<(), RelayError> {
        self.freeze(posted);
        self.tell(posted.cursor).await
    }

    /// Freezes whose events went to quarantine.
    pub(super) fn freeze(&self, posted: &Posted) {
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
            self.start_freezing(account.clone());
        }
    }

    /// Beside the relay: an account that must be loaded first waits for what the relay has yet to post. If it fails, the next start
    /// freezes the account again.
    fn start_freezing(&self, account: String) {
        let memory = self.memory.clone();
        tokio::spawn(async move {
            if let Err(error) = memory.freeze(&account).await {
                tracing::error!(account, %error, "an account in quarantine could not be frozen");
            }
        });
    }

    /// What it runs operations by, for who drives it.
    pub(super) fn memory(&self) -> (Memory, LedgerWait) {
        (self.memory.clone(), self.waits.clone())
    }

    /// How far the ledger is known to be.
    pub(super) fn known(&self) -> Option<Cursor> {
        self.waits.cursor(self.partition)
    }

    /// The ledger is known to be this far.
    pub(super) fn reached(&self, cursor: Cursor) {
        self.waits.reached(self.partition, cursor);
    }

    /// Tells those who wait here, and Redis, how far the ledger is.
    async fn tell(&mut self, cursor: Cursor) -> Result<(), RelayError> {
        self.waits.reached(self.partition, cursor);
        let begins = self.tail.reached(Instant::now(), cursor);
        let Cursor { epoch, n } = cursor;
        self.holds
            .publish_ledger(
                self.partition,
                (epoch, n),
                begins.map(|at| (at.epoch, at.n)),
            )
            .await?;
        Ok(())
    }

    /// The ledger was asked where it is; `known` is where it was known to be before that. One that is further back was replaced by an
    /// older copy: who waits waits anew, and names of grants that it no longer has are not known.
    pub(super) fn looked(&self, known: Option<Cursor>, found: Cursor) {
        if known.is_some_and(|known| known > found) {
            tracing::error!(partition = self.partition, ?known, %found, "the ledger went back to an older copy");
            self.ledger.forget_names();
            self.waits.went_back(self.partition, found);
        }
    }

    /// After a failure: connect anew, ask where the ledger is.
    pub(super) fn forget(&mut self) {
        self.writer = None;
        self.cursor = None;
    }

    /// Freezes again whoever a crash left in quarantine without being frozen.
    async fn refreeze(&self) -> Result<(), RelayError> {
        for account in self.ledger.quarantined_accounts(self.partition).await? {
            self.start_freezing(account);
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
            let (pause, gather) = match result {
                Ok(moved) => {
                    backoff = BACKOFF.0;
                    (self.options.pause, self.gathering(moved))
                }
                Err(error) => {
                    self.complain(&error);
                    self.forget();
                    // Whoever should have been frozen meanwhile is frozen now.
                    started = false;
                    backoff = (backoff * 2).min(BACKOFF.1);
                    (backoff, Duration::ZERO)
                }
            };
            let rest = async {
                tokio::time::sleep(pause).await;
                if let Some(at) = self.cursor {
                    self.waits.wanted(self.partition, at, gather).await;
                }
            };
            tokio::select! {
                () = rest => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// How long entries may gather after a step: not at all behind a wait for the first one, or while there are more than a batch.
    fn gathering(&self, moved: usize) -> Duration {
        if moved == 0 || moved >= self.batch {
            return Duration::ZERO;
        }
        self.options.gather.saturating_sub(self.options.pause)
    }

    /// One step, or a wait for something to do; says how many entries it moved.
    async fn turn(&mut self) -> Result<usize, RelayError> {
        let moved = self.step().await?;
        let Some(at) = self.cursor else {
            return Ok(moved);
        };
        self.measure(at, moved).await?;
        if moved == 0 {
            self.holds
                .wait_log(self.partition, at.epoch, at.n, WAIT)
                .await?;
        }
        Ok(moved)
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
            // It is read once before the cursor is, after a recovery; else the recovery says what it finds.
            RelayError::Ledger(LedgerError::Gap { .. }) => {
                tracing::warn!(partition, %error, "the partition is suspected");
            }
            error if error.is_overtaken() => {
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

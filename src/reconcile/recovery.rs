//! Recovery of a partition: a new era, when the server is not the one on which the partition was opened, or Redis does not know it.
//!
//! Owns the order of steps. Each leaves a state from which the next recovery, of whichever process, begins anew: a new epoch by
//! compare and swap in the ledger; Redis fenced at it, closed; what survived in the stream posted while it is dense; the cursor moved
//! to the new era; the partition opened. Afterwards all that Redis holds of an older era is void, and accounts are loaded from the
//! ledger when they are touched.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

use super::{
    RecoveryError, Relay, Replays,
    drain::drain,
    redo::{Redo, while_held},
};
use crate::{
    holds::{Era, Holds, Meta, Server},
    ledger::{Crossing, Cursor, EraRow, Lease, Ledger},
};

/// Between two looks at a partition that nobody suspects.
const LOOK: Duration = Duration::from_secs(1);
/// Between two tries at a partition that is not open.
const RETRY: Duration = Duration::from_millis(100);
/// The longest that callers wait for other processes' replays.
const REPLAYS_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at whether they are done.
const REPLAYS_LOOK: Duration = Duration::from_millis(50);

/// What a look at a partition found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is open, and calls go out under its era.
    Open,
    /// It was recovered just now.
    Recovered,
    /// Another process recovers it.
    Elsewhere,
}

/// Watches over one partition.
pub struct Recovery {
    partition: u32,
    holds: Holds,
    ledger: Ledger,
    /// Posts what survived in the stream.
    relay: Relay,
    test_clock: bool,
    /// What this process acknowledged.
    replays: Option<Replays>,
}

impl Recovery {
    /// A watcher; `relay` is its own.
    #[must_use]
    pub const fn new(
        partition: u32,
        holds: Holds,
        ledger: Ledger,
        relay: Relay,
        test_clock: bool,
    ) -> Self {
        Self {
            partition,
            holds,
            ledger,
            relay,
            test_clock,
            replays: None,
        }
    }

    /// The same, in a process that has acknowledgements to replay.
    #[must_use]
    pub fn with_replays(self, replays: Replays) -> Self {
        Self {
            replays: Some(replays),
            ..self
        }
    }

    /// Looks at the partition and, if it is not open on this very server, recovers it.
    ///
    /// # Errors
    /// It is not open; looking again may help.
    pub async fn step(&mut self) -> Result<Look, RecoveryError> {
        let known = self.relay.known();
        let row = self.ledger.era(self.partition).await?;
        self.relay.looked(known, row.cursor);
        if self.is_open(&row).await? {
            return self.opened(row).await;
        }
        let Some(lease) = self.ledger.lease(self.partition).await? else {
            self.join_in(row).await?;
            return Ok(Look::Elsewhere);
        };
        // Whoever had the lease before may have done it.
        let row = self.ledger.era(self.partition).await?;
        if self.is_open(&row).await? {
            return self.opened(row).await;
        }
        self.recover(lease, row).await?;
        Ok(Look::Recovered)
    }

    /// Recovers the partition even if nothing is wrong with it, unless another process recovers it now.
    ///
    /// # Errors
    /// It may be closed; doing it again may help.
    pub async fn force(&mut self) -> Result<Look, RecoveryError> {
        let Some(lease) = self.ledger.lease(self.partition).await? else {
            return Ok(Look::Elsewhere);
        };
        // Before anything is closed: a wrong URL must not stop a service.
        if !self.holds.server(self.partition).await?.master {
            return Err(RecoveryError::NotMaster(self.partition));
        }
        let row = self.ledger.era(self.partition).await?;
        self.recover(lease, row).await?;
        Ok(Look::Recovered)
    }

    /// The ledger, Redis and the server agree; calls then name this era.
    async fn is_open(&self, row: &EraRow) -> Result<bool, RecoveryError> {
        let (meta, server) = (
            self.holds.meta(self.partition).await?,
            self.holds.server(self.partition).await?,
        );
        if !server.master {
            return Err(RecoveryError::NotMaster(self.partition));
        }
        let open = agree(row, &meta, &server) && self.follows(row, &meta).await?;
        if open {
            let replication_id = row.replication_id.clone();
            self.relay.reached(row.cursor);
            let era = Era {
                epoch: row.epoch,
                replication_id,
            };
            self.holds.set_replay_era(self.partition, era.clone());
            self.holds.set_era(self.partition, era);
        }
        Ok(open)
    }

    /// Replays what came too late for the recovery itself, and gives the sign of life.
    async fn opened(&mut self, row: EraRow) -> Result<Look, RecoveryError> {
        if let Some(replays) = &self.replays {
            replays.step(self.partition, row.epoch).await?;
        }
        if row.replays_wait
            && let Some(lease) = self.ledger.lease(self.partition).await?
        {
            let era = self.holds.era(self.partition);
            while_held(&lease, Box::pin(self.redo(&era, true))).await?;
        }
        Ok(Look::Open)
    }

    /// Another process recovers the partition, and may have opened it for replays.
    async fn join_in(&self, row: EraRow) -> Result<(), RecoveryError> {
        let Some(replays) = &self.replays else {
            return Ok(());
        };
        let meta = self.holds.meta(self.partition).await?;
        let current = meta.epoch == Some(row.epoch) && row.cursor.epoch == row.epoch;
        if meta.replaying && current {
            let era = Era {
                epoch: row.epoch,
                replication_id: row.replication_id,
            };
            self.holds.set_replay_era(self.partition, era);
            replays.step(self.partition, row.epoch).await?;
        }
        Ok(())
    }

    /// What was found behind gaps.
    async fn redo(&mut self, era: &Era, last: bool) -> Result<(), RecoveryError> {
        self.holds.set_replay_era(self.partition, era.clone());
        let (memory, waits) = self.relay.memory();
        let mut redo = Redo {
            partition: self.partition,
            ledger: &self.ledger,
            memory: &memory,
            waits: &waits,
            relay: &mut self.relay,
        };
        redo.run(era, last).await
    }

    /// This process' replays, then the others', as long as callers can wait for them.
    async fn replay(&self, era: &Era) -> Result<(), RecoveryError> {
        let Some(replays) = &self.replays else {
            return Ok(());
        };
        self.holds.set_replay_era(self.partition, era.clone());
        replays.step(self.partition, era.epoch).await?;
        let deadline = Instant::now() + REPLAYS_LIMIT;
        while Instant::now() < deadline && replays.awaited(self.partition, era.epoch).await? {
            tokio::time::sleep(REPLAYS_LOOK).await;
        }
        Ok(())
    }

    /// The entry after the ledger's cursor is there, if there is to be one.
    async fn follows(&self, row: &EraRow, meta: &Meta) -> Result<bool, RecoveryError> {
        let mut cursor = row.cursor;
        while cursor.n < meta.n && cursor.epoch == row.epoch {
            let next = self
                .holds
                .read_log(self.partition, cursor.epoch, cursor.n, 1)
                .await?;
            let next = next.first().map(|entry| (entry.epoch, entry.n));
            if next == Some((cursor.epoch, cursor.n + 1)) {
                return Ok(true);
            }
            // A relay that posted it may have trimmed it since the cursor was read.
            let now = self.ledger.cursor(self.partition).await?;
            if now == cursor {
                tracing::error!(partition = self.partition, after = %cursor, ?next, "an entry is missing");
                return Ok(false);
            }
            cursor = now;
        }
        Ok(true)
    }

    async fn recover(&mut self, mut lease: Lease, row: EraRow) -> Result<(), RecoveryError> {
        let (partition, moved) = (self.partition, RecoveryError::Moved(self.partition));
        let (meta, server) = (
            self.holds.meta(partition).await?,
            self.holds.server(partition).await?,
        );
        let service = self.ledger.service_id().await?;
        self.is_ours(&meta, &service)?;
        let now = self.holds.server_time().await?;
        let clock = if self.test_clock {
            Some(self.ledger.test_clock_at(now).await?)
        } else {
            None
        };
        let may_lose = self.may_lose(&row, &meta, &server).await?;
        let era = Era {
            epoch: new_epoch(&row, &meta, now),
            replication_id: server.replication_id,
        };
        tracing::warn!(
            partition,
            from = row.epoch,
            to = era.epoch,
            "recovery of a partition begins"
        );

        lease.begin(&row, era.epoch).await?;
        if !self.holds.fence(partition, &era, &service).await? {
            return Err(moved);
        }
        let rooms = (&self.holds, &mut self.relay);
        let replays = self.replays.as_ref();
        // On the heap: what a drain and the replays keep between their awaits is large.
        let drain = Box::pin(drain(
            (partition, era.epoch),
            rooms,
            &mut lease,
            replays,
            &meta,
        ))
        .await?;
        let (from, drained) = (drain.from, drain.report);
        let lost = may_lose || drained.missing > 0;
        let lost_at = lost.then_some(clock.unwrap_or(now));
        let crossing = Crossing {
            from,
            epoch: era.epoch,
            replication_id: &era.replication_id,
            drained,
            lost_at,
            behind: &drain.behind,
        };
        let lost_at = lease.cross(crossing).await?;
        if !self
            .holds
            .open(partition, &era, &from.to_string(), clock, lost_at)
            .await?
        {
            return Err(moved);
        }
        self.relay.reached(Cursor {
            epoch: era.epoch,
            n: 0,
        });
        let replays = async {
            self.redo(&era, false).await?;
            self.replay(&era).await?;
            self.redo(&era, true).await
        };
        while_held(&lease, Box::pin(replays)).await?;
        if !self.holds.admit(partition, &era).await? {
            return Err(moved);
        }
        lease.open(era.epoch).await?;
        tracing::warn!(
            partition,
            epoch = era.epoch,
            posted = drained.posted,
            behind_a_gap = drained.behind_a_gap,
            "the partition is open again"
        );
        self.holds.set_replay_era(partition, era.clone());
        self.holds.set_era(partition, era);
        Ok(())
    }

    /// Whether something that was acknowledged may be gone. Not at a service's first start; nor when the same server still has the era
    /// whole, so that an operator's recovery of a sound partition does not count.
    async fn may_lose(
        &self,
        row: &EraRow,
        meta: &Meta,
        server: &Server,
    ) -> Result<bool, RecoveryError> {
        Ok(row.served && !(agree(row, meta, server) && self.follows(row, meta).await?))
    }

    /// A wrong URL must not empty somebody else's Redis.
    fn is_ours(&self, meta: &Meta, service: &str) -> Result<(), RecoveryError> {
        let (partition, expected) = (self.partition, self.holds.partitions());
        if let Some(found) = meta.service.clone().filter(|found| found != service) {
            return Err(RecoveryError::OtherService {
                partition,
                found,
                expected: service.to_owned(),
            });
        }
        match meta.partitions {
            Some(found) if found != expected => Err(RecoveryError::OtherCount {
                partition,
                found,
                expected,
            }),
            _ => Ok(()),
        }
    }

    /// Looks until the flag is raised: at once when a call was fenced off, else now and then.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let holds = self.holds.clone();
        let mut pause = LOOK;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = holds.suspected(self.partition) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            pause = match self.step().await {
                Ok(Look::Open | Look::Recovered) => LOOK,
                Ok(Look::Elsewhere) => RETRY,
                Err(error) => {
                    tracing::warn!(partition = self.partition, %error, "the partition is not open");
                    RETRY
                }
            };
        }
    }
}

/// The partition is open by the ledger, by Redis and on this very server.
pub(super) fn agree(row: &EraRow, meta: &Meta, server: &Server) -> bool {
    let recorded = Some(&row.replication_id);
    server.master
        && row.open
        && meta.open
        && meta.epoch == Some(row.epoch)
        && meta.replication_id.as_ref() == recorded
        && Some(&server.replication_id) == recorded
        && is_whole(row, meta)
}

/// The stream ends where the partition says, and not before the ledger's cursor. Both were read after the row, so neither can be behind
/// by mere movement.
fn is_whole(row: &EraRow, meta: &Meta) -> bool {
    let newest = meta.newest_entry.filter(|(epoch, _)| *epoch == row.epoch);
    meta.n >= row.cursor.n && newest.is_some_and(|(_, n)| n >= meta.n)
}

/// Greater than any that the ledger, Redis or its stream know, and than the clock's milliseconds: an epoch never returns.
fn new_epoch(row: &EraRow, meta: &Meta, now: i64) -> u64 {
    let clock = u64::try_from(now / 1000).unwrap_or(0);
    let known = [
        row.epoch,
        row.cursor.epoch,
        meta.epoch.unwrap_or(0),
        meta.newest_entry.map_or(0, |(epoch, _)| epoch),
    ];
    known
        .into_iter()
        .fold(clock, |newest, epoch| newest.max(epoch + 1))
}

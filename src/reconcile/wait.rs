//! How far the ledger is, for those who wait for it: one channel per partition, fed by this process' relays and by Postgres'
//! notifications of the others'. Waiting never touches the hot path.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::ledger::{Cursor, Ledger, LedgerError};

/// The cursors of all partitions as they are known here. Cheap to clone.
#[derive(Clone)]
pub struct LedgerWait {
    partitions: Arc<Vec<Known>>,
}

/// Of one partition.
struct Known {
    /// How far the ledger is.
    cursor: watch::Sender<Cursor>,
    /// How far somebody here needs it to be.
    wanted: watch::Sender<Cursor>,
}

/// Moves a mark forward, never back.
fn raise(mark: &watch::Sender<Cursor>, to: Cursor) {
    mark.send_if_modified(|at| {
        let further = to > *at;
        if further {
            *at = to;
        }
        further
    });
}

impl LedgerWait {
    /// Starts from what the ledger has.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn new(ledger: &Ledger) -> Result<Self, LedgerError> {
        let rows = ledger.partitions().await?;
        let known = |cursor| Known {
            cursor: watch::Sender::new(cursor),
            wanted: watch::Sender::new(cursor),
        };
        let partitions = rows.into_iter().map(|row| known(row.cursor)).collect();
        Ok(Self {
            partitions: Arc::new(partitions),
        })
    }

    /// The ledger is at least this far.
    pub fn reached(&self, partition: u32, cursor: Cursor) {
        if let Some(known) = self.partitions.get(partition as usize) {
            raise(&known.cursor, cursor);
        }
    }

    /// Postgres went back to an older copy: the ledger was seen to be only this far.
    pub fn went_back(&self, partition: u32, cursor: Cursor) {
        if let Some(known) = self.partitions.get(partition as usize) {
            known.cursor.send_replace(cursor);
        }
    }

    /// How far the ledger is known to be.
    #[must_use]
    pub fn cursor(&self, partition: u32) -> Option<Cursor> {
        self.partitions
            .get(partition as usize)
            .map(|known| *known.cursor.borrow())
    }

    /// Waits until somebody needs the ledger to be further than `at`, at most `limit`.
    pub async fn wanted(&self, partition: u32, at: Cursor, limit: Duration) {
        if let Some(known) = self.partitions.get(partition as usize) {
            let mut wanted = known.wanted.subscribe();
            let waiting = wanted.wait_for(|wanted| *wanted > at);
            // Either way it is time to go on.
            let _ = tokio::time::timeout(limit, waiting).await;
        }
    }

    /// Waits until the ledger has entry `n` of `epoch`, at most `limit`; says whether it has. A later epoch is no answer:
    /// what became of the entry is then for the recovery to say.
    pub async fn wait_for(&self, partition: u32, epoch: u64, n: u64, limit: Duration) -> bool {
        let Some(known) = self.partitions.get(partition as usize) else {
            return false;
        };
        raise(&known.wanted, Cursor { epoch, n });
        let mut known = known.cursor.subscribe();
        let waiting = known
            .wait_for(|cursor| cursor.epoch > epoch || (cursor.epoch == epoch && cursor.n >= n));
        matches!(tokio::time::timeout(limit, waiting).await, Ok(Ok(cursor)) if cursor.epoch == epoch)
    }
}

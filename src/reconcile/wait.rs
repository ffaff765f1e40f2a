//! How far the ledger is, for those who wait for it: one channel per partition, fed by this process' relays and by Postgres'
//! notifications of the others'. Waiting never touches the hot path.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::ledger::{Cursor, Ledger, LedgerError};

/// The cursors of all partitions as they are known here. Cheap to clone.
#[derive(Clone)]
pub struct LedgerWait {
    cursors: Arc<Vec<watch::Sender<Cursor>>>,
}

impl LedgerWait {
    /// Starts from what the ledger has.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn new(ledger: &Ledger) -> Result<Self, LedgerError> {
        let rows = ledger.partitions().await?;
        let cursors = rows
            .into_iter()
            .map(|row| watch::Sender::new(row.cursor))
            .collect();
        Ok(Self {
            cursors: Arc::new(cursors),
        })
    }

    /// The ledger is at least this far. Never goes back within an epoch.
    pub fn reached(&self, partition: u32, cursor: Cursor) {
        if let Some(known) = self.cursors.get(partition as usize) {
            known.send_if_modified(|known| {
                let further = cursor > *known;
                if further {
                    *known = cursor;
                }
                further
            });
        }
    }

    /// How far the ledger is known to be.
    #[must_use]
    pub fn cursor(&self, partition: u32) -> Option<Cursor> {
        self.cursors
            .get(partition as usize)
            .map(|known| *known.borrow())
    }

    /// Waits until the ledger has entry `n` of `epoch`, at most `limit`; says whether it has. A later epoch is no answer:
    /// what became of the entry is then for the recovery to say.
    pub async fn wait_for(&self, partition: u32, epoch: u64, n: u64, limit: Duration) -> bool {
        let Some(known) = self.cursors.get(partition as usize) else {
            return false;
        };
        let mut known = known.subscribe();
        let waiting = known
            .wait_for(|cursor| cursor.epoch > epoch || (cursor.epoch == epoch && cursor.n >= n));
        matches!(tokio::time::timeout(limit, waiting).await, Ok(Ok(cursor)) if cursor.epoch == epoch)
    }
}

//! Partitions as an operator asks about them: the ledger's word, Redis' word, and whether they are one.
//!
//! Only looks: raises no suspicion, recovers nothing.

use super::{RecoveryError, recovery::agree};
use crate::{
    holds::Holds,
    ledger::{Cursor, Ledger, RecoveryRow},
};

/// One partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Which.
    pub partition: u32,
    /// The era that the ledger records.
    pub epoch: u64,
    /// It takes calls on this server: the ledger, Redis and the server agree, and the stream is whole.
    pub open: bool,
    /// How far the ledger is.
    pub cursor: Cursor,
    /// The last entry in Redis; none if Redis does not know the partition.
    pub n: Option<u64>,
    /// Entries that the ledger does not have yet; none if Redis is at another era than the cursor.
    pub lag: Option<u64>,
    /// The server is a master and has the replication id under which the era was opened.
    pub same_server: bool,
    /// What the last recovery reported.
    pub last_recovery: Option<RecoveryRow>,
}

/// All partitions, by number.
///
/// # Errors
/// A store does not answer.
pub async fn status(holds: &Holds, ledger: &Ledger) -> Result<Vec<PartitionStatus>, RecoveryError> {
    let recoveries = ledger.last_recoveries().await?;
    let mut partitions = Vec::new();
    for partition in 0..holds.partitions() {
        // The row first, as a recovery reads them: Redis is then never behind it by mere movement.
        let row = ledger.era(partition).await?;
        let meta = holds.meta(partition).await?;
        let server = holds.server(partition).await?;
        let n = meta.epoch.map(|_| meta.n);
        partitions.push(PartitionStatus {
            partition,
            epoch: row.epoch,
            open: agree(&row, &meta, &server),
            cursor: row.cursor,
            n,
            lag: n
                .filter(|_| meta.epoch == Some(row.cursor.epoch))
                .map(|n| n.saturating_sub(row.cursor.n)),
            same_server: server.master && server.replication_id == row.replication_id,
            last_recovery: recoveries.get(&partition).copied(),
        });
    }
    Ok(partitions)
}

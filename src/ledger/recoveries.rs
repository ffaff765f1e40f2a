//! What recoveries reported, for people.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Ledger, LedgerError, value};

/// What a recovery reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryRow {
    /// The era that it opened.
    pub epoch: u64,
    /// When.
    pub finished_at: Timestamp,
    /// Entries that had survived in the stream and were posted.
    pub drained: u64,
    /// Entries behind a missing one.
    pub behind_a_gap: u64,
}

impl Ledger {
    /// The last recovery of each partition that had one.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn last_recoveries(&self) -> Result<BTreeMap<u32, RecoveryRow>, LedgerError> {
        let sql =
            "select distinct on (partition) partition, epoch, finished_at, drained, behind_a_gap
            from recoveries order by partition, id desc";
        let rows = self.rows(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let recovery = RecoveryRow {
                    epoch: value::unsigned(row.get(1))?,
                    finished_at: row.get(2),
                    drained: value::unsigned(row.get(3))?,
                    behind_a_gap: value::unsigned(row.get(4))?,
                };
                Ok((value::unsigned_int(row.get(0))?, recovery))
            })
            .collect()
    }
}

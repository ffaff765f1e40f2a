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
    /// Events of those that were done again, and that the ledger has.
    pub replayed: u64,
    /// Events of those that could not be, or have yet to be.
    pub not_replayed: u64,
    /// Entries that are known to be missing.
    pub missing: u64,
    /// Something acknowledged may be gone, also uncounted at the stream's end.
    pub may_have_lost: bool,
}

impl Ledger {
    /// The last recovery of each partition that had one.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn last_recoveries(&self) -> Result<BTreeMap<u32, RecoveryRow>, LedgerError> {
        let sql =
            "select r.partition, r.epoch, r.finished_at, r.drained, r.behind_a_gap, r.missing, r.may_have_lost, p.done, p.not_done
            from (select distinct on (partition) * from recoveries order by partition, id desc) r
            cross join lateral (
                select count(*) filter (where done_at is not null and why is null) as done,
                    count(*) filter (where done_at is null or why is not null) as not_done
                from replays where partition = r.partition and era = r.epoch
            ) p";
        let rows = self.rows(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let recovery = RecoveryRow {
                    epoch: value::unsigned(row.get(1))?,
                    finished_at: row.get(2),
                    drained: value::unsigned(row.get(3))?,
                    behind_a_gap: value::unsigned(row.get(4))?,
                    missing: value::unsigned(row.get(5))?,
                    may_have_lost: row.get(6),
                    replayed: value::unsigned(row.get(7))?,
                    not_replayed: value::unsigned(row.get(8))?,
                };
                Ok((value::unsigned_int(row.get(0))?, recovery))
            })
            .collect()
    }
}

//! The lease: who may recover a partition, and the steps of a recovery that the ledger records.

use std::time::Duration;

use tokio_postgres::Client;

use super::{
    Cursor, EraRow, Ledger, LedgerError,
    connect::bounded,
    to_replay::{self, ToReplay},
    value,
};
use crate::domain::account::Micros;

/// The first key of the advisory locks that are leases; the second is the partition.
const LEASE_SPACE: i32 = 0x484f_4c44;

/// The right to recover a partition: a lock on a connection of its own, gone with it.
///
/// What Postgres leaves unanswered is given up, and the lease with it. A statement that it does later does nothing unless the
/// partition is still where it was.
pub struct Lease {
    client: Client,
    partition: u32,
    limit: Duration,
}

/// How a recovery leaves the older era.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// The last entry that was posted.
    pub from: Cursor,
    /// The new era.
    pub epoch: u64,
    /// Under which it is opened.
    pub replication_id: &'a str,
    /// For the report.
    pub drained: Drained,
    /// When something that was acknowledged may have been lost; none if nothing can have been.
    pub lost_at: Option<Micros>,
    /// What was found behind a gap.
    pub behind: &'a [ToReplay],
}

/// What a recovery did, for its report row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Entries that had survived in the stream and were posted.
    pub posted: u64,
    /// Entries behind a missing one.
    pub behind_a_gap: u64,
    /// Entries that are known to be missing.
    pub missing: u64,
}

impl Ledger {
    /// The right to recover a partition, if nobody else has it.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn lease(&self, partition: u32) -> Result<Option<Lease>, LedgerError> {
        let client = self.session().await?;
        let sql = "select pg_try_advisory_lock($1, $2)";
        let id = value::int(partition)?;
        // A holder that stands still, and not only its process, must not keep the partition closed.
        let patience = format!(
            "set idle_session_timeout = {}",
            (2 * self.limit).as_millis()
        );
        let taken: bool = bounded(self.limit, async {
            client.batch_execute(&patience).await?;
            let row = client.query_one(sql, &[&LEASE_SPACE, &id]).await?;
            Ok::<_, LedgerError>(row.get(0))
        })
        .await?;
        let limit = self.limit;
        Ok(taken.then_some(Lease {
            client,
            partition,
            limit,
        }))
    }
}

impl Lease {
    /// Begins a new era, closed: by compare and swap, so that of two recoveries one goes on.
    ///
    /// # Errors
    /// [`LedgerError::Overtaken`] if the era is not `from` any more.
    pub async fn begin(&self, from: &EraRow, epoch: u64) -> Result<(), LedgerError> {
        let sql = "update partitions set current_epoch = $3, open = false where id = $1 and current_epoch = $2";
        let (id, old, new) = (
            value::int(self.partition)?,
            value::bigint(from.epoch)?,
            value::bigint(epoch)?,
        );
        let begun = bounded(self.limit, async {
            Ok::<_, LedgerError>(self.client.execute(sql, &[&id, &old, &new]).await?)
        });
        one(begun.await?, self.partition, from.cursor)
    }

    /// Moves the cursor from the old era's last posted entry to the new era's beginning, and reports. Answers the last instant at which
    /// something may have been lost, by this recovery or one before.
    ///
    /// # Errors
    /// [`LedgerError::Overtaken`] if the cursor or the era is elsewhere.
    pub async fn cross(&mut self, crossing: Crossing<'_>) -> Result<Option<Micros>, LedgerError> {
        bounded(self.limit, self.try_cross(crossing)).await
    }

    async fn try_cross(&mut self, crossing: Crossing<'_>) -> Result<Option<Micros>, LedgerError> {
        let Crossing {
            from,
            epoch,
            replication_id,
            drained,
            lost_at,
            behind,
        } = crossing;
        let (id, new) = (value::int(self.partition)?, value::bigint(epoch)?);
        let (old_epoch, old_n) = (value::bigint(from.epoch)?, value::bigint(from.n)?);
        let tx = self.client.transaction().await?;
        let sql = "update partitions set epoch = $4, n = 0, replication_id = $5, opened_at = now(), lost_at = coalesce($6, lost_at)
            where id = $1 and epoch = $2 and n = $3 and current_epoch = $4 and not open returning lost_at";
        let moved = tx
            .query_opt(
                sql,
                &[&id, &old_epoch, &old_n, &new, &replication_id, &lost_at],
            )
            .await?;
        let Some(moved) = moved else {
            return Err(overtaken(self.partition, from));
        };
        to_replay::store(&tx, epoch, behind).await?;
        let sql = "insert into recoveries
            (partition, epoch, replication_id, from_epoch, from_n, drained, behind_a_gap, missing, may_have_lost)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let counts = [drained.posted, drained.behind_a_gap, drained.missing].map(value::bigint);
        let [posted, stored, missing] = counts;
        tx.execute(
            sql,
            &[
                &id,
                &new,
                &replication_id,
                &old_epoch,
                &old_n,
                &posted?,
                &stored?,
                &missing?,
                &lost_at.is_some(),
            ],
        )
        .await?;
        let lost_at = moved.get(0);
        tx.commit().await?;
        Ok(lost_at)
    }

    /// Moves the cursor from an older era's last entry to the beginning of the one that followed it, to be drained next, with what
    /// stood between in the stream; `new` is the era of the recovery under way.
    ///
    /// # Errors
    /// [`LedgerError::Overtaken`] if the cursor or the era is elsewhere.
    pub async fn pass(
        &mut self,
        from: Cursor,
        to: u64,
        new: u64,
        behind: &[ToReplay],
    ) -> Result<(), LedgerError> {
        bounded(self.limit, self.try_pass(from, to, new, behind)).await
    }

    async fn try_pass(
        &mut self,
        from: Cursor,
        to: u64,
        new: u64,
        behind: &[ToReplay],
    ) -> Result<(), LedgerError> {
        let id = value::int(self.partition)?;
        let (old, n) = (value::bigint(from.epoch)?, value::bigint(from.n)?);
        let (to, era) = (value::bigint(to)?, value::bigint(new)?);
        let tx = self.client.transaction().await?;
        let sql = "update partitions set epoch = $4, n = 0
            where id = $1 and epoch = $2 and n = $3 and current_epoch = $5 and not open";
        let moved = tx.execute(sql, &[&id, &old, &n, &to, &era]).await?;
        one(moved, self.partition, from)?;
        to_replay::store(&tx, new, behind).await?;
        Ok(tx.commit().await?)
    }

    /// Shows Postgres that the holder lives: of one that stands still the lease is taken.
    ///
    /// # Errors
    /// Postgres does not answer, or has taken it.
    pub async fn keep(&self) -> Result<(), LedgerError> {
        bounded(self.limit, async {
            Ok::<_, LedgerError>(self.client.batch_execute("select 1").await?)
        })
        .await
    }

    /// Says that calls may go out under the new era.
    ///
    /// # Errors
    /// [`LedgerError::Overtaken`] if the era is another by now.
    pub async fn open(&self, epoch: u64) -> Result<(), LedgerError> {
        let sql = "update partitions set open = true, served_at = coalesce(served_at, now()) where id = $1 and current_epoch = $2 and epoch = $2";
        let (id, era) = (value::int(self.partition)?, value::bigint(epoch)?);
        let opened = bounded(self.limit, async {
            Ok::<_, LedgerError>(self.client.execute(sql, &[&id, &era]).await?)
        });
        one(opened.await?, self.partition, Cursor { epoch, n: 0 })
    }
}

/// One row was changed, or somebody else was quicker.
fn one(rows: u64, partition: u32, from: Cursor) -> Result<(), LedgerError> {
    match rows {
        1 => Ok(()),
        _ => Err(overtaken(partition, from)),
    }
}

const fn overtaken(partition: u32, from: Cursor) -> LedgerError {
    LedgerError::Overtaken { partition, from }
}

//! Eras of partitions: who may open one, what is recorded of it, and what a lost account is loaded from.

use std::time::Duration;

use tokio_postgres::Client;

use super::{Cursor, Ledger, LedgerError, connect::bounded, value};
use crate::domain::account::Micros;

/// The first key of the advisory locks that are leases; the second is the partition.
const LEASE_SPACE: i32 = 0x484f_4c44;

/// A partition's era as the ledger records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraRow {
    /// The current one.
    pub epoch: u64,
    /// The server's replication id under which it was opened; empty if it never was.
    pub replication_id: String,
    /// It was opened; calls may go out under it.
    pub open: bool,
    /// How far the ledger is.
    pub cursor: Cursor,
    /// Callers were let in at some time: before that nothing can have been acknowledged.
    pub served: bool,
}

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
}

/// What a recovery did, for its report row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Entries that had survived in the stream and were posted.
    pub posted: u64,
    /// Entries behind a missing one.
    pub behind_a_gap: u64,
}

/// An account as the ledger has it, in Redis' packed forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredAccount {
    /// The account's state after its last event.
    pub image: Vec<u8>,
    /// The era of its last event.
    pub last_epoch: u64,
    /// Its spent grants.
    pub spent: Vec<u8>,
    /// The event that made it.
    pub created: Vec<u8>,
    /// The event that closed it; empty if it is open.
    pub closed: Vec<u8>,
    /// Its open holds.
    pub holds: Vec<(String, Vec<u8>)>,
}

impl Ledger {
    /// Which service these stores belong to.
    ///
    /// # Errors
    /// Postgres does not answer, or was never set up.
    pub async fn service_id(&self) -> Result<String, LedgerError> {
        let rows = self
            .rows("select service_id::text from settings", &[])
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| LedgerError::Setup("the ledger was not set up".into()))?;
        Ok(row.get(0))
    }

    /// Where the test clock stands; at its first start, at `first`.
    ///
    /// # Errors
    /// Postgres does not answer, or was never set up.
    pub async fn test_clock_at(&self, first: Micros) -> Result<Micros, LedgerError> {
        let sql = "update settings set test_clock_at = coalesce(test_clock_at, $1) returning test_clock_at";
        let rows = self.rows(sql, &[&first]).await?;
        let row = rows
            .first()
            .ok_or_else(|| LedgerError::Setup("the ledger was not set up".into()))?;
        Ok(row.get(0))
    }

    /// Records where the test clock stands.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn set_test_clock(&self, now: Micros) -> Result<(), LedgerError> {
        self.rows("update settings set test_clock_at = $1", &[&now])
            .await
            .map(drop)
    }

    /// The era of a partition.
    ///
    /// # Errors
    /// Postgres does not answer, or knows no such partition.
    pub async fn era(&self, partition: u32) -> Result<EraRow, LedgerError> {
        let sql = "select current_epoch, replication_id, open, epoch, n, served_at is not null from partitions where id = $1";
        let rows = self.rows(sql, &[&value::int(partition)?]).await?;
        let row = rows.first().ok_or_else(|| {
            LedgerError::Setup(format!(
                "the ledger has no partition {partition}: it was not set up"
            ))
        })?;
        Ok(EraRow {
            epoch: value::unsigned(row.get(0))?,
            replication_id: row.get(1),
            open: row.get(2),
            cursor: Cursor {
                epoch: value::unsigned(row.get(3))?,
                n: value::unsigned(row.get(4))?,
            },
            served: row.get(5),
        })
    }

    /// The right to recover a partition, if nobody else has it.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn lease(&self, partition: u32) -> Result<Option<Lease>, LedgerError> {
        let client = self.session().await?;
        let sql = "select pg_try_advisory_lock($1, $2)";
        let id = value::int(partition)?;
        let taken: bool = bounded(self.limit, async {
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

    /// What an account is loaded from, if the ledger knows it; with the cursor that it was read at. Its era counts, not the current one:
    /// while a recovery is under way, what survived of the older era is still to be posted.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn stored_account(
        &self,
        partition: u32,
        account: &str,
    ) -> Result<(Cursor, Option<StoredAccount>), LedgerError> {
        let sql = include_str!("sql/load_account.sql");
        let rows = self.rows(sql, &[&account, &value::int(partition)?]).await?;
        let row = rows.first().ok_or_else(|| {
            LedgerError::Setup(format!("the ledger has no partition {partition}"))
        })?;
        let cursor = Cursor {
            epoch: value::unsigned(row.get("epoch"))?,
            n: value::unsigned(row.get("n"))?,
        };
        let bytes = |column| row.get::<_, Option<Vec<u8>>>(column).unwrap_or_default();
        let last_epoch = value::unsigned(row.get::<_, Option<i64>>("last_epoch").unwrap_or(0))?;
        let found = row.get::<_, Option<Vec<u8>>>("image").map(|image| {
            let ids = row
                .get::<_, Option<Vec<String>>>("hold_ids")
                .unwrap_or_default();
            let holds = row
                .get::<_, Option<Vec<Vec<u8>>>>("holds")
                .unwrap_or_default();
            StoredAccount {
                image,
                last_epoch,
                spent: bytes("spent_grants"),
                created: bytes("created"),
                closed: bytes("closed"),
                holds: ids.into_iter().zip(holds).collect(),
            }
        });
        Ok((cursor, found))
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
        let sql = "insert into recoveries (partition, epoch, replication_id, from_epoch, from_n, drained, behind_a_gap)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let (posted, behind) = (
            value::bigint(drained.posted)?,
            value::bigint(drained.behind_a_gap)?,
        );
        tx.execute(
            sql,
            &[
                &id,
                &new,
                &replication_id,
                &old_epoch,
                &old_n,
                &posted,
                &behind,
            ],
        )
        .await?;
        let lost_at = moved.get(0);
        tx.commit().await?;
        Ok(lost_at)
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

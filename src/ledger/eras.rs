//! Eras of partitions: what is recorded of them, and what a lost account is loaded from.

use super::{Cursor, Ledger, LedgerError, columns, value};
use crate::domain::{account::Micros, plan::Spending};

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
    /// Something that a recovery found behind a gap waits to be replayed.
    pub replays_wait: bool,
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
    /// What Redis keeps of its plan; empty if there never was a subscription.
    pub plan: Vec<u8>,
    /// The record of its subscription.
    pub record: Vec<u8>,
    /// What was spent where a plan caps it.
    pub spending: Vec<Spending>,
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

    /// Records where the test clock stands: never earlier than before.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn set_test_clock(&self, now: Micros) -> Result<(), LedgerError> {
        let sql = "update settings set test_clock_at = greatest(test_clock_at, $1)";
        self.rows(sql, &[&now]).await.map(drop)
    }

    /// The era of a partition.
    ///
    /// # Errors
    /// Postgres does not answer, or knows no such partition.
    pub async fn era(&self, partition: u32) -> Result<EraRow, LedgerError> {
        let sql = "select current_epoch, replication_id, open, epoch, n, served_at is not null,
            exists (select from replays r where r.partition = p.id and r.done_at is null) from partitions p where id = $1";
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
            replays_wait: row.get(6),
        })
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
        let spending = columns::spending(row)?;
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
                plan: bytes("plan"),
                record: bytes("record"),
                spending,
                holds: ids.into_iter().zip(holds).collect(),
            }
        });
        Ok((cursor, found))
    }
}

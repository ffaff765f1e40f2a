//! What is decided at the first start and never again, and the partitions' rows.

use jiff::Timestamp;

use super::{Cursor, Ledger, LedgerError, connect::bounded, value};

/// A partition as the ledger records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRow {
    /// Its number, from 0.
    pub id: u32,
    /// How far the ledger is, and the era.
    pub cursor: Cursor,
    /// When the era was opened.
    pub opened_at: Timestamp,
}

impl Ledger {
    /// Records the number of partitions and the kind of clock at the first start, and opens every partition at
    /// `(now_epoch, 0)`; later starts are compared with that. Returns the partitions, by number.
    ///
    /// # Errors
    /// [`LedgerError::Setup`] says what is recorded and what was asked for.
    pub async fn bootstrap(
        &self,
        partitions: u32,
        test_clock: bool,
        now_epoch: u64,
    ) -> Result<Vec<PartitionRow>, LedgerError> {
        bounded(self.limit, self.decide(partitions, test_clock, now_epoch)).await?;
        self.partitions().await
    }

    async fn decide(
        &self,
        partitions: u32,
        test_clock: bool,
        now_epoch: u64,
    ) -> Result<(), LedgerError> {
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        let count = value::int(partitions)?;
        let sql =
            "insert into settings (partitions, test_clock) values ($1, $2) on conflict do nothing";
        let first = tx.execute(sql, &[&count, &test_clock]).await? == 1;
        let row = tx
            .query_one("select partitions, test_clock from settings", &[])
            .await?;
        let recorded: (i32, bool) = (row.get(0), row.get(1));
        if recorded != (count, test_clock) {
            return Err(LedgerError::Setup(mismatch(recorded, (count, test_clock))));
        }
        if first {
            let sql = "insert into partitions (id, epoch, current_epoch) select id, $2, $2 from generate_series(0, $1 - 1) as id";
            tx.execute(sql, &[&count, &value::bigint(now_epoch)?])
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// All partitions, by number.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn partitions(&self) -> Result<Vec<PartitionRow>, LedgerError> {
        let rows = self
            .rows(
                "select id, epoch, n, opened_at from partitions order by id",
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let cursor = Cursor {
                    epoch: value::unsigned(row.get(1))?,
                    n: value::unsigned(row.get(2))?,
                };
                Ok(PartitionRow {
                    id: value::unsigned_int(row.get(0))?,
                    cursor,
                    opened_at: row.get(3),
                })
            })
            .collect()
    }

    /// How far the ledger is in a partition.
    ///
    /// # Errors
    /// Postgres does not answer, or knows no such partition.
    pub async fn cursor(&self, partition: u32) -> Result<Cursor, LedgerError> {
        let id = value::int(partition)?;
        let rows = self
            .rows("select epoch, n from partitions where id = $1", &[&id])
            .await?;
        let row = rows.first().ok_or_else(|| {
            LedgerError::Setup(format!(
                "the ledger has no partition {partition}: it was not set up"
            ))
        })?;
        Ok(Cursor {
            epoch: value::unsigned(row.get(0))?,
            n: value::unsigned(row.get(1))?,
        })
    }
}

fn mismatch(recorded: (i32, bool), asked: (i32, bool)) -> String {
    let clock = |test| {
        if test {
            "the test clock"
        } else {
            "the real clock"
        }
    };
    format!(
        "the ledger was set up with {} partitions and {}, this start asks for {} partitions and {}; both are fixed for ever",
        recorded.0,
        clock(recorded.1),
        asked.0,
        clock(asked.1)
    )
}

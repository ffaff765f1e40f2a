//! What recoveries found behind a missing entry: stored with the crossing, read by whoever replays it, marked when it is done.

use tokio_postgres::Transaction;

use super::{Ledger, LedgerError, value};
use crate::domain::event::Position;

/// Rows in one statement.
const ROWS: usize = 5_000;

/// An event that could not be posted where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToReplay {
    /// Where it stood.
    pub position: Position,
    /// In Redis' packed form.
    pub raw: Vec<u8>,
}

/// One that is done, and why it could not be done, if so.
pub type Replayed = (Position, Option<String>);

/// Positions as columns.
#[derive(Default)]
struct Places {
    partition: Vec<i32>,
    epoch: Vec<i64>,
    n: Vec<i64>,
    index: Vec<i32>,
}

impl Places {
    fn of<'a>(positions: impl Iterator<Item = &'a Position>) -> Result<Self, LedgerError> {
        let mut places = Self::default();
        for at in positions {
            places.partition.push(value::int(at.partition)?);
            places.epoch.push(value::bigint(at.epoch)?);
            places.n.push(value::bigint(at.n)?);
            places.index.push(value::int(at.index)?);
        }
        Ok(places)
    }
}

/// Stores what the recovery to `era` found. What is stored already stays as it is: a recovery that begins again finds the same.
pub(super) async fn store(
    tx: &Transaction<'_>,
    era: u64,
    found: &[ToReplay],
) -> Result<(), LedgerError> {
    let era = value::bigint(era)?;
    for some in found.chunks(ROWS) {
        let at = Places::of(some.iter().map(|one| &one.position))?;
        let raw: Vec<&[u8]> = some.iter().map(|one| one.raw.as_slice()).collect();
        let sql = "insert into replays (partition, epoch, n, index, era, raw)
            select u.partition, u.epoch, u.n, u.index, $5, u.raw
            from unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[], $6::bytea[]) as u (partition, epoch, n, index, raw)
            on conflict do nothing";
        tx.execute(
            sql,
            &[&at.partition, &at.epoch, &at.n, &at.index, &era, &raw],
        )
        .await?;
    }
    Ok(())
}

impl Ledger {
    /// What waits to be replayed in a partition, in the order in which it happened, at most `limit`, behind the place that is named.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn to_replay(
        &self,
        partition: u32,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<ToReplay>, LedgerError> {
        let sql = "select epoch, n, index, raw from replays
            where partition = $1 and done_at is null and (epoch, n, index) > ($2, $3, $4)
            order by epoch, n, index limit $5";
        let (id, limit) = (value::int(partition)?, i64::from(limit));
        let (epoch, n, index) = match after {
            Some(at) => (
                value::bigint(at.epoch)?,
                value::bigint(at.n)?,
                value::int(at.index)?,
            ),
            None => (-1, 0, 0),
        };
        let rows = self.rows(sql, &[&id, &epoch, &n, &index, &limit]).await?;
        rows.iter()
            .map(|row| {
                let position = Position {
                    partition,
                    epoch: value::unsigned(row.get(0))?,
                    n: value::unsigned(row.get(1))?,
                    index: value::unsigned_int(row.get(2))?,
                };
                let raw = row.get(3);
                Ok(ToReplay { position, raw })
            })
            .collect()
    }

    /// These are done, and the ledger has what became of them.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn replayed(&self, done: &[Replayed]) -> Result<(), LedgerError> {
        let at = Places::of(done.iter().map(|(position, _)| position))?;
        let why: Vec<Option<&str>> = done.iter().map(|(_, why)| why.as_deref()).collect();
        let sql = "update replays r set done_at = now(), why = u.why
            from unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[]) as u (partition, epoch, n, index, why)
            where (r.partition, r.epoch, r.n, r.index) = (u.partition, u.epoch, u.n, u.index)";
        self.rows(sql, &[&at.partition, &at.epoch, &at.n, &at.index, &why])
            .await
            .map(drop)
    }
}

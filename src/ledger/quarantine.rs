//! Events that wait, and posting them after all.

use tokio_postgres::Row;

use super::{
    Ledger, LedgerError, Page, Writer,
    error::{DataError, WriteError},
    statements::Statements,
    value,
    writer::{Written, post_one},
};
use crate::domain::{
    account::Micros,
    event::{Event, Position},
};

/// The most events that one retry takes up.
const RETRY_EVENTS_MAX: i64 = 1000;

/// Reads an event from its packed form, or says what is wrong with it.
pub type Decode = fn(Position, &[u8]) -> Result<Event, String>;

/// An event in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedEvent {
    /// Where it stood in the stream.
    pub position: Position,
    /// Whose; empty if not even that can be read.
    pub account: String,
    /// As it was found.
    pub raw: Vec<u8>,
    /// Why it is here.
    pub why: String,
    /// Since when.
    pub queued_at: Micros,
}

/// What a retry did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Events that are in the book now.
    pub posted: usize,
    /// Events that were there already.
    pub repeated: usize,
    /// The first one that still cannot be posted, and why: it and those behind it wait on.
    pub stuck: Option<(Position, String)>,
    /// Events that still wait.
    pub left: u64,
}

impl Ledger {
    /// Events in quarantine, in the order of the stream.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn quarantine(
        &self,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Page<QuarantinedEvent, Position>, LedgerError> {
        let after = after.unwrap_or(Position {
            partition: 0,
            epoch: 0,
            n: 0,
            index: 0,
        });
        let found = self
            .rows(
                include_str!("sql/list_quarantine.sql"),
                &[
                    &value::int(after.partition)?,
                    &value::bigint(after.epoch)?,
                    &value::bigint(after.n)?,
                    &value::int(after.index)?,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::of(&found, limit, row, |event| event.position)
    }

    /// The accounts of a partition that wait. Events whose account cannot be read have none to name.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn quarantined_accounts(&self, partition: u32) -> Result<Vec<String>, LedgerError> {
        let sql = "select distinct account_id from quarantine where resolved_at is null and partition = $1 \
            and account_id <> '' order by 1";
        Ok(self
            .rows(sql, &[&value::int(partition)?])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect())
    }
}

impl Writer {
    /// Posts what waits of an account, in order, until something cannot be posted; notes in the same transaction what is in the
    /// book now.
    ///
    /// # Errors
    /// Then nothing was changed.
    pub async fn retry(
        &mut self,
        partition: u32,
        account: &str,
        decode: Decode,
    ) -> Result<Retried, LedgerError> {
        match self.try_retry(partition, account, decode).await {
            Ok(retried) => Ok(retried),
            Err(WriteError::Ledger(error)) => Err(error),
            Err(WriteError::Data(DataError(why))) => Err(LedgerError::Bug(why)),
        }
    }

    async fn try_retry(
        &mut self,
        partition: u32,
        account: &str,
        decode: Decode,
    ) -> Result<Retried, WriteError> {
        let Self {
            client,
            statements,
            names,
            ..
        } = self;
        let mut tx = client.transaction().await?;
        let id = value::int(partition)?;
        // The relay moves the cursor first: so it and a retry never write the same account at the same time.
        tx.query(&statements.lock_partition, &[&id]).await?;
        let rows = tx
            .query(
                &statements.waiting_events,
                &[&id, &account, &RETRY_EVENTS_MAX],
            )
            .await?;
        let waiting = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let mut retried = Retried::default();
        // They outlive the loop, since what they teach about grants is kept until the commit.
        let mut events = Vec::with_capacity(waiting.len());
        for found in &waiting {
            match decode(found.position, &found.raw) {
                Ok(event) => events.push(event),
                Err(why) => {
                    retried.stuck = Some((found.position, why));
                    break;
                }
            }
        }
        let mut written = Written::default();
        for event in &events {
            match post_one(&mut tx, statements, names, event, &mut written).await {
                Ok(()) => resolve(&tx, statements, event.position).await?,
                Err(WriteError::Data(DataError(why))) => {
                    retried.stuck = Some((event.position, why));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let left: i64 = tx
            .query_one(&statements.count_waiting, &[&id, &account])
            .await?
            .get(0);
        tx.commit().await?;
        (retried.posted, retried.repeated, retried.left) =
            (written.events, written.repeated, value::unsigned(left)?);
        names.learn(written.learned);
        Ok(retried)
    }
}

async fn resolve(
    tx: &tokio_postgres::Transaction<'_>,
    statements: &Statements,
    at: Position,
) -> Result<(), WriteError> {
    let (partition, index) = (value::int(at.partition)?, value::int(at.index)?);
    let (epoch, n) = (value::bigint(at.epoch)?, value::bigint(at.n)?);
    tx.execute(&statements.resolve, &[&partition, &epoch, &n, &index])
        .await?;
    Ok(())
}

fn row(row: &Row) -> Result<QuarantinedEvent, LedgerError> {
    Ok(QuarantinedEvent {
        position: value::position(row)?,
        account: row.get("account_id"),
        raw: row.get("raw"),
        why: row.get("why"),
        queued_at: value::micros(row.get("queued_at")),
    })
}

//! Posting: entries and cursor in one transaction, exactly once.
//!
//! The usual way writes a batch as a whole. When the database refuses some event in it, the transaction is given up and the
//! batch is written event by event, each behind a savepoint: what cannot be posted goes to quarantine with every later event of
//! its account, and the rest goes on.

use std::{collections::BTreeSet, time::Duration};

use tokio_postgres::{Client, Transaction};

use super::{
    Cursor, Ledger, LedgerError,
    batch::Batch,
    columns::Images,
    connect::bounded,
    error::{DataError, WriteError},
    grant_names::{GrantName, GrantNames},
    queue::{Found, Queue},
    rows,
    statements::Statements,
    value,
};
use crate::domain::event::{BadEvent, Entry, Event};

/// A batch finds its few rows by key in tables of any size. What Postgres knows of a young table says otherwise: it read whole tables.
const BY_KEY: &str = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; \
    set plan_cache_mode = force_generic_plan; set jit = off";

/// What a batch became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Where the cursor is now.
    pub cursor: Cursor,
    /// Events that were posted.
    pub events: usize,
    /// Events that were there already.
    pub repeated: usize,
    /// Events that went to quarantine.
    pub queued: usize,
    /// Accounts that were not in quarantine before: freeze them. An empty id is an event whose account cannot be read.
    pub quarantined: Vec<String>,
}

/// A connection of its own that posts.
pub struct Writer {
    pub(super) client: Client,
    pub(super) statements: Statements,
    pub(super) names: GrantNames,
    /// How long Postgres may leave a stage of a batch, or an event of it, unanswered.
    pub(super) limit: Duration,
}

/// How a batch is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Whole,
    EventByEvent,
}

/// The names of grants that a transaction made: remembered once it is committed.
pub(super) type Learned<'a> = Vec<((&'a str, u32), GrantName)>;

/// What was written so far, before the transaction is committed.
#[derive(Default)]
pub(super) struct Written<'a> {
    pub events: usize,
    pub repeated: usize,
    pub learned: Learned<'a>,
}

impl Ledger {
    /// A connection that posts.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn writer(&self) -> Result<Writer, LedgerError> {
        let client = self.session().await?;
        let prepared = bounded(self.limit, async {
            client.batch_execute(BY_KEY).await?;
            Statements::prepare(&client).await
        });
        Ok(Writer {
            statements: prepared.await?,
            names: self.names.clone(),
            limit: self.limit,
            client,
        })
    }
}

impl Writer {
    /// Posts the entries that follow `from`, and moves the cursor, in one transaction. Posting them again changes nothing.
    ///
    /// # Errors
    /// Then nothing was changed: [`LedgerError::Overtaken`] when the cursor is not at `from`, [`LedgerError::Gap`] when the
    /// entries do not follow it, and whatever Postgres says. When the connection is lost at the end, the cursor tells: so it does
    /// when Postgres leaves something unanswered. That is given up, and the writer is not to be used again. Giving up is safe: what
    /// Postgres still has of the batch is posted as a whole, if its guard finds the cursor at `from`, or not at all.
    pub async fn post(
        &mut self,
        partition: u32,
        from: Cursor,
        entries: &[Entry],
    ) -> Result<Posted, LedgerError> {
        let to = from.follow(partition, entries)?;
        match self.attempt(partition, from, to, entries, Way::Whole).await {
            Ok(posted) => return Ok(posted),
            Err(WriteError::Ledger(error)) => return Err(error),
            Err(WriteError::Data(error)) => {
                tracing::warn!(partition, %from, %to, %error, "a batch is posted event by event");
            }
        }
        match self
            .attempt(partition, from, to, entries, Way::EventByEvent)
            .await
        {
            Ok(posted) => Ok(posted),
            Err(WriteError::Ledger(error)) => Err(error),
            Err(WriteError::Data(error)) => Err(LedgerError::Bug(format!(
                "an event fits neither the book nor the quarantine: {error}"
            ))),
        }
    }

    async fn attempt(
        &mut self,
        partition: u32,
        from: Cursor,
        to: Cursor,
        entries: &[Entry],
        way: Way,
    ) -> Result<Posted, WriteError> {
        let Self {
            client,
            statements,
            names,
            limit,
        } = self;
        let (items, limit) = (in_order(entries), *limit);
        let begun = bounded(limit, async {
            let tx = client.transaction().await?;
            // The guard goes first: it also makes this transaction and a retry of the quarantine wait for each other.
            move_cursor(&tx, statements, partition, from, to).await?;
            let waiting = waiting(&tx, statements, &items).await?;
            Ok::<_, WriteError>((tx, waiting))
        });
        let (mut tx, waiting) = begun.await?;
        let mut queue = Queue::behind(waiting);
        let images = || entries.iter().flat_map(|entry| &entry.images);
        let mut told = BTreeSet::new();
        let written = match way {
            Way::Whole => {
                let good = sort_out(&items, &mut queue);
                told.extend(good.iter().map(|event| event.account.as_str()));
                let batch = Batch::of(&good)?
                    .with_images(images().filter(|image| !queue.waits(&image.account)));
                // Its future is large, and every future around it would be.
                let write = Box::pin(rows::write(&tx, statements, names, partition, &batch));
                bounded(limit, write).await?;
                Written {
                    events: good.len(),
                    repeated: 0,
                    learned: batch.new_names().collect(),
                }
            }
            Way::EventByEvent => {
                let mut written = Written::default();
                for item in &items {
                    let posted =
                        by_itself(&mut tx, statements, names, item, &mut queue, &mut written);
                    bounded(limit, posted).await?;
                }
                written
            }
        };
        let rest = images()
            .filter(|image| queue.waits(&image.account) || !told.contains(image.account.as_str()));
        let (images, reached) = (
            Images::of(rest)?,
            format!("{partition}:{}:{}", to.epoch, to.n),
        );
        bounded(limit, async {
            rows::write_images(&tx, statements, &images).await?;
            rows::write_spent(&tx, statements, entries).await?;
            rows::write_plans(&tx, statements, entries).await?;
            rows::write_spending(&tx, statements, entries).await?;
            queue.write(&tx, statements).await?;
            tx.execute(&statements.notify, &[&reached]).await?;
            Ok::<_, WriteError>(tx.commit().await?)
        })
        .await?;
        names.learn(written.learned);
        Ok(Posted {
            cursor: to,
            events: written.events,
            repeated: written.repeated,
            queued: queue.len(),
            quarantined: queue.newly(),
        })
    }
}

async fn move_cursor(
    tx: &Transaction<'_>,
    statements: &Statements,
    partition: u32,
    from: Cursor,
    to: Cursor,
) -> Result<(), WriteError> {
    let (id, epoch) = (value::int(partition)?, value::bigint(from.epoch)?);
    let (from_n, to_n) = (value::bigint(from.n)?, value::bigint(to.n)?);
    match tx
        .execute(&statements.move_cursor, &[&id, &epoch, &from_n, &to_n])
        .await?
    {
        0 => Err(LedgerError::Overtaken { partition, from }.into()),
        _ => Ok(()),
    }
}

/// One event of a batch.
enum Item<'a> {
    Good(&'a Event),
    Bad(&'a BadEvent),
}

impl<'a> Item<'a> {
    fn found(&self) -> Found<'a> {
        match self {
            Self::Good(event) => Found::of(event),
            Self::Bad(event) => Found {
                position: event.position,
                account: &event.account,
                raw: &event.raw,
            },
        }
    }
}

/// All events, readable or not, in the order in which they happened.
fn in_order(entries: &[Entry]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for entry in entries {
        items.extend(entry.events.iter().map(Item::Good));
        items.extend(entry.bad.iter().map(Item::Bad));
    }
    items.sort_by_key(|item| item.found().position);
    items
}

/// Those of the accounts that wait already.
async fn waiting(
    tx: &Transaction<'_>,
    statements: &Statements,
    items: &[Item<'_>],
) -> Result<BTreeSet<String>, WriteError> {
    let accounts: BTreeSet<&str> = items.iter().map(|item| item.found().account).collect();
    // One that has a zero byte in it is none that Postgres could have.
    let accounts: Vec<&str> = accounts
        .into_iter()
        .filter(|account| !account.contains('\0'))
        .collect();
    let rows = tx.query(&statements.waiting, &[&accounts]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Queues what is unreadable or must wait; returns the others.
fn sort_out<'a>(items: &[Item<'a>], queue: &mut Queue<'a>) -> Vec<&'a Event> {
    let mut good = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Bad(event) => queue.refuse(item.found(), &event.why),
            Item::Good(event) if queue.waits(&event.account) => queue.push(item.found()),
            Item::Good(event) => good.push(*event),
        }
    }
    good
}

/// Posts or queues one event.
async fn by_itself<'a>(
    tx: &mut Transaction<'_>,
    statements: &Statements,
    names: &GrantNames,
    item: &Item<'a>,
    queue: &mut Queue<'a>,
    written: &mut Written<'a>,
) -> Result<(), WriteError> {
    let event = match item {
        Item::Bad(event) => {
            queue.refuse(item.found(), &event.why);
            return Ok(());
        }
        Item::Good(event) if queue.waits(&event.account) => {
            queue.push(item.found());
            return Ok(());
        }
        Item::Good(event) => *event,
    };
    match post_one(tx, statements, names, event, written).await {
        Err(WriteError::Data(DataError(why))) => {
            tracing::error!(
                account = event.account,
                sequence = event.sequence,
                why,
                "an event goes to quarantine"
            );
            queue.refuse(item.found(), &why);
            Ok(())
        }
        other => other,
    }
}

/// Posts one event behind a savepoint, unless it is in the book already.
pub(super) async fn post_one<'a>(
    tx: &mut Transaction<'_>,
    statements: &Statements,
    names: &GrantNames,
    event: &'a Event,
    written: &mut Written<'a>,
) -> Result<(), WriteError> {
    let at = event.position;
    let place: (i32, i64, i64, i32) = (
        value::int(at.partition)?,
        value::bigint(at.epoch)?,
        value::bigint(at.n)?,
        value::int(at.index)?,
    );
    let there = tx
        .query_opt(
            &statements.at_position,
            &[&place.0, &place.1, &place.2, &place.3],
        )
        .await?;
    match there.map(|row| row.get::<_, Vec<u8>>(0) == event.raw) {
        Some(true) => {
            written.repeated += 1;
            return Ok(());
        }
        Some(false) => {
            return Err(DataError("another event is posted at its position".into()).into());
        }
        None => {}
    }
    let batch = Batch::of(&[event])?;
    let savepoint = tx.savepoint("event").await?;
    let write = Box::pin(rows::write(
        &savepoint,
        statements,
        names,
        at.partition,
        &batch,
    ));
    write.await?;
    savepoint.commit().await?;
    written.events += 1;
    written.learned.extend(batch.new_names());
    Ok(())
}

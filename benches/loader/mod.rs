//! Makes ledgers of millions of accounts.
//!
//! A few pattern accounts live through their stories in the real service; what it wrote of them is then posted again and again under other
//! ids, by the ledger's own writer. So every row is as the service would have written it, at places in the streams that follow one
//! another, and only Redis never had the copies: give the service an empty one afterwards.

mod pattern;
mod story;

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use holdbook::{
    domain::event::{Entry, Position},
    holds,
    ledger::{Cursor, Ledger},
};
use tokio::task::JoinSet;

pub use self::{pattern::Patterns, story::Story};

/// What goes wrong here ends the run.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Accounts in an entry of the stream, as in a busy service's batch.
const ENTRY_ACCOUNTS: usize = 32;
/// Entries in a transaction.
const BATCH_ENTRIES: usize = 64;

/// What a load came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Accounts.
    pub accounts: u64,
    /// Their events.
    pub events: u64,
}

/// The id of an account by its number. In order, so that a ledger grows at the end of its indexes.
pub fn account_id(number: u64) -> String {
    format!("acct-{number:08}")
}

/// Posts accounts `0..accounts` into a ledger that no service is at; `tell` hears now and then how many there are.
///
/// # Errors
/// Postgres does not answer, or takes an event for a bad one.
pub async fn load(
    ledger: &Ledger,
    patterns: Patterns,
    accounts: u64,
    tell: fn(u64),
) -> Outcome<Loaded> {
    let partitions = u32::try_from(ledger.partitions().await?.len())?;
    let (patterns, made) = (Arc::new(patterns), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for partition in 0..partitions {
        let (ledger, patterns, made) = (ledger.clone(), patterns.clone(), made.clone());
        writers.spawn(async move {
            let mut loaded = Loaded::default();
            let mut writer = ledger.writer().await?;
            let mut cursor = ledger.cursor(partition).await?;
            let mut numbers = (0..accounts)
                .filter(|number| holds::partition_of(&account_id(*number), partitions) == partition)
                .peekable();
            while numbers.peek().is_some() {
                let entries: Vec<_> = (cursor.n + 1..)
                    .take(BATCH_ENTRIES)
                    .map_while(|n| {
                        let some: Vec<_> = numbers.by_ref().take(ENTRY_ACCOUNTS).collect();
                        let at = Cursor { n, ..cursor };
                        (!some.is_empty()).then(|| entry(&patterns, partition, at, &some))
                    })
                    .collect();
                let posted = writer.post(partition, cursor, &entries).await?;
                let events: usize = entries.iter().map(|entry| entry.events.len()).sum();
                if posted.events != events {
                    return Err(format!("of {events} events: {posted:?}").into());
                }
                cursor = posted.cursor;
                let accounts: usize = entries.iter().map(|entry| entry.images.len()).sum();
                loaded.accounts += accounts as u64;
                loaded.events += events as u64;
                tell(made.fetch_add(accounts as u64, Ordering::Relaxed) + accounts as u64);
            }
            Outcome::Ok(loaded)
        });
    }
    let mut loaded = Loaded::default();
    while let Some(written) = writers.join_next().await {
        let written = written??;
        loaded.accounts += written.accounts;
        loaded.events += written.events;
    }
    Ok(loaded)
}

/// One entry: the whole stories of a few accounts, and how they end.
fn entry(patterns: &Patterns, partition: u32, at: Cursor, numbers: &[u64]) -> Entry {
    let mut entry = Entry {
        partition,
        epoch: at.epoch,
        n: at.n,
        events: Vec::new(),
        bad: Vec::new(),
        images: Vec::with_capacity(numbers.len()),
        spent: Vec::new(),
        plans: Vec::new(),
        spending: Vec::new(),
        follows: None,
    };
    let mut index = 0;
    let mut next = || {
        index += 1;
        Position {
            partition,
            epoch: at.epoch,
            n: at.n,
            index: index - 1,
        }
    };
    for number in numbers {
        let account = account_id(*number);
        patterns
            .of(Story::of(*number))
            .copy(&account, &mut next, &mut entry);
    }
    entry
}

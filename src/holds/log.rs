//! What the relay, the sweeper and the audit read: the stream of entries, what is due, and accounts as they are.

use std::time::Duration;

use redis::Value;

use super::{Holds, HoldsError, packed, wire::Reader};
use crate::domain::{
    account::Micros,
    event::{AccountImage, BadEvent, Entry, Event, PlanImage, Position},
    plan::Spending,
};

/// Publishes how far the ledger is, at its own epoch only and never backwards, then trims.
const PUBLISH: &str = r"
local epoch, n = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'ledger_n'))
if epoch ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) > tonumber(n) then redis.call('HSET', KEYS[1], 'ledger_n', ARGV[2]) end
if ARGV[3] ~= '' then redis.call('XTRIM', KEYS[2], 'MINID', '~', ARGV[3]) end
return 1";

/// How far a partition and its ledger are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its epoch.
    pub epoch: u64,
    /// Its last entry.
    pub n: u64,
    /// The last entry that the ledger is known to have.
    pub ledger_n: u64,
}

impl Holds {
    /// The entries after `after_n` of an epoch, at most `limit`.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn read_log(
        &self,
        partition: u32,
        epoch: u64,
        after_n: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, HoldsError> {
        let mut cmd = redis::cmd("XRANGE");
        cmd.arg(self.partition(partition).keys.log())
            .arg(format!("{epoch}-{}", after_n + 1))
            .arg("+")
            .arg("COUNT")
            .arg(limit);
        let rows: Vec<(String, Vec<Value>)> = self.aside(partition, &cmd).await?;
        rows.into_iter()
            .map(|(id, fields)| read_entry(partition, &id, fields))
            .collect()
    }

    /// Waits until there is an entry after `after_n`, at most `limit`.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn wait_log(
        &self,
        partition: u32,
        epoch: u64,
        after_n: u64,
        limit: Duration,
    ) -> Result<(), HoldsError> {
        let mut cmd = redis::cmd("XREAD");
        cmd.arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(u64::try_from(limit.as_millis()).unwrap_or(1).max(1));
        cmd.arg("STREAMS")
            .arg(self.partition(partition).keys.log())
            .arg(format!("{epoch}-{after_n}"));
        // The answer may come as late as the wait itself.
        let slack = Duration::from_secs(2);
        self.partition(partition)
            .waiter
            .lock()
            .await
            .query_within(&cmd, limit + slack)
            .await?;
        Ok(())
    }

    /// Publishes that the ledger has all up to `n` of an epoch, then trims what stands before `begins`.
    ///
    /// # Errors
    /// Redis did not answer, or is at another epoch.
    pub async fn publish_ledger(
        &self,
        partition: u32,
        (epoch, n): (u64, u64),
        begins: Option<(u64, u64)>,
    ) -> Result<(), HoldsError> {
        let keys = &self.partition(partition).keys;
        let trim = begins.map_or_else(String::new, |(epoch, n)| format!("{epoch}-{n}"));
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(PUBLISH)
            .arg(2)
            .arg(keys.meta())
            .arg(keys.log())
            .arg(epoch)
            .arg(n)
            .arg(trim);
        match self.aside::<i64>(partition, &cmd).await? {
            1 => Ok(()),
            _ => Err(HoldsError::Fenced(format!("Redis is not at epoch {epoch}"))),
        }
    }

    /// The instant by which a partition goes.
    ///
    /// # Errors
    /// Redis did not answer, or the partition was never opened in it: which clock it goes by is not known then.
    pub async fn now(&self, partition: u32) -> Result<Micros, HoldsError> {
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(self.partition(partition).keys.meta())
            .arg(&["n", "clock"]);
        let found: (Option<u64>, Option<Micros>) = self.aside(partition, &cmd).await?;
        match found {
            (None, _) => Err(HoldsError::Fenced(format!(
                "Redis does not know partition {partition}"
            ))),
            (Some(_), Some(test_clock)) => Ok(test_clock),
            (Some(_), None) => self.server_time().await,
        }
    }

    /// Accounts that Redis has on which something is due by `now`, at most `limit`.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn due(
        &self,
        partition: u32,
        now: Micros,
        limit: u32,
    ) -> Result<Vec<String>, HoldsError> {
        let keys = &self.partition(partition).keys;
        let mut cmd = redis::cmd("ZRANGEBYSCORE");
        cmd.arg(keys.due())
            .arg("-inf")
            .arg(now)
            .arg("LIMIT")
            .arg(0)
            .arg(limit);
        self.aside(partition, &cmd).await
    }

    /// How far a partition is.
    ///
    /// # Errors
    /// Redis did not answer, or does not know the partition.
    pub async fn head(&self, partition: u32) -> Result<Head, HoldsError> {
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(self.partition(partition).keys.meta())
            .arg(&["epoch", "n", "ledger_n"]);
        match self
            .aside::<(Option<u64>, Option<u64>, Option<u64>)>(partition, &cmd)
            .await?
        {
            (Some(epoch), Some(n), Some(ledger_n)) => Ok(Head { epoch, n, ledger_n }),
            _ => Err(HoldsError::Fenced(format!(
                "Redis does not know partition {partition}"
            ))),
        }
    }

    /// Reads an event's packed form.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode_event(position: Position, raw: &[u8]) -> Result<Event, String> {
        packed::event(position, raw).map_err(|error| error.to_string())
    }

    /// The packed outcome in an event's packed form.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn event_outcome(raw: &[u8]) -> Result<Vec<u8>, String> {
        packed::event_outcome(raw).map_err(|error| error.to_string())
    }
}

fn read_entry(partition: u32, id: &str, fields: Vec<Value>) -> Result<Entry, HoldsError> {
    let strange =
        |what: &str| HoldsError::Bug(format!("entry {id} of partition {partition} {what}"));
    let (epoch, n) = read_position(id).ok_or_else(|| strange("has no position"))?;
    let mut blobs = fields.into_iter().map(|value| match value {
        Value::BulkString(bytes) => bytes,
        _ => Vec::new(),
    });
    let mut entry = Entry {
        partition,
        epoch,
        n,
        events: Vec::new(),
        bad: Vec::new(),
        images: Vec::new(),
        spent: Vec::new(),
        plans: Vec::new(),
        spending: Vec::new(),
        follows: None,
    };
    while let (Some(name), Some(blob)) = (blobs.next(), blobs.next()) {
        match name.as_slice() {
            b"e" => read_events(&mut entry, &blob),
            b"after" => entry.follows = std::str::from_utf8(&blob).ok().and_then(read_position),
            b"a" => {
                entry.images = read_images(&blob)
                    .map_err(|error| strange(&format!("has unreadable images: {error}")))?
            }
            b"x" => {
                entry.spent = read_spent(&blob)
                    .map_err(|error| strange(&format!("has unreadable spent grants: {error}")))?;
            }
            b"p" => {
                entry.plans = read_plans(&blob)
                    .map_err(|error| strange(&format!("has unreadable plans: {error}")))?;
            }
            b"u" => {
                entry.spending = read_spending(&blob)
                    .map_err(|error| strange(&format!("has unreadable spending: {error}")))?;
            }
            _ => {}
        }
    }
    Ok(entry)
}

/// `era-number`.
fn read_position(text: &str) -> Option<(u64, u64)> {
    let (epoch, n) = text.split_once('-')?;
    Some((epoch.parse().ok()?, n.parse().ok()?))
}

/// Each event by itself, so that one that cannot be read does not take the others with it.
fn read_events(entry: &mut Entry, blob: &[u8]) {
    let (mut rest, mut index) = (blob, 0);
    while !rest.is_empty() {
        let position = Position {
            partition: entry.partition,
            epoch: entry.epoch,
            n: entry.n,
            index,
        };
        let length = rest
            .first_chunk::<4>()
            .map_or(usize::MAX, |bytes| u32::from_be_bytes(*bytes) as usize);
        let Some(raw) = rest.get(4..).and_then(|tail| tail.get(..length)) else {
            let why = "its length passes the end of the entry".to_owned();
            entry.bad.push(BadEvent {
                position,
                account: String::new(),
                raw: rest.to_vec(),
                why,
            });
            return;
        };
        match packed::event(position, raw) {
            Ok(event) => entry.events.push(event),
            Err(error) => {
                let account = packed::event_account(raw).unwrap_or_default();
                entry.bad.push(BadEvent {
                    position,
                    account,
                    raw: raw.to_vec(),
                    why: error.to_string(),
                });
            }
        }
        rest = &rest[4 + length..];
        index += 1;
    }
}

fn read_images(blob: &[u8]) -> Result<Vec<AccountImage>, super::wire::Malformed> {
    let mut r = Reader(blob);
    let mut images = Vec::new();
    while !r.is_empty() {
        images.push(AccountImage {
            account: r.text()?,
            sequence: r.uint(7)?,
            packed: r.blob()?.to_vec(),
        });
    }
    Ok(images)
}

fn read_plans(blob: &[u8]) -> Result<Vec<PlanImage>, super::wire::Malformed> {
    let mut r = Reader(blob);
    let mut plans = Vec::new();
    while !r.is_empty() {
        plans.push(PlanImage {
            account: r.text()?,
            plan: r.blob()?.to_vec(),
            record: r.blob()?.to_vec(),
        });
    }
    Ok(plans)
}

fn read_spending(blob: &[u8]) -> Result<Vec<(String, Spending)>, super::wire::Malformed> {
    let mut r = Reader(blob);
    let mut all = Vec::new();
    while !r.is_empty() {
        let (account, label, value) = (r.text()?, r.text()?, r.text()?);
        let windows = packed::windows(&mut r)?;
        let spending = Spending {
            label,
            value,
            windows,
        };
        all.push((account, spending));
    }
    Ok(all)
}

fn read_spent(blob: &[u8]) -> Result<Vec<(String, Vec<u8>)>, super::wire::Malformed> {
    let mut r = Reader(blob);
    let mut spent = Vec::new();
    while !r.is_empty() {
        spent.push((r.text()?, r.blob()?.to_vec()));
    }
    Ok(spent)
}

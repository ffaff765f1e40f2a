//! How a partition is fenced and opened, what a server must be, and the test clock.

use std::collections::HashMap;

use redis::{Cmd, Value};

use super::{Era, Holds, HoldsError, connection::Connection};
use crate::domain::account::Micros;

/// What is wrong with a Redis server that is to keep credits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerProblem {
    /// It drops keys when memory is short.
    #[error(
        "maxmemory-policy is {0}, and must be noeviction: Redis would drop accounts when memory is short"
    )]
    Evicts(String),
    /// It forgets everything when it restarts.
    #[error(
        "the append-only file is off (appendonly no): Redis would forget acknowledged holds when it restarts"
    )]
    Volatile,
    /// It does not say which history it is on.
    #[error(
        "INFO replication shows no master_replid: a server that went back in time could not be told"
    )]
    NoHistory,
}

/// Why a server is not fit to keep credits; empty if it is.
///
/// # Errors
/// It did not answer.
pub async fn server_problems(url: &str) -> Result<Vec<ServerProblem>, HoldsError> {
    let mut connection = Connection::new(super::connection::client(url)?);
    let mut info = String::new();
    for section in ["memory", "persistence", "replication"] {
        let mut cmd = redis::cmd("INFO");
        cmd.arg(section);
        info += &redis::from_redis_value::<String>(connection.query(&cmd).await?)
            .map_err(redis::RedisError::from)?;
    }
    let facts: HashMap<_, _> = info
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let mut problems = Vec::new();
    match facts.get("maxmemory_policy") {
        Some(&"noeviction") => {}
        other => problems.push(ServerProblem::Evicts(
            (*other.unwrap_or(&"unknown")).to_owned(),
        )),
    }
    if facts.get("aof_enabled") != Some(&"1") {
        problems.push(ServerProblem::Volatile);
    }
    if facts.get("master_replid").is_none_or(|id| id.len() != 40) {
        problems.push(ServerProblem::NoHistory);
    }
    Ok(problems)
}

/// The server is a master with the id that is named; nothing else was decided by it.
pub(super) const SAME_SERVER: &str = r"
local info = redis.call('INFO', 'replication')
if not info:find('role:master', 1, true) or info:match('master_replid:(%x+)') ~= ARGV[2] then return 0 end
local function newer(epoch) return epoch and tonumber(epoch) > tonumber(ARGV[1]) end
";

/// Closes a partition at a new epoch: from here on no call of an older one does anything.
const FENCE: &str = r"
if newer(redis.call('HGET', KEYS[1], 'epoch')) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'replid', ARGV[2], 'partitions', ARGV[3], 'service', ARGV[4], 'open', '0')
return 1";

/// Opens a partition, for replays only, at the epoch that fenced it. The entry `epoch-0` names the position that it follows.
const OPEN: &str = r"
local epoch, replid, clock = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'replid', 'clock'))
if epoch ~= ARGV[1] or replid ~= ARGV[2] then return 0 end
redis.call('XADD', KEYS[2], ARGV[1] .. '-0', 'after', ARGV[3])
if ARGV[4] ~= '' and tonumber(ARGV[4]) > tonumber(clock or 0) then redis.call('HSET', KEYS[1], 'clock', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'lost', ARGV[5]) else redis.call('HDEL', KEYS[1], 'lost') end
redis.call('HSET', KEYS[1], 'n', '0', 'ledger_n', '0', 'evict_n', '0', 'open', '2')
return 1";

/// Moves the test clock of a partition that was opened.
const SET_CLOCK: &str = r"
local n, clock = unpack(redis.call('HMGET', KEYS[1], 'n', 'clock'))
if not n then return 0 end
if tonumber(ARGV[1]) > tonumber(clock or 0) then redis.call('HSET', KEYS[1], 'clock', ARGV[1]) end
return 1";

/// Lets callers into a partition that is open for replays.
const ADMIT: &str = r"
local epoch, replid, open = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'replid', 'open'))
if epoch ~= ARGV[1] or replid ~= ARGV[2] or open ~= '2' then return 0 end
redis.call('HSET', KEYS[1], 'open', '1')
return 1";

/// What Redis records of a partition; each `None` if it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its epoch.
    pub epoch: Option<u64>,
    /// Calls are taken.
    pub open: bool,
    /// Replays are taken, calls not yet.
    pub replaying: bool,
    /// The replication id under which it was opened.
    pub replication_id: Option<String>,
    /// How many partitions there are.
    pub partitions: Option<u32>,
    /// The service that it belongs to.
    pub service: Option<String>,
    /// The last entry that was written.
    pub n: u64,
    /// Epoch and number of the newest entry in the stream.
    pub newest_entry: Option<(u64, u64)>,
}

/// The Redis server, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// It takes writes of its own.
    pub master: bool,
    /// Its history; another one after a restart, a promotion, a resync.
    pub replication_id: String,
}

impl Holds {
    /// What Redis records of a partition.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn meta(&self, partition: u32) -> Result<Meta, HoldsError> {
        let keys = &self.partition(partition).keys;
        let mut cmd = redis::cmd("HGETALL");
        cmd.arg(keys.meta());
        let fields: HashMap<String, String> = self.aside(partition, &cmd).await?;
        let mut newest = redis::cmd("XREVRANGE");
        newest.arg(keys.log()).arg("+").arg("-").arg("COUNT").arg(1);
        let newest: Vec<(String, Value)> = self.aside(partition, &newest).await?;
        let number = |name: &str| fields.get(name).and_then(|text| text.parse().ok());
        Ok(Meta {
            epoch: number("epoch"),
            open: fields.get("open").is_some_and(|open| open == "1"),
            replaying: fields.get("open").is_some_and(|open| open == "2"),
            replication_id: fields.get("replid").cloned(),
            partitions: fields.get("partitions").and_then(|text| text.parse().ok()),
            service: fields.get("service").cloned(),
            n: number("n").unwrap_or(0),
            newest_entry: newest.first().and_then(|(id, _)| {
                let (epoch, n) = id.split_once('-')?;
                Some((epoch.parse().ok()?, n.parse().ok()?))
            }),
        })
    }

    /// The server behind a partition.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn server(&self, partition: u32) -> Result<Server, HoldsError> {
        let mut cmd = redis::cmd("INFO");
        cmd.arg("replication");
        let info: String = self.aside(partition, &cmd).await?;
        let fact = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        Ok(Server {
            master: fact("role:") == Some("master"),
            replication_id: fact("master_replid:").unwrap_or_default().to_owned(),
        })
    }

    /// Closes a partition at a new era, on the server that the era names only; says whether it is.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn fence(
        &self,
        partition: u32,
        era: &Era,
        service: &str,
    ) -> Result<bool, HoldsError> {
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(format!("{SAME_SERVER}{FENCE}"))
            .arg(1)
            .arg(self.partition(partition).keys.meta());
        cmd.arg(era.epoch)
            .arg(&era.replication_id)
            .arg(self.partitions())
            .arg(service);
        Ok(self.aside::<i64>(partition, &cmd).await? == 1)
    }

    /// Lets callers into a partition that is open for replays; says whether they are.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn admit(&self, partition: u32, era: &Era) -> Result<bool, HoldsError> {
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(format!("{SAME_SERVER}{ADMIT}"))
            .arg(1)
            .arg(self.partition(partition).keys.meta());
        cmd.arg(era.epoch).arg(&era.replication_id);
        Ok(self.aside::<i64>(partition, &cmd).await? == 1)
    }

    /// Opens a partition for replays at the era that fenced it; `after` is the position that it follows, `lost_at` the last instant
    /// at which something acknowledged may have been lost. Says whether it is.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn open(
        &self,
        partition: u32,
        era: &Era,
        after: &str,
        test_clock: Option<Micros>,
        lost_at: Option<Micros>,
    ) -> Result<bool, HoldsError> {
        let keys = &self.partition(partition).keys;
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(format!("{SAME_SERVER}{OPEN}"))
            .arg(2)
            .arg(keys.meta())
            .arg(keys.log());
        cmd.arg(era.epoch).arg(&era.replication_id).arg(after);
        for instant in [test_clock, lost_at] {
            cmd.arg(instant.map_or_else(String::new, |instant| instant.to_string()));
        }
        Ok(self.aside::<i64>(partition, &cmd).await? == 1)
    }

    /// The test clock's instant.
    ///
    /// # Errors
    /// Redis did not answer, or has been emptied and is not recovered yet.
    pub async fn test_clock(&self) -> Result<Micros, HoldsError> {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(self.partition(0).keys.meta()).arg("clock");
        let clock: Option<Micros> = self.aside(0, &cmd).await?;
        clock.ok_or_else(|| HoldsError::Fenced("Redis does not know the test clock".into()))
    }

    /// Moves the test clock of all partitions, the first one last: what stops in between is mended by the next move.
    ///
    /// # Errors
    /// Redis did not answer, or does not know a partition: one that is recovered then takes the ledger's clock.
    pub async fn set_test_clock(&self, now: Micros) -> Result<(), HoldsError> {
        for partition in (0..self.partitions()).rev() {
            let mut cmd = redis::cmd("EVAL");
            cmd.arg(SET_CLOCK)
                .arg(1)
                .arg(self.partition(partition).keys.meta())
                .arg(now);
            if self.aside::<i64>(partition, &cmd).await? == 0 {
                let why = format!("Redis does not know partition {partition}");
                return Err(HoldsError::Fenced(why));
            }
        }
        Ok(())
    }

    /// Redis' clock.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn server_time(&self) -> Result<Micros, HoldsError> {
        let (seconds, micros): (i64, i64) = self.aside(0, &redis::cmd("TIME")).await?;
        Ok(seconds * 1_000_000 + micros)
    }

    /// Runs a command outside the hot path. All of them may be sent twice, so one that meets a connection that has died since
    /// the last one is sent again.
    pub(super) async fn aside<T: redis::FromRedisValue>(
        &self,
        partition: u32,
        cmd: &Cmd,
    ) -> Result<T, HoldsError> {
        let mut side = self.partition(partition).side.lock().await;
        let value: Value = match side.query(cmd).await {
            Err(error) if error.is_io_error() || error.is_connection_dropped() => {
                side.query(cmd).await?
            }
            other => other?,
        };
        redis::from_redis_value(value).map_err(|error| HoldsError::Bug(error.to_string()))
    }
}

//! How a partition opens, what a server must be, and the test clock.

use std::collections::HashMap;

use redis::{Cmd, Value};

use super::{Holds, HoldsError, connection::Connection};
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

/// Opens a partition that has never been open; answers the epoch that it has then, or had.
const OPEN: &str = r"
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch then return { epoch, redis.call('HGET', KEYS[1], 'partitions'), redis.call('HEXISTS', KEYS[1], 'clock') } end
if ARGV[2] == '' then return { '', '', 0 } end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'clock', ARGV[3]) end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'partitions', ARGV[1], 'n', '0', 'ledger_n', '0', 'open', '1')
return { ARGV[2], ARGV[1], ARGV[3] ~= '' and 1 or 0 }";

/// What Redis records of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its epoch; `None` if Redis does not know the partition.
    pub epoch: Option<u64>,
    /// How many partitions it was set up with.
    pub partitions: u32,
    /// Its time is a test clock.
    pub test_clock: bool,
}

impl Holds {
    /// What Redis records of a partition; where there is nothing and `epoch` is given, opens it at that epoch.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn open(
        &self,
        partition: u32,
        epoch: Option<u64>,
        test_clock: Option<Micros>,
    ) -> Result<Opened, HoldsError> {
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(OPEN)
            .arg(1)
            .arg(self.partition(partition).keys.meta())
            .arg(self.partitions());
        cmd.arg(epoch.map_or_else(String::new, |e| e.to_string()))
            .arg(test_clock.map_or_else(String::new, |c| c.to_string()));
        let (epoch, partitions, clock): (String, String, i64) = self.aside(partition, &cmd).await?;
        Ok(Opened {
            epoch: epoch.parse().ok(),
            partitions: partitions.parse().unwrap_or(0),
            test_clock: clock == 1,
        })
    }

    /// Names the epoch under which a partition's calls go out.
    pub fn set_epoch(&self, partition: u32, epoch: u64) {
        self.partition(partition).executor.set_epoch(epoch);
    }

    /// The test clock's instant.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn test_clock(&self) -> Result<Micros, HoldsError> {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(self.partition(0).keys.meta()).arg("clock");
        self.aside(0, &cmd).await
    }

    /// Moves the test clock of all partitions, the first one last: a crash in between is mended by the next move.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn advance_test_clock(&self, by: Micros) -> Result<Micros, HoldsError> {
        let now = self.test_clock().await? + by;
        for partition in (0..self.partitions()).rev() {
            let mut cmd = redis::cmd("HSET");
            cmd.arg(self.partition(partition).keys.meta())
                .arg("clock")
                .arg(now);
            self.aside::<i64>(partition, &cmd).await?;
        }
        Ok(now)
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

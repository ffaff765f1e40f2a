//! Private Redis and Postgres servers, for `holdbook dev` and for the tests.
//!
//! Owns where their data is, their start, their end and their restart, from programs that are on the machine already.
//! Promises: a server that was on the machine before is never used and never stopped; no server outlives the process
//! that started it, however that ends; data survives restarts until `fresh` is asked for; only folders made here are
//! ever emptied. Owns nothing of what the servers hold: migrating and serving are others' work.
//!
//! Reading order: `supervisor` (a process that cannot outlive us), `folder`, `redis_server`, `postgres_server`.

mod error;
mod folder;
mod leftover;
mod owner;
mod port;
mod postgres_cluster;
mod postgres_server;
mod programs;
mod redis_server;
mod supervisor;

use std::path::{Path, PathBuf};

pub use self::{
    error::DevError,
    postgres_server::{PostgresConfig, PostgresServer},
    redis_server::{AppendFsync, RedisConfig, RedisServer},
};
use self::{folder::Folder, owner::Owner};

/// How to run the pair.
#[derive(Clone, Debug, Default)]
pub struct ServersConfig {
    /// The data folder of both, made where it is missing; see `Servers::data_dir` for where it really is.
    pub data_dir: PathBuf,
    /// Starts both from nothing.
    pub fresh: bool,
    /// Redis' port on 127.0.0.1. Absent: a free one.
    pub redis_port: Option<u16>,
    /// Postgres' port on 127.0.0.1. Absent: a free one.
    pub postgres_port: Option<u16>,
    /// When Redis writes to the disk.
    pub appendfsync: AppendFsync,
}

/// A running pair of servers on one data folder. Dropping it stops both.
pub struct Servers {
    /// The Redis of the pair.
    pub redis: RedisServer,
    /// The Postgres of the pair.
    pub postgres: PostgresServer,
    folder: Folder,
}

impl Servers {
    /// Starts both and waits until they answer.
    pub async fn start(config: ServersConfig) -> Result<Servers, DevError> {
        // One place for both: the folder moves as a whole when Postgres' user cannot reach it.
        let place = folder::place(&config.data_dir, Owner::for_postgres()?.as_ref())?;
        let folder = Folder::claim(&place)?;
        let redis = RedisServer::start(RedisConfig {
            dir: place.join("redis"),
            fresh: config.fresh,
            port: config.redis_port,
            appendfsync: config.appendfsync,
            settings: Vec::new(),
            environment: Vec::new(),
        });
        let postgres = PostgresServer::start(PostgresConfig {
            dir: place.join("postgres"),
            fresh: config.fresh,
            port: config.postgres_port,
            settings: Vec::new(),
        });
        let (redis, postgres) = tokio::try_join!(redis, postgres)?;
        Ok(Servers {
            redis,
            postgres,
            folder,
        })
    }

    /// Redis' URL.
    pub fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// Redis' URL for processes of the same machine and user.
    pub fn redis_socket_url(&self) -> String {
        self.redis.socket_url()
    }

    /// The URL of the database `holdbook`, for its superuser.
    pub fn postgres_url(&self) -> String {
        self.postgres.url()
    }

    /// Where the data is. Not the configured folder when the user that Postgres runs as could not reach that: print it.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until one of them ends without having been asked to.
    pub async fn died(&self) -> DevError {
        tokio::select! {
            error = self.redis.died() => error,
            error = self.postgres.died() => error,
        }
    }

    /// Stops both in good order.
    pub async fn stop(mut self) -> Result<(), DevError> {
        let (redis, postgres) = tokio::join!(self.redis.stop(), self.postgres.stop());
        redis.and(postgres)
    }
}

//! A ledger of many accounts in a Postgres of its own, kept between runs.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use holdbook::{
    dev::{PostgresConfig, PostgresServer, RedisConfig, RedisServer},
    holds::{Holds, Options},
    ledger::{self, Ledger},
};
use tokio_postgres::{Client, NoTls};
use tonic::transport::Channel;

use super::{
    Outcome,
    loader::{self, Patterns},
    service::Service,
};

/// Says how many accounts are in a folder that is complete.
const MARKER: &str = "accounts";
/// How often the loader is heard of.
const TELL_EVERY: u64 = 500_000;
/// Whoever makes this ledger can make it again: nothing is worth a wait for the disk.
const LOADING: [(&str, &str); 7] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "512MB"),
    ("checkpoint_timeout", "30min"),
    ("autovacuum", "off"),
];

/// A running Postgres with a ledger in it.
pub struct Book {
    postgres: PostgresServer,
}

impl Book {
    /// The ledger of a folder, if it is there with that many accounts and `fresh` is not asked for; else a new one.
    pub async fn open(dir: PathBuf, accounts: u64, fresh: bool) -> Outcome<Self> {
        let config = |fresh, settings: &[(&str, &str)]| PostgresConfig {
            dir: dir.clone(),
            fresh,
            port: None,
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let book = Self {
            postgres: PostgresServer::start(config(fresh, &[])).await?,
        };
        let made = fs::read_to_string(book.dir().join(MARKER)).unwrap_or_default();
        if made == accounts.to_string() {
            // There may be more migrations than when it was made.
            ledger::migrate(&book.url()).await?;
            return Ok(book);
        }
        book.stop().await?;
        let book = Self {
            postgres: PostgresServer::start(config(true, &LOADING)).await?,
        };
        book.make(accounts).await?;
        let marker = book.dir().join(MARKER);
        book.stop().await?;
        fs::write(marker, accounts.to_string())?;
        Ok(Self {
            postgres: PostgresServer::start(config(false, &[])).await?,
        })
    }

    /// Where Postgres is.
    pub fn url(&self) -> String {
        self.postgres.url()
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.postgres.dir()
    }

    /// For what only an operator may.
    pub async fn client(&self) -> Outcome<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Bytes of all tables and indexes.
    pub async fn bytes(&self) -> Outcome<u64> {
        let sql = "select pg_database_size(current_database())";
        let row = self.client().await?.query_one(sql, &[]).await?;
        Ok(u64::try_from(row.get::<_, i64>(0))?)
    }

    /// Stops Postgres; its data stays.
    pub async fn stop(mut self) -> Outcome<()> {
        Ok(self.postgres.stop().await?)
    }

    /// Stops Postgres and removes its data.
    pub async fn remove(self) -> Outcome<()> {
        let dir = self.dir().to_owned();
        self.stop().await?;
        Ok(fs::remove_dir_all(dir)?)
    }

    async fn make(&self, accounts: u64) -> Outcome<()> {
        let started = Instant::now();
        ledger::migrate(&self.url()).await?;
        let patterns = self.patterns().await?;
        let ledger = Ledger::connect(&self.url(), 2).await?;
        let loaded = loader::load(&ledger, patterns, accounts, tell).await?;
        let posted = started.elapsed().as_secs_f64();
        // As autovacuum would have left it: the planner knows the tables, and no reader pays for what the writer left behind.
        self.client().await?.batch_execute("vacuum analyze").await?;
        writeln!(
            std::io::stdout(),
            "# a ledger of {} accounts and {} events, made in {posted:.0} s and tidied in {:.0} s: {:.2} GB",
            loaded.accounts,
            loaded.events,
            started.elapsed().as_secs_f64() - posted,
            self.bytes().await? as f64 / 1e9,
        )?;
        Ok(())
    }

    /// A service with a Redis that nobody needs afterwards.
    async fn patterns(&self) -> Outcome<Patterns> {
        let redis = redis().await?;
        let service = Service::start(&redis.url(), &self.url(), &[]).await?;
        let channel = Channel::from_shared(service.url().to_owned())?.connect_lazy();
        let ledger = Ledger::connect(&self.url(), 1).await?;
        let partitions = u32::try_from(ledger.partitions().await?.len())?;
        let holds = Holds::new(Options::for_reading(redis.url(), partitions))?;
        let patterns = Patterns::record(&channel, &holds).await?;
        service.stop().await?;
        remove(redis).await?;
        Ok(patterns)
    }
}

/// An empty Redis.
pub async fn redis() -> Outcome<RedisServer> {
    let name = format!("holdbook-bench-{}", uuid::Uuid::new_v4().simple());
    Ok(RedisServer::start(RedisConfig {
        dir: env::temp_dir().join(name),
        fresh: true,
        ..RedisConfig::default()
    })
    .await?)
}

/// Stops a Redis and removes its data.
pub async fn remove(mut redis: RedisServer) -> Outcome<()> {
    let log = redis.log();
    let dir = log.parent().ok_or("a log without a folder")?;
    redis.stop().await?;
    Ok(fs::remove_dir_all(dir)?)
}

/// For whoever waits; with the output closed there is nobody.
fn tell(made: u64) {
    let step = made / TELL_EVERY;
    // Every writer comes with about two thousand at a time.
    if made % TELL_EVERY < 2048 && step > 0 {
        let _ = writeln!(
            std::io::stderr(),
            "loading: about {} accounts",
            step * TELL_EVERY
        );
    }
}

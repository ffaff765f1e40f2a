//! What the tests stand on: real servers, started privately, and the service in this process.
//!
//! One Postgres serves all tests of a run, each with a database of its own; each stack has its own Redis.

mod frozen;

use std::{
    fs::{File, Metadata},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

pub use frozen::Frozen;

use clap::Parser;
use holdbook::{
    app::Service,
    config::{Config, ServeArgs},
    dev::{AppendFsync, PostgresConfig, PostgresServer, RedisConfig, RedisServer},
    ledger,
    proto::{
        CreateAccountRequest, GrantCreditsRequest, GrantKind,
        account_service_client::AccountServiceClient, grant_service_client::GrantServiceClient,
    },
    reconcile,
    telemetry::Metrics,
};
use tokio::sync::OnceCell;
use tonic::{Code, transport::Channel};

static POSTGRES: OnceCell<PostgresServer> = OnceCell::const_new();

/// How the folders of tests begin, beside each other in the folder for temporary files.
const SCRATCH: &str = "holdbook-test-";
/// A server locks its folder a moment after it made it.
const FRESH: Duration = Duration::from_secs(60);
/// No test works longer in a folder without a server.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// A folder of this test's own, reachable by the user that Postgres runs as.
pub fn scratch(name: &str) -> PathBuf {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(sweep);
    std::env::temp_dir().join(format!("{SCRATCH}{}-{name}", uuid::Uuid::new_v4().simple()))
}

/// Removes what runs that have ended left behind: a test that fails leaves its servers' folders to be looked at, until the next run.
fn sweep() {
    let folders = std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten();
    for folder in folders.flatten().map(|entry| entry.path()) {
        let ours = folder
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(SCRATCH));
        if ours && has_ended(&folder) {
            // Another user's cannot be removed, and another run may be quicker.
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

/// Nobody holds the lock that a server's owner holds for as long as it lives.
fn has_ended(folder: &Path) -> bool {
    let older_than = |found: std::io::Result<Metadata>, limit| {
        let changed = found.and_then(|found| found.modified());
        changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > limit))
    };
    match File::open(folder.join("holdbook.lock")) {
        Ok(lock) => older_than(lock.metadata(), FRESH) && lock.try_lock().is_ok(),
        Err(_) => older_than(folder.metadata(), OLD),
    }
}

/// A private Postgres, to be broken by whoever starts it.
pub async fn own_postgres(name: &str) -> PostgresServer {
    let config = PostgresConfig {
        dir: scratch(&format!("{name}-postgres")),
        fresh: true,
        port: None,
        settings: Vec::new(),
    };
    let starting = PostgresServer::start(config);
    starting.await.expect("a private Postgres")
}

/// The URL of a new, empty database.
pub async fn postgres_url() -> String {
    let server = POSTGRES.get_or_init(|| own_postgres("shared")).await;
    let name = format!("t{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls)
        .await
        .expect("the private Postgres answers");
    let driver = tokio::spawn(connection);
    client
        .batch_execute(&format!("create database {name}"))
        .await
        .expect("a database of this test's own");
    drop(client);
    driver
        .await
        .expect("the connection's task")
        .expect("a closed connection");
    let (base, _) = server
        .url()
        .rsplit_once('/')
        .map(|(base, db)| (base.to_owned(), db.to_owned()))
        .expect("a URL");
    format!("{base}/{name}")
}

/// A private Redis.
pub async fn redis() -> RedisServer {
    let config = RedisConfig {
        dir: scratch("redis"),
        fresh: true,
        port: None,
        appendfsync: AppendFsync::default(),
        ..RedisConfig::default()
    };
    RedisServer::start(config).await.expect("a private Redis")
}

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    serve: ServeArgs,
}

/// A configuration on free ports; `more` are further flags.
pub fn config(redis_url: &str, postgres_url: &str, more: &[&str]) -> Config {
    let fixed = ["test", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let stores = [
        format!("--redis-url={redis_url}"),
        format!("--postgres-url={postgres_url}"),
    ];
    let typed = fixed
        .into_iter()
        .chain(stores.iter().map(String::as_str))
        .chain(more.iter().copied());
    Config::from_args(Typed::parse_from(typed).serve).expect("a right configuration")
}

/// An account with one top-up.
pub async fn fund(channel: &Channel, account_id: &str, amount: &str) {
    let account = CreateAccountRequest {
        account_id: account_id.into(),
        ..Default::default()
    };
    AccountServiceClient::new(channel.clone())
        .create_account(account)
        .await
        .expect("an account");
    let grant = GrantCreditsRequest {
        account_id: account_id.into(),
        grant_id: "topup-1".into(),
        kind: GrantKind::TopUp.into(),
        amount: amount.into(),
        ..Default::default()
    };
    let mut grants = GrantServiceClient::new(channel.clone());
    // A new grant asks the ledger, which may follow later than the service waits.
    while let Err(refused) = grants.grant_credits(grant.clone()).await {
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    }
}

/// One command of an operator's to a Redis.
pub async fn redis_says(url: String, command: &str) {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let _: redis::Value = redis::cmd(command)
        .query_async(&mut connection)
        .await
        .expect("Redis does it");
}

/// A channel to a service.
pub fn channel_to(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_lazy()
}

/// A service with its own stores.
pub struct Stack {
    pub redis: RedisServer,
    pub postgres_url: String,
    pub service: Service,
}

impl Stack {
    /// On the real clock.
    pub async fn start(more: &[&str]) -> Self {
        let (redis, postgres_url) = tokio::join!(redis(), postgres_url());
        Self::start_on(redis, postgres_url, more).await
    }

    /// On these stores.
    pub async fn start_on(redis: RedisServer, postgres_url: String, more: &[&str]) -> Self {
        ledger::migrate(&postgres_url).await.expect("migrations");
        let config = config(&redis.url(), &postgres_url, more);
        let metrics = Metrics::local().expect("metrics");
        let service = Service::start(&config, metrics)
            .await
            .expect("the service starts");
        Self {
            redis,
            postgres_url,
            service,
        }
    }

    /// On a clock that only the test moves, with the lifetime that the model knows.
    pub async fn start_with_test_clock() -> Self {
        Self::start(&["--test-clock=true", "--max-lifetime=26h"]).await
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.service.address()
    }

    /// A channel to it.
    pub fn channel(&self) -> Channel {
        channel_to(self.address())
    }

    /// Freezes an account, as quarantine does.
    pub async fn freeze(&self, account_id: &str) {
        self.service
            .memory()
            .freeze(account_id)
            .await
            .expect("Redis answers");
    }

    /// The opposite.
    pub async fn unfreeze(&self, account_id: &str) {
        self.service
            .memory()
            .unfreeze(account_id)
            .await
            .expect("Redis answers");
    }

    /// Waits until the ledger has everything.
    pub async fn drain(&self) {
        assert!(
            self.service.drained(Duration::from_secs(60)).await,
            "the ledger catches up"
        );
    }

    /// Empties Redis once the ledger has everything.
    pub async fn forget(&self) {
        self.drain().await;
        self.redis_says("FLUSHALL").await;
    }

    /// Drops from Redis every account that the ledger has, as if all had been idle for long; says how many.
    pub async fn evict(&self) -> u64 {
        self.drain().await;
        let instruments = Metrics::local().expect("metrics").instruments();
        let mut dropped = 0;
        for partition in 0..self.service.holds().partitions() {
            let (holds, ledger) = (self.service.holds().clone(), self.service.ledger().clone());
            let mut evictor = reconcile::Evictor::new(
                partition,
                holds,
                ledger,
                instruments.clone(),
                Duration::ZERO,
            );
            loop {
                let turn = evictor.step().await.expect("both stores answer");
                dropped += turn.dropped;
                if turn.round_over {
                    break;
                }
            }
        }
        dropped
    }

    /// One command of an operator's.
    pub async fn redis_says(&self, command: &str) {
        redis_says(self.redis.url(), command).await;
    }

    /// Waits until the ledger has everything, then audits both stores.
    pub async fn balanced(&self) {
        self.drain().await;
        let report = reconcile::audit(self.service.holds(), self.service.ledger())
            .await
            .expect("both stores answer");
        assert!(report.is_balanced(), "{report}");
    }
}

//! A service with an empty Redis on a ledger that is there.

use std::time::{Duration, Instant};

use holdbook::{
    dev::RedisServer,
    holds::{Holds, Options},
    ledger::Ledger,
};
use tonic::transport::{Channel, Endpoint};

use super::{
    Outcome,
    book::{self, Book},
    service::Service,
};

/// Long enough that the active ones stay while they are measured, short enough to wait for.
const FLAGS: [&str; 4] = [
    "--idle-after=90s",
    // Ended holds are remembered for the longer of both, whether their account is idle or not: they are not what is measured here.
    "--repeat-window=5s",
    "--late-commit-window=5s",
    "--stream-tail=1s",
];
const CONNECTIONS: usize = 8;
/// Between two looks at what Redis has.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// The last idle account should be gone this long after its last call; what is there still counts.
const EVICTED_MAX: Duration = Duration::from_secs(900);
/// The ledger has everything this long after the last call at the latest.
const DRAINED_MAX: Duration = Duration::from_secs(60);
/// Keys that do not belong to an account, of each partition: its state, its stream, what is due.
const OWN_KEYS: u64 = 3;

/// A running service and its Redis.
pub struct Stage {
    redis: RedisServer,
    service: Service,
    pub channels: Vec<Channel>,
    pub holds: Holds,
    pub ledger: Ledger,
    connection: redis::aio::MultiplexedConnection,
}

/// What Redis needs.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All that it has allocated.
    pub used: u64,
    /// The part that is data.
    pub dataset: u64,
    /// What the system gives it.
    pub resident: u64,
    /// Keys.
    pub keys: u64,
}

impl Stage {
    pub async fn start(book: &Book) -> Outcome<Self> {
        let redis = book::redis().await?;
        let service = Service::start(&redis.url(), &book.url(), &FLAGS).await?;
        let mut channels = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            channels.push(Endpoint::new(service.url().to_owned())?.connect().await?);
        }
        let ledger = Ledger::connect(&book.url(), 2).await?;
        let partitions = u32::try_from(ledger.partitions().await?.len())?;
        let holds = Holds::new(Options::for_reading(redis.url(), partitions))?;
        let client = redis::Client::open(redis.url())?;
        let connection = client.get_multiplexed_async_connection().await?;
        Ok(Self {
            redis,
            service,
            channels,
            holds,
            ledger,
            connection,
        })
    }

    /// One caller's.
    pub fn channel(&self) -> Channel {
        self.channels[0].clone()
    }

    /// What Redis needs now.
    pub async fn memory(&self) -> Outcome<Memory> {
        let mut connection = self.connection.clone();
        let info: String = redis::cmd("INFO")
            .arg("memory")
            .query_async(&mut connection)
            .await?;
        let field = |name: &str| -> Outcome<u64> {
            let value = info.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                (found == name).then_some(value)
            });
            Ok(value.ok_or("Redis does not say what it needs")?.parse()?)
        };
        Ok(Memory {
            used: field("used_memory")?,
            dataset: field("used_memory_dataset")?,
            resident: field("used_memory_rss")?,
            keys: self.keys().await?,
        })
    }

    async fn keys(&self) -> Outcome<u64> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("DBSIZE").query_async(&mut connection).await?)
    }

    /// Waits until Redis has no account any more, but not for ever; says how long that took.
    pub async fn emptied(&self) -> Outcome<Duration> {
        let started = Instant::now();
        let own = OWN_KEYS * u64::from(self.holds.partitions());
        while self.keys().await? > own && started.elapsed() < EVICTED_MAX {
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        Ok(started.elapsed())
    }

    /// Waits until the ledger has everything.
    pub async fn drained(&self) -> Outcome<()> {
        let started = Instant::now();
        for partition in 0..self.holds.partitions() {
            loop {
                let head = self.holds.head(partition).await?;
                if head.n == head.ledger_n {
                    break;
                }
                if started.elapsed() > DRAINED_MAX {
                    return Err("the ledger did not keep up".into());
                }
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        }
        Ok(())
    }

    /// Stops the service, then Redis, whose data goes.
    pub async fn stop(self) -> Outcome<()> {
        drop((self.holds, self.ledger));
        self.service.stop().await?;
        book::remove(self.redis).await
    }
}

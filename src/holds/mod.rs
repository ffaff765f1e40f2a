//! Holds: the state of accounts, grants and holds in Redis, and the only way to change it.
//!
//! Owns the Lua program, the batching of calls, the packed forms and the stream of events. It is the only room that imports the redis
//! crate. It does not know the ledger: it answers "the ledger must be asked" and takes what the asker brings.
//!
//! Reading order: `operation` (what can be asked), `executor` (how calls go out), `program` and `lua/` (what happens), `packed` and
//! `reply` (what comes back), `step` (what a subscription's step brings), `log` (what the relay reads), `again` (an event as the call that made it), `idle` (who is dropped), `bootstrap` (how a partition opens).

pub mod again;
mod bootstrap;
mod connection;
mod era;
mod executor;
mod idle;
mod keys;
pub mod load;
mod log;
pub mod operation;
pub mod packed;
mod program;
mod reply;
mod snapshot;
pub mod step;
mod wire;

use std::{sync::Arc, time::Duration};

use tokio::sync::{Mutex, Notify, watch};

pub use bootstrap::{Meta, Server, ServerProblem, server_problems};
pub use era::Era;
pub use executor::Limits;
pub use idle::Idle;
pub use keys::partition_of;
pub use log::Head;
pub use reply::{Body, Reply};
pub use snapshot::Snapshot;
pub use wire::{Malformed, Reader, Writer};

use self::{
    connection::Connection, executor::Executor, keys::Keys, operation::Operation, program::Program,
};

/// Why Redis did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HoldsError {
    /// It did not answer; what was sent may have been done.
    #[error("Redis did not answer: {0}")]
    Unavailable(String),
    /// Nothing was done: the partition is closed, or at another epoch.
    #[error("the partition is fenced: {0}")]
    Fenced(String),
    /// It refused a write in the middle of a call; what the call did is decided by a recovery.
    #[error("Redis refused a write: {0}")]
    CutShort(String),
    /// A defect; what was done is for a recovery to find out.
    #[error("the program in Redis failed: {0}")]
    Bug(String),
}

/// Time spans and bounds that the script goes by, in microseconds and stream entries.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long an ended hold's id is remembered.
    pub repeat_window: i64,
    /// How long after its expiry a hold may still be committed.
    pub late_commit_window: i64,
    /// How long a refund grant lives.
    pub refund_ttl: i64,
    /// The most between a hold's making and its expiry.
    pub max_lifetime: i64,
    /// Entries not yet in the ledger at which new holds and credits are refused.
    pub backlog_soft: i64,
    /// Entries not yet in the ledger at which everything is refused.
    pub backlog_hard: i64,
}

impl Settings {
    fn pack(&self) -> Vec<u8> {
        let mut w = wire::Writer::default();
        w.int(7, self.repeat_window)
            .int(7, self.late_commit_window)
            .int(7, self.refund_ttl)
            .int(7, self.max_lifetime);
        w.int(7, self.backlog_soft).int(7, self.backlog_hard);
        w.0
    }
}

/// Told the size of each batch.
pub type Observer = Arc<dyn Fn(usize) + Send + Sync>;

/// How the room is set up.
pub struct Options {
    /// `redis://...`.
    pub url: String,
    /// A power of two up to 1024.
    pub partitions: u32,
    /// For the script.
    pub settings: Settings,
    /// Most operations in a batch.
    pub batch_max: usize,
    /// Most operations waiting in a partition.
    pub queue_max: usize,
    /// Told the size of each batch.
    pub observe_batch: Observer,
}

impl Options {
    /// For who sends no operation, so that the script's settings do not matter.
    #[must_use]
    pub fn for_reading(url: String, partitions: u32) -> Self {
        let settings = Settings {
            repeat_window: 0,
            late_commit_window: 0,
            refund_ttl: 0,
            max_lifetime: 0,
            backlog_soft: 0,
            backlog_hard: 0,
        };
        Self {
            url,
            partitions,
            settings,
            batch_max: 1,
            queue_max: 1,
            observe_batch: Arc::new(|_| {}),
        }
    }
}

struct Partition {
    keys: Keys,
    /// What calls name.
    era: watch::Sender<Era>,
    /// What replays name: a partition is open for them before it is for callers.
    replay_era: watch::Sender<Era>,
    /// A call was fenced off, the program failed halfway, or an entry is missing: somebody must look.
    suspicion: Notify,
    executor: Executor,
    replayer: Executor,
    limits: Limits,
    /// For all that is not the hot path.
    side: Mutex<Connection>,
    /// For the one who waits for the next entry: it blocks its connection.
    waiter: Mutex<Connection>,
}

/// The room's handle; cheap to clone.
#[derive(Clone)]
pub struct Holds {
    partitions: Arc<Vec<Partition>>,
}

impl Holds {
    /// Sets up the room; connects at the first call.
    ///
    /// # Errors
    /// The URL is not one of a Redis server.
    pub fn new(options: Options) -> Result<Self, HoldsError> {
        let client = connection::client(&options.url)?;
        let limits = Limits {
            batch_max: options.batch_max,
            queue_max: options.queue_max,
            settings: options.settings.pack(),
            replays: false,
        };
        let partition = |id| {
            let keys = Keys::new(id, options.partitions);
            let era = watch::Sender::new(Era::default());
            let replay_era = watch::Sender::new(Era::default());
            let start = |replays, era: &watch::Sender<Era>| {
                Executor::start(
                    keys.clone(),
                    Connection::new(client.clone()),
                    Limits {
                        replays,
                        ..limits.clone()
                    },
                    era.subscribe(),
                    Arc::clone(&options.observe_batch),
                )
            };
            let (executor, replayer) = (start(false, &era), start(true, &replay_era));
            let [side, waiter] = [(), ()].map(|()| Mutex::new(Connection::new(client.clone())));
            Partition {
                keys,
                era,
                replay_era,
                suspicion: Notify::new(),
                executor,
                replayer,
                limits: limits.clone(),
                side,
                waiter,
            }
        };
        let partitions = Arc::new((0..options.partitions).map(partition).collect());
        Ok(Self { partitions })
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// Where an account lives.
    #[must_use]
    pub fn partition_of(&self, account: &str) -> u32 {
        partition_of(account, self.partitions())
    }

    fn partition(&self, id: u32) -> &Partition {
        &self.partitions[id as usize]
    }

    /// Runs one operation in its partition.
    ///
    /// # Errors
    /// Redis did not do it, or may have.
    pub async fn run(&self, operation: Operation) -> Result<Reply, HoldsError> {
        let partition = self.partition(self.partition_of(&operation.account));
        if operation.replay.is_some() {
            return partition.replayer.run(operation).await;
        }
        let answer = partition.executor.run(operation).await;
        if matches!(
            answer,
            Err(HoldsError::Fenced(_) | HoldsError::CutShort(_) | HoldsError::Bug(_))
        ) {
            partition.suspicion.notify_one();
        }
        answer
    }

    /// What goes to Redis for a batch of operations on one partition, with the keys that the program asked for: for who measures or tests
    /// the program by itself.
    #[must_use]
    pub fn packed_call(
        &self,
        partition: u32,
        operations: &[Operation],
        asked: &[String],
    ) -> Vec<u8> {
        let Partition { keys, limits, .. } = self.partition(partition);
        let operations: Vec<_> = operations.iter().collect();
        let era = self.era(partition);
        let call = Program::get().call(keys, &era, limits, &operations, asked);
        call.get_packed_command()
    }

    /// Somebody must look at a partition: what was read of it cannot be.
    pub fn suspect(&self, partition: u32) {
        self.partition(partition).suspicion.notify_one();
    }

    /// The era that a partition's calls name.
    #[must_use]
    pub fn era(&self, partition: u32) -> Era {
        self.partition(partition).era.borrow().clone()
    }

    /// Names the era under which a partition's calls go out from now on.
    pub fn set_era(&self, partition: u32, era: Era) {
        self.partition(partition).era.send_if_modified(|current| {
            let changed = *current != era;
            *current = era;
            changed
        });
    }

    /// Names the era under which a partition's replays go out from now on.
    pub fn set_replay_era(&self, partition: u32, era: Era) {
        self.partition(partition).replay_era.send_replace(era);
    }

    /// Waits until a partition's calls name another era than `old`, at most `limit`; says whether they do.
    pub async fn era_after(&self, partition: u32, old: &Era, limit: Duration) -> bool {
        let mut era = self.partition(partition).era.subscribe();
        let other = era.wait_for(|era| era != old);
        matches!(tokio::time::timeout(limit, other).await, Ok(Ok(_)))
    }

    /// Waits until a partition is suspected.
    pub async fn suspected(&self, partition: u32) {
        self.partition(partition).suspicion.notified().await;
    }
}

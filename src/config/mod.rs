//! Environment variables and flags into typed configuration.
//!
//! Owns every `HOLDBOOK_*` setting of the service: names and defaults (`args`), what is allowed (`bounds`), the typed
//! result (here) and the reference in docs/configuration.md (`reference`). Nothing downstream sees the raw text. The
//! standard `OTEL_*` variables are `telemetry`'s; the programs' places for `holdbook dev` are `dev`'s.

mod args;
mod bounds;
mod mistake;
mod reference;

use std::{fmt, net::SocketAddr, time::Duration};

use self::bounds::Setting;
pub use self::{
    args::{ServeArgs, ServiceArgs, StoreArgs},
    mistake::{Mistake, Mistakes},
    reference::reference,
};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A store's URL. It may carry a password, so it shows only its scheme.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// The URL as it was given, password included.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split("://").next().unwrap_or_default();
        write!(f, "{scheme}://..")
    }
}

/// All settings of the service, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Redis, where holds live. AOF on and `maxmemory-policy noeviction` are required.
    pub redis_url: StoreUrl,
    /// Postgres, where the ledger lives.
    pub postgres_url: StoreUrl,
    /// Where the gRPC API listens.
    pub listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are served. Keep it off the public network.
    pub admin_listen: SocketAddr,
    /// Shards of accounts, fixed at the first start; four for each Redis primary there will ever be.
    pub partitions: u16,
    /// How long a hold lives when its reserve names no ttl.
    pub default_ttl: Duration,
    /// The longest ttl of a reserve or an extension; a longer one is refused.
    pub max_ttl: Duration,
    /// The longest life of a hold, with all its extensions.
    pub max_lifetime: Duration,
    /// How long a hold's id is remembered after its end; after that the id makes a new hold.
    pub repeat_window: Duration,
    /// How long after its expiry a hold may still be committed.
    pub late_commit_window: Duration,
    /// How long the grant lives that a refund makes when the refunded grants have ended.
    pub refund_ttl: Duration,
    /// The longest that an answer of durability LEDGER waits for the ledger before it says APPLIED.
    pub ledger_wait: Duration,
    /// Entries of a partition that wait for the ledger before reserves, charges and grants are refused.
    pub backlog_soft: u64,
    /// Entries of a partition that wait for the ledger before everything that writes is refused.
    pub backlog_hard: u64,
    /// Acknowledgements of a partition that the ledger does not have yet before reserves, charges and grants are refused; at twice as
    /// many everything that writes is.
    pub replay_buffer: usize,
    /// The most operations in one script call.
    pub batch_max: usize,
    /// The most operations that wait for one partition; more are refused.
    pub max_in_flight: usize,
    /// The least pause of the relay between two batches, so that a batch is worth its transaction.
    pub relay_pause: Duration,
    /// How long entries gather between two batches while no call waits for the ledger.
    pub relay_gather: Duration,
    /// The most stream entries that the relay posts in one transaction.
    pub relay_batch: usize,
    /// How long stream entries are kept after they are posted, to feed a Postgres that went back to an older copy.
    pub stream_tail: Duration,
    /// How long nothing must have been written on an account until Redis drops it. Zero: never.
    pub idle_after: Duration,
    /// The most connections to Postgres, the relay's own not counted.
    pub postgres_pool: usize,
    /// How long Postgres may leave something unanswered before its connection is given up and made anew.
    pub postgres_timeout: Duration,
    /// Between two steps of the light audit; 0 turns it off.
    pub audit_pause: Duration,
    /// The longest that a graceful stop waits for calls and the ledger.
    pub stop_timeout: Duration,
    /// How log lines look on standard error.
    pub log_format: LogFormat,
    /// Serve TestClockService and let time move only by it. Never in production.
    pub test_clock: bool,
    /// Serve the no-op service that benchmarks compare with.
    pub bench: bool,
    /// Start also on a Redis that can lose data. For trials only.
    pub allow_volatile_redis: bool,
}

impl Config {
    /// Converts what was typed; tells every mistake, not the first.
    pub fn from_args(args: ServeArgs) -> Result<Config, Mistakes> {
        let ServeArgs { stores, service } = args;
        let mut read = Reader::default();
        let config = Config {
            redis_url: read.url(&bounds::REDIS_URL, stores.redis_url),
            postgres_url: read.url(&bounds::POSTGRES_URL, stores.postgres_url),
            listen: read.address(&bounds::LISTEN, &service.listen),
            admin_listen: read.address(&bounds::ADMIN_LISTEN, &service.admin_listen),
            partitions: read.count(&bounds::PARTITIONS, &service.partitions),
            default_ttl: read.duration(&bounds::DEFAULT_TTL, &service.default_ttl),
            max_ttl: read.duration(&bounds::MAX_TTL, &service.max_ttl),
            max_lifetime: read.duration(&bounds::MAX_LIFETIME, &service.max_lifetime),
            repeat_window: read.duration(&bounds::REPEAT_WINDOW, &service.repeat_window),
            late_commit_window: read
                .duration(&bounds::LATE_COMMIT_WINDOW, &service.late_commit_window),
            refund_ttl: read.duration(&bounds::REFUND_TTL, &service.refund_ttl),
            ledger_wait: read.duration(&bounds::LEDGER_WAIT, &service.ledger_wait),
            backlog_soft: read.count(&bounds::BACKLOG_SOFT, &service.backlog_soft),
            backlog_hard: read.count(&bounds::BACKLOG_HARD, &service.backlog_hard),
            replay_buffer: read.count(&bounds::REPLAY_BUFFER, &service.replay_buffer),
            batch_max: read.count(&bounds::BATCH_MAX, &service.batch_max),
            max_in_flight: read.count(&bounds::MAX_IN_FLIGHT, &service.max_in_flight),
            relay_pause: read.duration(&bounds::RELAY_PAUSE, &service.relay_pause),
            relay_gather: read.duration(&bounds::RELAY_GATHER, &service.relay_gather),
            relay_batch: read.count(&bounds::RELAY_BATCH, &service.relay_batch),
            stream_tail: read.duration(&bounds::STREAM_TAIL, &service.stream_tail),
            idle_after: read.duration(&bounds::IDLE_AFTER, &service.idle_after),
            postgres_pool: read.count(&bounds::POSTGRES_POOL, &service.postgres_pool),
            postgres_timeout: read.duration(&bounds::POSTGRES_TIMEOUT, &service.postgres_timeout),
            audit_pause: read.duration(&bounds::AUDIT_PAUSE, &service.audit_pause),
            stop_timeout: read.duration(&bounds::STOP_TIMEOUT, &service.stop_timeout),
            log_format: match read.word(&bounds::LOG_FORMAT, &service.log_format).as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            test_clock: read.flag(&bounds::TEST_CLOCK, &service.test_clock),
            bench: read.flag(&bounds::BENCH, &service.bench),
            allow_volatile_redis: read
                .flag(&bounds::ALLOW_VOLATILE_REDIS, &service.allow_volatile_redis),
        };
        config.compare(&service, &mut read);
        if read.mistakes.is_empty() {
            Ok(config)
        } else {
            Err(Mistakes(read.mistakes))
        }
    }

    /// Checks settings against each other, where each alone is right.
    fn compare(&self, typed: &ServiceArgs, read: &mut Reader) {
        let order = [
            (
                &bounds::DEFAULT_TTL,
                &typed.default_ttl,
                &bounds::MAX_TTL,
                &typed.max_ttl,
                self.default_ttl <= self.max_ttl,
            ),
            (
                &bounds::MAX_TTL,
                &typed.max_ttl,
                &bounds::MAX_LIFETIME,
                &typed.max_lifetime,
                self.max_ttl <= self.max_lifetime,
            ),
            (
                &bounds::BACKLOG_SOFT,
                &typed.backlog_soft,
                &bounds::BACKLOG_HARD,
                &typed.backlog_hard,
                self.backlog_soft <= self.backlog_hard,
            ),
            (
                &bounds::BATCH_MAX,
                &typed.batch_max,
                &bounds::MAX_IN_FLIGHT,
                &typed.max_in_flight,
                self.batch_max <= self.max_in_flight,
            ),
        ];
        for (lesser, lesser_text, greater, greater_text, in_order) in order {
            if !in_order && !read.is_wrong(lesser) && !read.is_wrong(greater) {
                let name = greater.variable();
                read.wrong(lesser, format!("is {lesser_text}, more than {name}, which is {greater_text}: allowed is at most that"));
            }
        }
        let same = self.listen == self.admin_listen && self.listen.port() != 0;
        if same && !read.is_wrong(&bounds::LISTEN) && !read.is_wrong(&bounds::ADMIN_LISTEN) {
            let name = bounds::LISTEN.variable();
            read.wrong(
                &bounds::ADMIN_LISTEN,
                format!("is {}, the same as {name}: they must differ", self.listen),
            );
        }
    }
}

/// Reads settings one by one and keeps the mistakes. A wrong one answers a stand-in that never leaves `from_args`.
#[derive(Default)]
struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn wrong(&mut self, setting: &Setting, message: String) {
        self.mistakes.push(Mistake {
            variable: setting.variable(),
            flag: setting.flag(),
            message,
        });
    }

    fn is_wrong(&self, setting: &Setting) -> bool {
        let variable = setting.variable();
        self.mistakes
            .iter()
            .any(|mistake| mistake.variable == variable)
    }

    /// Keeps a mistake unless there is a value.
    fn check<T>(&mut self, setting: &Setting, text: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.wrong(
                setting,
                format!("is {text:?}; allowed: {}", setting.allowed),
            );
        }
        value
    }

    fn url(&mut self, setting: &Setting, text: Option<String>) -> StoreUrl {
        match text {
            Some(url) if setting.allows(&url) => StoreUrl(url),
            // Not shown: a mistyped URL can carry a password too.
            Some(_) => {
                self.wrong(
                    setting,
                    format!("is something else; allowed: {}", setting.allowed),
                );
                StoreUrl(String::new())
            }
            None => {
                self.wrong(setting, format!("is missing; allowed: {}", setting.allowed));
                StoreUrl(String::new())
            }
        }
    }

    fn address(&mut self, setting: &Setting, text: &str) -> SocketAddr {
        self.check(setting, text, setting.address(text))
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn duration(&mut self, setting: &Setting, text: &str) -> Duration {
        Duration::from_millis(
            self.check(setting, text, setting.number(text))
                .unwrap_or_default(),
        )
    }

    fn count<T: TryFrom<u64> + Default>(&mut self, setting: &Setting, text: &str) -> T {
        let value = setting
            .number(text)
            .and_then(|value| T::try_from(value).ok());
        self.check(setting, text, value).unwrap_or_default()
    }

    fn word(&mut self, setting: &Setting, text: &str) -> String {
        self.check(setting, text, setting.allows(text).then(|| text.to_owned()))
            .unwrap_or_default()
    }

    fn flag(&mut self, setting: &Setting, text: &str) -> bool {
        self.word(setting, text) == "true"
    }
}

#[cfg(test)]
mod tests;

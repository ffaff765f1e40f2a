//! Settings as they are typed: flags and environment variables, all still text.
//!
//! Owns names, defaults and what each setting means; the help of the program and docs/configuration.md are made from it.
//! What is allowed is in `bounds`, the conversion in `mod`: so all mistakes are told at once, not the first.

use clap::{Args, Command, FromArgMatches};

/// All settings of `holdbook serve`.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Where the two stores are.
    #[command(flatten)]
    pub stores: StoreArgs,
    /// Everything else.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Where Redis and Postgres are. Apart, because `holdbook dev` starts its own.
#[derive(Args, Clone, Default)]
pub struct StoreArgs {
    /// Redis, where holds live. AOF on and `maxmemory-policy noeviction` are required
    #[arg(
        long,
        env = "HOLDBOOK_REDIS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub redis_url: Option<String>,
    /// Postgres, where the ledger lives
    #[arg(
        long,
        env = "HOLDBOOK_POSTGRES_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub postgres_url: Option<String>,
}

/// The URLs may carry passwords, so they never reach a log.
impl std::fmt::Debug for StoreArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreArgs(..)")
    }
}

/// All settings that do not say where the stores are.
#[derive(Args, Clone, Debug)]
pub struct ServiceArgs {
    /// Where the gRPC API listens
    #[arg(
        long,
        env = "HOLDBOOK_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7600"
    )]
    pub listen: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served. Keep it off the public network
    #[arg(
        long,
        env = "HOLDBOOK_ADMIN_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7601"
    )]
    pub admin_listen: String,
    /// Shards of accounts, fixed at the first start; four for each Redis primary there will ever be
    #[arg(
        long,
        env = "HOLDBOOK_PARTITIONS",
        value_name = "COUNT",
        default_value = "4"
    )]
    pub partitions: String,
    /// How long a hold lives when its reserve names no ttl
    #[arg(
        long,
        env = "HOLDBOOK_DEFAULT_TTL",
        value_name = "DURATION",
        default_value = "1h"
    )]
    pub default_ttl: String,
    /// The longest ttl of a reserve or an extension; a longer one is refused
    #[arg(
        long,
        env = "HOLDBOOK_MAX_TTL",
        value_name = "DURATION",
        default_value = "24h"
    )]
    pub max_ttl: String,
    /// The longest life of a hold, with all its extensions
    #[arg(
        long,
        env = "HOLDBOOK_MAX_LIFETIME",
        value_name = "DURATION",
        default_value = "7d"
    )]
    pub max_lifetime: String,
    /// How long a hold's id is remembered after its end; after that the id makes a new hold
    #[arg(
        long,
        env = "HOLDBOOK_REPEAT_WINDOW",
        value_name = "DURATION",
        default_value = "24h"
    )]
    pub repeat_window: String,
    /// How long after its expiry a hold may still be committed
    #[arg(
        long,
        env = "HOLDBOOK_LATE_COMMIT_WINDOW",
        value_name = "DURATION",
        default_value = "24h"
    )]
    pub late_commit_window: String,
    /// How long the grant lives that a refund makes when the refunded grants have ended
    #[arg(
        long,
        env = "HOLDBOOK_REFUND_TTL",
        value_name = "DURATION",
        default_value = "30d"
    )]
    pub refund_ttl: String,
    /// The longest that an answer of durability LEDGER waits for the ledger before it says APPLIED
    #[arg(
        long,
        env = "HOLDBOOK_LEDGER_WAIT",
        value_name = "DURATION",
        default_value = "5s"
    )]
    pub ledger_wait: String,
    /// Entries of a partition that wait for the ledger before reserves, charges and grants are refused
    #[arg(
        long,
        env = "HOLDBOOK_BACKLOG_SOFT",
        value_name = "COUNT",
        default_value = "100000"
    )]
    pub backlog_soft: String,
    /// Entries of a partition that wait for the ledger before everything that writes is refused
    #[arg(
        long,
        env = "HOLDBOOK_BACKLOG_HARD",
        value_name = "COUNT",
        default_value = "200000"
    )]
    pub backlog_hard: String,
    /// Acknowledgements of a partition that the ledger does not have yet before reserves, charges and grants are refused; at twice as many everything that writes is
    #[arg(
        long,
        env = "HOLDBOOK_REPLAY_BUFFER",
        value_name = "COUNT",
        default_value = "100000"
    )]
    pub replay_buffer: String,
    /// The most operations in one script call
    #[arg(
        long,
        env = "HOLDBOOK_BATCH_MAX",
        value_name = "COUNT",
        default_value = "64"
    )]
    pub batch_max: String,
    /// The most operations that wait for one partition; more are refused
    #[arg(
        long,
        env = "HOLDBOOK_MAX_IN_FLIGHT",
        value_name = "COUNT",
        default_value = "4096"
    )]
    pub max_in_flight: String,
    /// The least pause of the relay between two batches, so that a batch is worth its transaction
    #[arg(
        long,
        env = "HOLDBOOK_RELAY_PAUSE",
        value_name = "DURATION",
        default_value = "10ms"
    )]
    pub relay_pause: String,
    /// While no call waits for the ledger, the relay lets entries gather this long between two batches
    #[arg(
        long,
        env = "HOLDBOOK_RELAY_GATHER",
        value_name = "DURATION",
        default_value = "100ms"
    )]
    pub relay_gather: String,
    /// The most stream entries that the relay posts in one transaction
    #[arg(
        long,
        env = "HOLDBOOK_RELAY_BATCH",
        value_name = "COUNT",
        default_value = "500"
    )]
    pub relay_batch: String,
    /// How long stream entries are kept after they are posted, to feed a Postgres that went back to an older copy; Redis holds them
    #[arg(
        long,
        env = "HOLDBOOK_STREAM_TAIL",
        value_name = "DURATION",
        default_value = "10s"
    )]
    pub stream_tail: String,
    /// How long nothing must have been written on an account until Redis drops it; a later call loads it from the ledger. 0s: never
    #[arg(
        long,
        env = "HOLDBOOK_IDLE_AFTER",
        value_name = "DURATION",
        default_value = "1h"
    )]
    pub idle_after: String,
    /// The most connections to Postgres, the relay's own not counted
    #[arg(
        long,
        env = "HOLDBOOK_POSTGRES_POOL",
        value_name = "COUNT",
        default_value = "8"
    )]
    pub postgres_pool: String,
    /// How long Postgres may leave something unanswered before its connection is given up and made anew
    #[arg(
        long,
        env = "HOLDBOOK_POSTGRES_TIMEOUT",
        value_name = "DURATION",
        default_value = "15s"
    )]
    pub postgres_timeout: String,
    /// Between two steps of the light audit, of 20 accounts each; 0 turns it off
    #[arg(
        long,
        env = "HOLDBOOK_AUDIT_PAUSE",
        value_name = "DURATION",
        default_value = "1s"
    )]
    pub audit_pause: String,
    /// The longest that a graceful stop waits for calls and the ledger
    #[arg(
        long,
        env = "HOLDBOOK_STOP_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s"
    )]
    pub stop_timeout: String,
    /// How log lines look on standard error
    #[arg(
        long,
        env = "HOLDBOOK_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: String,
    /// Serve TestClockService and let time move only by it. Never in production
    #[arg(long, env = "HOLDBOOK_TEST_CLOCK", value_name = "BOOL", default_value = "false",
          default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub test_clock: String,
    /// Serve the no-op service that benchmarks compare with
    #[arg(long, env = "HOLDBOOK_BENCH", value_name = "BOOL", default_value = "false",
          default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub bench: String,
    /// Start also on a Redis that can lose data. For trials only
    #[arg(long, env = "HOLDBOOK_ALLOW_VOLATILE_REDIS", value_name = "BOOL", default_value = "false",
          default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub allow_volatile_redis: String,
}

/// The defaults, whatever the environment says: for tests and `holdbook dev`.
impl Default for ServiceArgs {
    fn default() -> Self {
        let command = ServiceArgs::augment_args(Command::new("defaults"))
            .mut_args(|arg| arg.env(None::<&str>));
        let matches = command.get_matches_from(["defaults"]);
        ServiceArgs::from_arg_matches(&matches).expect("every argument has a default that is text")
    }
}

//! The arguments of the subcommands that are not clients but the service itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::{ServeArgs, ServiceArgs};

/// `holdbook dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    /// Where Redis and Postgres keep their data between runs
    #[arg(
        long,
        env = "HOLDBOOK_DEV_DATA",
        default_value = ".holdbook",
        value_name = "FOLDER"
    )]
    pub data_dir: PathBuf,
    /// Empty the data folder first
    #[arg(long)]
    pub fresh: bool,
    /// Play the scenario once the service runs
    #[arg(long)]
    pub play: bool,
    /// Stop after the scenario instead of serving on
    #[arg(long, requires = "play")]
    pub exit: bool,
    /// As for `holdbook serve`
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `holdbook migrate`.
#[derive(Args, Clone, Debug)]
pub struct MigrateArgs {
    /// The ledger's database
    #[arg(long, env = "HOLDBOOK_POSTGRES_URL", value_name = "URL")]
    pub postgres_url: String,
}

/// Where the stores are, for `holdbook audit` and `holdbook partition status`.
#[derive(Args, Clone, Debug)]
pub struct StoreUrls {
    /// The Redis that holds live in
    #[arg(long, env = "HOLDBOOK_REDIS_URL", value_name = "URL")]
    pub redis_url: String,
    /// The ledger's database
    #[arg(long, env = "HOLDBOOK_POSTGRES_URL", value_name = "URL")]
    pub postgres_url: String,
}

/// `holdbook partition`.
#[derive(Clone, Debug, Subcommand)]
pub enum PartitionCommand {
    /// Each partition by the ledger, by Redis and on this server; exit 1 if one is not open
    #[command(
        after_help = "open: it takes calls. same_server: Redis is the primary on which the era was opened.
lag: entries in Redis that the ledger does not have yet. The last columns are the last recovery's report.

Example:
  holdbook partition status --redis-url redis://cache --postgres-url postgres://holdbook@db/holdbook"
    )]
    Status(StoreUrls),
    /// Begin a new era even if nothing is wrong: what survived is posted, accounts are loaded from the ledger. Safe while serving
    #[command(
        after_help = "Example, with the settings of the service in the environment:\n  holdbook partition recover 3"
    )]
    Recover {
        /// The partition, from 0; all of them if none is named
        partition: Option<u32>,
        /// The stores and settings of the service
        #[command(flatten)]
        serve: Box<ServeArgs>,
    },
}

/// `holdbook quarantine`.
#[derive(Clone, Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Events that could not be posted, oldest first, and why
    #[command(
        after_help = "Example:\n  holdbook quarantine list --postgres-url postgres://holdbook@db/holdbook"
    )]
    List {
        /// The ledger's database
        #[arg(long, env = "HOLDBOOK_POSTGRES_URL", value_name = "URL")]
        postgres_url: String,
    },
    /// Post an account's waiting events, in order, once their cause is gone, and unfreeze it; exit 1 if some still wait
    #[command(
        after_help = "Example, with the settings of the service in the environment:\n  holdbook quarantine retry acme"
    )]
    Retry {
        /// The account
        account: String,
        /// The stores and settings of the service
        #[command(flatten)]
        serve: Box<ServeArgs>,
    },
}

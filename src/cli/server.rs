//! The arguments of the subcommands that are not clients but the service itself.

use std::path::PathBuf;

use clap::Args;

use crate::config::ServiceArgs;

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

/// `holdbook audit`.
#[derive(Args, Clone, Debug)]
pub struct AuditArgs {
    /// The Redis that holds live in
    #[arg(long, env = "HOLDBOOK_REDIS_URL", value_name = "URL")]
    pub redis_url: String,
    /// The ledger's database
    #[arg(long, env = "HOLDBOOK_POSTGRES_URL", value_name = "URL")]
    pub postgres_url: String,
}

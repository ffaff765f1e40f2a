//! The subcommands that are clients of the gRPC API, and those that only look at a catalog's file.
//!
//! They own the command line's words, how answers and refusals are shown, the replay of a trace and the scenario. They
//! know the generated client types and the catalog only: every rule is the service's, none is repeated here, but for the
//! replay's own computation of what must come out.

mod account;
pub mod bench;
mod catalog;
pub mod client;
mod grant;
mod hold;
mod names;
pub mod refusal;
pub mod replay;
pub mod scenario;
pub mod server;
mod show;
pub mod stream;
mod subscription;
mod totals;
mod values;

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    path::PathBuf,
};

use clap::{Args, Subcommand};
use tonic::Status;

pub use self::{
    account::AccountCommand,
    bench::BenchArgs,
    catalog::{CatalogCommand, CatalogError, FileMistakes, QuoteArgs},
    grant::GrantCommand,
    hold::HoldCommand,
    show::{Output, Record, Value},
    subscription::SubscriptionCommand,
};
use self::{
    client::{ConnectError, Services},
    refusal::Refusal,
    replay::{ReplayError, Summary},
    values::ServerArgs,
};

/// The subcommands that are clients.
#[derive(Clone, Debug, Subcommand)]
pub enum ClientCommand {
    /// Accounts, their balances and ledger rows
    #[command(after_help = "Example:\n  holdbook account create acme --overdraft-limit 50")]
    Account {
        /// Which server.
        #[command(flatten)]
        server: ServerArgs,
        /// Which call.
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Credits coming in, and being taken back
    #[command(
        after_help = "Example:\n  holdbook grant create acme evt_7f3a --kind top-up --amount 250"
    )]
    Grant {
        /// Which server.
        #[command(flatten)]
        server: ServerArgs,
        /// Which call.
        #[command(subcommand)]
        command: GrantCommand,
    },
    /// Holds: reserve before a job, commit what it used, or release
    #[command(after_help = "Example:
  holdbook hold reserve acme frame-0001 --amount 30 --ttl 10m
  holdbook hold commit acme frame-0001 --amount 25")]
    Hold {
        /// Which server.
        #[command(flatten)]
        server: ServerArgs,
        /// Which call.
        #[command(subcommand)]
        command: HoldCommand,
    },
    /// Subscriptions: an account's plan, its cycles, and the money for it
    #[command(after_help = "Example:\n  holdbook subscription create acme sub_1 --plan max")]
    Subscription {
        /// Which server.
        #[command(flatten)]
        server: ServerArgs,
        /// Which call.
        #[command(subcommand)]
        command: SubscriptionCommand,
    },
    /// Catalogs of prices and plans: files, and the versions that a server has
    #[command(after_help = "Example:\n  holdbook catalog check tests/catalogs/creatify.yaml")]
    Catalog {
        /// Which server; a file alone needs none.
        #[command(flatten)]
        server: ServerArgs,
        /// What.
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// What a usage costs: a range before the run, the exact price after it
    #[command(
        after_help = "Examples: an item is METER QUANTITY and what its price depends on
  holdbook quote 'render 45 resolution=full-hd' 'voice 61'
  holdbook quote --exact 'image 1 price=2'"
    )]
    Quote(QuoteArgs),
    /// Play a trace of real jobs and compare service and ledger with the totals computed from the file
    #[command(after_help = "Example:
  holdbook replay --trace tests/data/gpu-jobs-300.csv

Each account gets a grant of 100 credits and may owe 50; a job reserves the price of half its time and commits the price
of all of it; a refused reserve is topped up by 100 and sent again. Played a second time every call is answered as a
repeat and nothing changes. The accounts are acct-0 to acct-96, so a service can hold one trace. Exit code 1 names each account and total that differs.")]
    Replay(ReplayArgs),
    /// Load a service, show how long its answers take, and look for every charge in the ledger
    #[command(after_help = "Examples:
  holdbook bench --duration 30s --over stream --in-flight 64
  holdbook bench --rate 500 --spread zipf --svg latency.svg

A turn is a reserve and its commit. With --rate turns begin on time whatever the server does, and each is measured from when it should have
begun: a server that stands still is seen for as long as it does. It works on accounts of its own, which stay. Exit code 1 names each account
of which the ledger says something else than its answers did.")]
    Bench(BenchArgs),
}

/// A trace to play.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Comma-separated jobs: name, num_gpu, gpu_milli, pod_phase, creation_time, deletion_time
    #[arg(long, value_name = "FILE")]
    pub trace: PathBuf,
    /// How many accounts are played side by side
    #[arg(long, value_name = "N", default_value = "16")]
    pub jobs: NonZeroUsize,
    /// Start private servers first, as `holdbook dev` does, instead of calling --server
    #[arg(long)]
    pub dev: bool,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// A client command failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The service refused, boxed because it is large.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The replay could not be done.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The replay found differences; the summary names them.
    #[error("replay: {0} differences")]
    Differences(usize),
    /// The ledger does not have what was answered; the report names the accounts.
    #[error("bench: {0} accounts differ from the ledger")]
    Lost(usize),
    /// A catalog's file cannot be used.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The answer could not be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status.into()))
    }
}

/// Sends a command and shows its answer.
pub async fn run(
    command: ClientCommand,
    output: Output,
    out: &mut impl Write,
) -> Result<(), ClientError> {
    let answer = match command {
        ClientCommand::Account { server, command } => {
            account::run(&services(&server).await?, command).await?
        }
        ClientCommand::Grant { server, command } => {
            grant::run(&services(&server).await?, command).await?
        }
        ClientCommand::Hold { server, command } => {
            hold::run(&services(&server).await?, command).await?
        }
        ClientCommand::Subscription { server, command } => {
            subscription::run(&services(&server).await?, command).await?
        }
        ClientCommand::Catalog { server, command } => catalog::run(&server, command).await?,
        ClientCommand::Quote(args) => catalog::quote(args).await?,
        ClientCommand::Replay(args) => {
            let channel = client::connect(&args.server.server).await?;
            let summary = replay::run(channel, &args.trace, args.jobs.get()).await?;
            return report(&summary, out);
        }
        ClientCommand::Bench(args) => {
            let report = bench::run(&args).await?;
            match output {
                Output::Table => writeln!(out, "{report}")?,
                Output::Json => writeln!(out, "{:#}", report.json())?,
            }
            return match report.differences.len() {
                0 => Ok(()),
                differences => Err(ClientError::Lost(differences)),
            };
        }
    };
    show(&answer, output, out)
}

/// Shows what a replay came to; differences are an error.
pub fn report(summary: &Summary, out: &mut impl Write) -> Result<(), ClientError> {
    writeln!(out, "{summary}")?;
    match summary.differences.len() {
        0 => Ok(()),
        differences => Err(ClientError::Differences(differences)),
    }
}

/// An error for a person, or a refusal for a program when the answer would have been JSON.
pub fn explain(error: &ClientError, output: Output) -> String {
    match (error, output) {
        (ClientError::Refused(refusal), Output::Json) => show::json(&refusal.record()),
        (ClientError::Catalog(CatalogError::Mistakes(mistakes)), Output::Json) => {
            show::json(&mistakes.record())
        }
        _ => error.to_string(),
    }
}

async fn services(server: &ServerArgs) -> Result<Services, ConnectError> {
    client::connect(&server.server).await.map(Services::over)
}

fn show(answer: &Record, output: Output, out: &mut impl Write) -> Result<(), ClientError> {
    output.show(answer, out)?;
    Ok(())
}

//! Arguments in, exit code out.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use holdbook::{
    app::{self, CommandError},
    cli::{
        self, CatalogError, ClientCommand, ClientError, Output,
        server::{DevArgs, MigrateArgs, PartitionCommand, QuarantineCommand, StoreUrls},
    },
    config::ServeArgs,
};

/// A no-op tonic server answered a fifth more calls with it than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Meters credits: reserve before a job, commit what it used, release what it did not
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Start here: a private Redis and Postgres, the service, and a scenario that shows what it does
  holdbook dev --play

Then, in another terminal:
  holdbook account create acme --overdraft-limit 50
  holdbook grant create acme welcome --kind promo --amount 100
  holdbook hold reserve acme frame-0001 --amount 30
  holdbook hold commit acme frame-0001 --amount 25
  holdbook account balance acme

Exit codes: 0 done, 1 refused or failed, 2 wrong usage or a wrong catalog."
)]
struct Arguments {
    /// Show answers and refusals as `table` or as `json`
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        hide_possible_values = true
    )]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service on a Redis and a Postgres of yours
    Serve(ServeArgs),
    /// Run the service with a private Redis and Postgres from this machine's binaries
    #[command(
        after_help = "Example: start empty, play the scenario, stop\n  holdbook dev --fresh --play --exit"
    )]
    Dev(DevArgs),
    /// Bring the ledger's schema up to date
    #[command(
        after_help = "Example:\n  holdbook migrate --postgres-url postgres://holdbook@db/holdbook"
    )]
    Migrate(MigrateArgs),
    /// Compare the ledger's sums per account, and Redis with the ledger; exit 1 names each difference
    #[command(
        after_help = "Example:\n  holdbook audit --redis-url redis://cache --postgres-url postgres://holdbook@db/holdbook"
    )]
    Audit(StoreUrls),
    /// Whether each partition is open and how far its ledger is; and their recovery
    #[command(subcommand)]
    Partition(PartitionCommand),
    /// Events that could not be posted: their accounts are frozen until they are
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    #[command(flatten)]
    Client(ClientCommand),
    /// Print the completions of a shell
    #[command(
        after_help = "Example:\n  holdbook completions bash > /etc/bash_completion.d/holdbook"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let Arguments { output, command } = Arguments::parse();
    match command {
        Command::Serve(args) => service(app::serve(args)),
        Command::Dev(args) => service(app::dev(args)),
        Command::Migrate(args) => service(app::migrate(args)),
        Command::Audit(args) => service(app::audit(args, output)),
        Command::Partition(command) => service(app::partition(command, output)),
        Command::Quarantine(command) => service(app::quarantine(command)),
        Command::Client(ClientCommand::Replay(args)) if args.dev => service(app::replay_dev(args)),
        Command::Client(command) => client(command, output),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "holdbook",
                &mut io::stdout(),
            );
            ExitCode::SUCCESS
        }
    }
}

/// Runs what serves, or works on the stores; it has said what there is to say, but for its error.
fn service(work: impl Future<Output = Result<ExitCode, CommandError>>) -> ExitCode {
    run(work).unwrap_or_else(|error| failed(&error.to_string()))
}

fn client(command: ClientCommand, output: Output) -> ExitCode {
    let work = async {
        Ok(done(
            cli::run(command, output, &mut io::stdout()).await,
            output,
        ))
    };
    service(work)
}

fn run<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)?
        .block_on(work)
}

fn done(result: Result<(), ClientError>, output: Output) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has read enough, such as `head`.
        Err(ClientError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        // The summary has named them.
        Err(ClientError::Differences(_)) => ExitCode::FAILURE,
        // Mistakes in a catalog are those of whoever wrote it, as wrong usage is.
        Err(error @ ClientError::Catalog(CatalogError::Mistakes(_))) => {
            failed(&cli::explain(&error, output));
            ExitCode::from(2)
        }
        Err(error) => failed(&cli::explain(&error, output)),
    }
}

fn failed(message: &str) -> ExitCode {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::FAILURE
}

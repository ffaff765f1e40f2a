//! Arguments in, exit code out.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use holdbook::cli::{
    self, ClientCommand, ClientError, Output,
    server::{AuditArgs, DevArgs, MigrateArgs},
};

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

Exit codes: 0 done, 1 refused or failed, 2 wrong usage."
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
    Serve,
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
    Audit(AuditArgs),
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
        Command::Serve => not_linked("serve"),
        Command::Dev(_) => not_linked("dev"),
        Command::Migrate(_) => not_linked("migrate"),
        Command::Audit(_) => not_linked("audit"),
        Command::Client(ClientCommand::Replay(args)) if args.dev => not_linked("replay --dev"),
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

fn not_linked(command: &str) -> ExitCode {
    failed(&format!(
        "holdbook {command}: this build has the client commands only"
    ))
}

fn client(command: ClientCommand, output: Output) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start the runtime: {error}")),
    };
    done(
        runtime.block_on(cli::run(command, output, &mut io::stdout())),
        output,
    )
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
        Err(error) => failed(&cli::explain(&error, output)),
    }
}

fn failed(message: &str) -> ExitCode {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::FAILURE
}

//! The subcommands of the service itself: `serve`, `migrate`, `audit`.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    open::{self, OpenError},
    service::{Service, ServiceError},
};
use crate::{
    cli::{
        ClientError, Output,
        client::ConnectError,
        replay::ReplayError,
        scenario::ScenarioError,
        server::{MigrateArgs, QuarantineCommand, StoreUrls},
    },
    config::{Config, Mistakes, ServeArgs},
    dev::DevError,
    holds::HoldsError,
    ledger::{self, Ledger, LedgerError},
    reconcile::{self, AuditError, RecoveryError, Report, RetryError},
    telemetry::{self, Metrics, Telemetry, TelemetryConfig, TelemetryError},
};

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is the error of the room that it names")]
pub enum CommandError {
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Config(#[from] Mistakes),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Holds(#[from] HoldsError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Retry(#[from] RetryError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error("there is no partition {partition}: there are {count}, from 0")]
    NoPartition { partition: u32, count: u32 },
    #[error(transparent)]
    Dev(#[from] DevError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Sets up telemetry for a process that serves.
pub fn telemetry(config: &Config) -> Result<Telemetry, CommandError> {
    Ok(telemetry::init(&TelemetryConfig::from_env(
        config.log_format,
    )?)?)
}

/// Waits for Ctrl-C or a request to end.
pub async fn asked_to_stop() -> Result<(), CommandError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Signals)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// `holdbook serve`.
///
/// # Errors
/// The configuration is wrong, or a port or store is missing.
pub async fn serve(args: ServeArgs) -> Result<ExitCode, CommandError> {
    let config = Config::from_args(args)?;
    let telemetry = telemetry(&config)?;
    let service = Service::start(&config, telemetry.metrics()).await?;
    tracing::info!(grpc = %service.address(), admin = %service.admin_address(), "serving");
    asked_to_stop().await?;
    tracing::info!("stopping");
    service.stop().await?;
    telemetry.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// `holdbook migrate`.
///
/// # Errors
/// Postgres does not answer, or a migration fails.
pub async fn migrate(args: MigrateArgs) -> Result<ExitCode, CommandError> {
    let applied = ledger::migrate(&args.postgres_url).await?;
    writeln!(
        io::stdout(),
        "migrations applied: {applied}; the schema is at version {}",
        ledger::schema_version()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// `holdbook audit`.
///
/// # Errors
/// A store does not answer.
pub async fn audit(args: StoreUrls, output: Output) -> Result<ExitCode, CommandError> {
    let ledger = Ledger::connect(&args.postgres_url, 2).await?;
    let holds = open::for_reading(args.redis_url, &ledger).await?;
    let report = reconcile::audit(&holds, &ledger).await?;
    show(&report, output)?;
    Ok(if report.is_balanced() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn show(report: &Report, output: Output) -> io::Result<()> {
    match output {
        Output::Table => writeln!(io::stdout(), "{report}"),
        Output::Json => writeln!(io::stdout(), "{}", serde_json::json!(report)),
    }
}

/// `holdbook quarantine`.
///
/// # Errors
/// A store does not answer.
pub async fn quarantine(command: QuarantineCommand) -> Result<ExitCode, CommandError> {
    match command {
        QuarantineCommand::List { postgres_url } => list_quarantine(&postgres_url).await,
        QuarantineCommand::Retry { account, serve } => {
            let config = Config::from_args(*serve)?;
            let service = Service::start(&beside(config), Metrics::local()?).await?;
            let retried = reconcile::retry(
                service.holds(),
                service.ledger(),
                service.memory(),
                &account,
            )
            .await;
            service.stop().await?;
            let retried = retried?;
            writeln!(
                io::stdout(),
                "posted {}, still waiting {}",
                retried.posted,
                retried.left
            )?;
            if let Some((position, why)) = &retried.stuck {
                writeln!(io::stdout(), "stuck at {position:?}: {why}")?;
            }
            Ok(if retried.left == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

/// The same stores and settings on ports of its own: a service runs there already.
fn beside(config: Config) -> Config {
    let free = |address: SocketAddr| SocketAddr::new(address.ip(), 0);
    Config {
        listen: free(config.listen),
        admin_listen: free(config.admin_listen),
        ..config
    }
}

async fn list_quarantine(postgres_url: &str) -> Result<ExitCode, CommandError> {
    const PAGE: u32 = 100;
    let ledger = Ledger::connect(postgres_url, 1).await?;
    let (mut after, mut waiting) = (None, 0);
    loop {
        let page = ledger.quarantine(after, PAGE).await?;
        for event in page.rows {
            waiting += 1;
            writeln!(
                io::stdout(),
                "{}  {:?}  {}",
                event.account,
                event.position,
                event.why
            )?;
        }
        after = page.next;
        if after.is_none() {
            writeln!(io::stdout(), "quarantine: {waiting} events wait")?;
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The stores' rooms for an audit of a running service.
pub async fn audit_running(service: &Service) -> Result<Report, CommandError> {
    Ok(reconcile::audit(service.holds(), service.ledger()).await?)
}

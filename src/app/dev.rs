//! `holdbook dev`: private servers, the service on them, and the scenario that shows what it does.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use super::{
    commands::{CommandError, asked_to_stop, audit_running, telemetry},
    service::Service,
};
use crate::{
    cli::{self, ReplayArgs, client, replay, scenario, server::DevArgs},
    config::{Config, ServeArgs, ServiceArgs, StoreArgs},
    dev::{Servers, ServersConfig},
    ledger,
    telemetry::Telemetry,
};

/// How long the ledger may take to have all that the scenario or a replay did.
const DRAIN_LIMIT: Duration = Duration::from_secs(120);

/// Everything that `dev` runs.
struct Stack {
    servers: Servers,
    telemetry: Telemetry,
    service: Service,
}

impl Stack {
    async fn start(
        data_dir: PathBuf,
        fresh: bool,
        args: ServiceArgs,
    ) -> Result<Self, CommandError> {
        let servers = Servers::start(ServersConfig {
            data_dir,
            fresh,
            ..ServersConfig::default()
        })
        .await?;
        let (redis, postgres) = (servers.redis_url(), servers.postgres_url());
        let mut out = io::stdout();
        writeln!(out, "data      {}", servers.data_dir().display())?;
        writeln!(out, "redis     {redis}")?;
        writeln!(out, "postgres  {postgres}")?;
        ledger::migrate(&postgres).await?;
        let stores = StoreArgs {
            redis_url: Some(redis),
            postgres_url: Some(postgres),
        };
        let config = Config::from_args(ServeArgs {
            stores,
            service: args,
        })?;
        let telemetry = telemetry(&config)?;
        let service = Service::start(&config, telemetry.metrics()).await?;
        writeln!(out, "grpc      {}", service.address())?;
        writeln!(out, "admin     http://{}/metrics", service.admin_address())?;
        Ok(Self {
            servers,
            telemetry,
            service,
        })
    }

    async fn channel(&self) -> Result<tonic::transport::Channel, CommandError> {
        Ok(client::connect(&format!("http://{}", self.service.address())).await?)
    }

    /// Audits both stores once the ledger has everything; says whether they balance.
    async fn audit(&self) -> Result<bool, CommandError> {
        if !self.service.drained(DRAIN_LIMIT).await {
            writeln!(
                io::stdout(),
                "audit: the ledger did not catch up within {} s",
                DRAIN_LIMIT.as_secs()
            )?;
            return Ok(false);
        }
        let report = audit_running(&self.service).await?;
        writeln!(io::stdout(), "{report}")?;
        Ok(report.is_balanced())
    }

    async fn stop(self) -> Result<(), CommandError> {
        let stopped = self.service.stop().await;
        self.telemetry.shutdown().await;
        self.servers.stop().await?;
        Ok(stopped?)
    }
}

/// `holdbook dev`.
///
/// # Errors
/// A server does not start, a port is taken, or the scenario saw what it should not.
pub async fn dev(args: DevArgs) -> Result<ExitCode, CommandError> {
    let stack = Stack::start(args.data_dir, args.fresh, args.service).await?;
    let mut balanced = true;
    if args.play {
        let colour = io::stdout().is_terminal();
        let played = scenario::play(stack.channel().await?, &mut io::stdout(), colour).await;
        if let Err(error) = played {
            stack.stop().await?;
            return Err(error.into());
        }
        balanced = stack.audit().await?;
    }
    if !args.exit {
        writeln!(
            io::stdout(),
            "serving on {}; Ctrl-C stops",
            stack.service.address()
        )?;
        tokio::select! {
            stop = asked_to_stop() => stop?,
            died = stack.servers.died() => return Err(died.into()),
        }
    }
    stack.stop().await?;
    Ok(if balanced {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `holdbook replay --dev`: twice on an empty private stack, so that the second run shows that repeats change nothing.
///
/// # Errors
/// A server does not start, or the replay cannot be done.
pub async fn replay_dev(args: ReplayArgs) -> Result<ExitCode, CommandError> {
    let data_dir =
        std::env::temp_dir().join(format!("holdbook-replay-{}", uuid::Uuid::new_v4().simple()));
    let free = "127.0.0.1:0".to_owned();
    let stack = Stack::start(
        data_dir.clone(),
        true,
        ServiceArgs {
            listen: free.clone(),
            admin_listen: free,
            ..ServiceArgs::default()
        },
    )
    .await?;
    let mut right = true;
    for _ in 0..2 {
        let summary = replay::run(stack.channel().await?, &args.trace, args.jobs.get()).await?;
        right &= cli::report(&summary, &mut io::stdout()).is_ok();
        right &= stack.audit().await?;
    }
    stack.stop().await?;
    tokio::fs::remove_dir_all(&data_dir).await?;
    Ok(if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

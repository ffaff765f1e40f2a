//! `holdbook partition`: what an operator asks of partitions, and the recovery that nobody else asked for.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use super::{commands::CommandError, open};
use crate::{
    cli::{
        Output, Record, Value,
        server::{PartitionCommand, StoreUrls},
    },
    config::{Config, ServeArgs},
    ledger::Ledger,
    reconcile::{self, LedgerWait, PartitionStatus, Recovery, Relay, RelayOptions},
    telemetry::Metrics,
};

/// What a table shows of a partition.
const COLUMNS: [&str; 14] = [
    "partition",
    "epoch",
    "open",
    "same_server",
    "cursor",
    "n",
    "lag",
    "recovered_at",
    "drained",
    "behind_a_gap",
    "replayed",
    "not_replayed",
    "missing",
    "may_have_lost",
];

/// `holdbook partition`.
///
/// # Errors
/// A store does not answer, or a partition cannot be recovered.
pub async fn partition(
    command: PartitionCommand,
    output: Output,
) -> Result<ExitCode, CommandError> {
    match command {
        PartitionCommand::Status(urls) => status(urls, output).await,
        PartitionCommand::Recover { partition, serve } => recover(partition, *serve).await,
    }
}

async fn status(urls: StoreUrls, output: Output) -> Result<ExitCode, CommandError> {
    let ledger = Ledger::connect(&urls.postgres_url, 1).await?;
    let holds = open::for_reading(urls.redis_url, &ledger).await?;
    let partitions = reconcile::status(&holds, &ledger).await?;
    let all_open = partitions.iter().all(|partition| partition.open);
    let rows = partitions.iter().map(record).collect();
    let answer = Record::of([("partitions", Value::Rows(rows, &COLUMNS))]);
    output.show(&answer, &mut io::stdout())?;
    Ok(if all_open {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn record(status: &PartitionStatus) -> Record {
    let count = |count: Option<u64>| count.map_or(Value::Absent, Value::Count);
    let recovery = status.last_recovery;
    let recovered_at = recovery.map_or(Value::Absent, |recovery| {
        Value::Text(recovery.finished_at.to_string())
    });
    Record::of([
        ("partition", Value::Count(status.partition.into())),
        ("epoch", Value::Count(status.epoch)),
        ("open", Value::Flag(status.open)),
        ("same_server", Value::Flag(status.same_server)),
        ("cursor", Value::Text(status.cursor.to_string())),
        ("n", count(status.n)),
        ("lag", count(status.lag)),
        ("recovered_at", recovered_at),
        ("drained", count(recovery.map(|recovery| recovery.drained))),
        (
            "behind_a_gap",
            count(recovery.map(|recovery| recovery.behind_a_gap)),
        ),
        (
            "replayed",
            count(recovery.map(|recovery| recovery.replayed)),
        ),
        (
            "not_replayed",
            count(recovery.map(|recovery| recovery.not_replayed)),
        ),
        ("missing", count(recovery.map(|recovery| recovery.missing))),
        (
            "may_have_lost",
            recovery.map_or(Value::Absent, |recovery| {
                Value::Flag(recovery.may_have_lost)
            }),
        ),
    ])
}

/// Recovers beside whatever serves: it holds the lease, and calls wait for the era that it opens.
async fn recover(partition: Option<u32>, serve: ServeArgs) -> Result<ExitCode, CommandError> {
    let config = Config::from_args(serve)?;
    let ledger = Ledger::connect(config.postgres_url.expose(), config.postgres_pool)
        .await?
        .giving_up_after(config.postgres_timeout);
    let holds = open::holds(&config, Box::new(|_| {}))?;
    open::stores(&config, &holds, &ledger).await?;
    let count = holds.partitions();
    let chosen = match partition {
        Some(partition) if partition < count => partition..partition + 1,
        Some(partition) => return Err(CommandError::NoPartition { partition, count }),
        None => 0..count,
    };
    let waits = LedgerWait::new(&ledger).await?;
    let instruments = Metrics::local()?.instruments();
    let options = RelayOptions::from(&config);
    for partition in chosen {
        let relay = Relay::new(
            partition,
            holds.clone(),
            ledger.clone(),
            waits.clone(),
            instruments.clone(),
            options,
        );
        let mut watcher = Recovery::new(
            partition,
            holds.clone(),
            ledger.clone(),
            relay,
            config.test_clock,
        );
        open::until_open(async || watcher.force().await).await?;
        let reports = ledger.last_recoveries().await?;
        if let Some(report) = reports.get(&partition) {
            writeln!(
                io::stdout(),
                "partition {partition}: open at era {}, drained {}, behind a gap {}, replayed {}, not replayed {}, missing {}, may have lost something: {}",
                report.epoch,
                report.drained,
                report.behind_a_gap,
                report.replayed,
                report.not_replayed,
                report.missing,
                report.may_have_lost
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

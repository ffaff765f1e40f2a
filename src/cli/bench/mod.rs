//! `holdbook bench`: a load on a running service, its latencies free of coordinated omission, and the proof that none of it was lost.
//!
//! `load` makes turns of a reserve and its end, `spread` says on which account, `transport` how they go. In the end every charge that was
//! answered is looked for in the ledger: a figure that comes from lost work is no figure.

mod args;
mod load;
mod plot;
mod report;
mod spread;
mod transport;

use std::{
    io::{self, IsTerminal},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tonic::Status;

pub use self::{args::BenchArgs, report::Report};
use self::{
    load::{Seen, Shared},
    report::Difference,
};
use super::{
    ClientError,
    client::{self, Services},
    totals,
};
use crate::proto::{CreateAccountRequest, GrantCreditsRequest, GrantKind};

/// What each account gets: nothing is refused for lack of it.
const CREDITS: &str = "100000000";
/// Calls at once, outside of the load.
const SIDE_BY_SIDE: usize = 32;

/// Makes the load, and looks for all of it in the ledger.
pub async fn run(args: &BenchArgs) -> Result<Report, ClientError> {
    let services = Services::over(client::connect(&args.server.server).await?);
    let ways = transport::open(args).await?;
    let run = format!("bench-{}", uuid::Uuid::new_v4().simple());
    let bar = ProgressBar::new(0);
    let shared = Shared::new(args, &run);
    open_accounts(&services, &shared, args.accounts, &bar).await?;
    // Its clock begins now.
    let shared = Shared::new(args, &run);
    let watched = tokio::spawn(watch(Arc::clone(&shared), bar.clone()));
    let seen = load::run(&shared, &ways).await;
    watched.abort();
    bar.set_message("looking for every charge in the ledger");
    let (accounts, differences) = check(&services, &shared, &seen).await?;
    bar.finish_and_clear();
    let report = Report::new(args, run, seen, accounts, differences);
    if let Some(file) = &args.svg {
        tokio::fs::write(file, plot::svg(&report)).await?;
    }
    Ok(report)
}

async fn open_accounts(
    services: &Services,
    shared: &Shared,
    accounts: u32,
    bar: &ProgressBar,
) -> Result<(), Status> {
    bar.set_length(accounts.into());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} accounts {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let numbers = 0..usize::try_from(accounts).unwrap_or(usize::MAX);
    stream::iter(numbers.map(Ok))
        .try_for_each_concurrent(SIDE_BY_SIDE, async |number| {
            let account_id = shared.account(number);
            let create = CreateAccountRequest {
                account_id: account_id.clone(),
                ..Default::default()
            };
            services.account.clone().create_account(create).await?;
            let grant = GrantCreditsRequest {
                account_id,
                grant_id: "bench".to_owned(),
                kind: GrantKind::TopUp.into(),
                amount: CREDITS.to_owned(),
                ..Default::default()
            };
            services.grant.clone().grant_credits(grant).await?;
            bar.inc(1);
            Ok(())
        })
        .await
}

/// Once a second: how many, and how long the turns of that second took.
async fn watch(shared: Arc<Shared>, bar: ProgressBar) {
    let style = ProgressStyle::with_template("{elapsed} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.reset_elapsed();
    let (mut before, terminal) = (0, io::stderr().is_terminal());
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let answered = shared.answered.load(Ordering::Relaxed);
        let (p50, p99) = {
            let mut recent = shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let found = (plot::slower(&recent, 2), plot::slower(&recent, 100));
            recent.reset();
            found
        };
        let line = format!(
            "{} operations a second, turns p50 {}, p99 {}",
            answered - before,
            report::millis(p50),
            report::millis(p99)
        );
        before = answered;
        if terminal {
            bar.set_message(line);
        }
    }
}

/// What each account was charged by the ledger's rows, against what its answers said.
async fn check(
    services: &Services,
    shared: &Shared,
    seen: &Seen,
) -> Result<(usize, Vec<Difference>), Status> {
    let compared: Vec<_> = stream::iter(&seen.charged)
        .filter(|(account, _)| std::future::ready(!seen.unknown.contains(account)))
        .map(async |(account, answered)| {
            let account_id = shared.account(*account);
            let rows = totals::of_ledger(services, &account_id).await?;
            let same = rows.spent == *answered && rows.held.is_zero() && rows.are_balanced();
            Ok::<_, Status>((!same).then_some(Difference {
                account_id,
                answered: *answered,
                rows,
            }))
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    Ok((compared.len(), compared.into_iter().flatten().collect()))
}

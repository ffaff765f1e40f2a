//! `holdbook replay`: plays the jobs of a trace through the API and proves the totals three ways.
//!
//! `trace` reads the file, `simulation` computes what has to come of it, `play` sends the calls, and here the two meet the
//! service's balances and the ledger's rows. Played again, every call is answered as a repeat and nothing changes: the
//! simulation knows which reserves were refused the first time.

mod calls;
mod play;
mod report;
mod simulation;
mod trace;

#[cfg(test)]
mod tests;

use std::{io, path::Path};

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tonic::{Status, transport::Channel};

pub use self::report::{Difference, Summary};
use self::{play::Played, simulation::Plan};
use super::{
    client::Services,
    refusal::Refusal,
    totals::{self, Totals},
};

/// The replay could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("--trace {file}: {error}")]
    File {
        /// Which.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// The file is not a trace.
    #[error("--trace {file}: {error}")]
    Trace {
        /// Which.
        file: String,
        /// Where and why.
        error: trace::TraceError,
    },
    /// A call failed otherwise than by a refusal that the simulation knows.
    #[error("replay: {account}: {call}: {refusal}")]
    Call {
        /// Whose.
        account: String,
        /// Which call.
        call: String,
        /// Its status, boxed because it is large and rare.
        refusal: Box<Refusal>,
    },
}

impl ReplayError {
    fn call(account: &str, call: impl Into<String>, status: Status) -> Self {
        Self::Call {
            account: account.to_owned(),
            call: call.into(),
            refusal: Box::new(status.into()),
        }
    }
}

/// Plays the trace with `side_by_side` accounts at once and compares. Progress is shown when standard error is a terminal.
pub async fn run(
    channel: Channel,
    file: &Path,
    side_by_side: usize,
) -> Result<Summary, ReplayError> {
    let name = file.display().to_string();
    let text = tokio::fs::read_to_string(file)
        .await
        .map_err(|error| ReplayError::File {
            file: name.clone(),
            error,
        })?;
    let jobs = trace::read(&text).map_err(|error| ReplayError::Trace { file: name, error })?;
    let plans = simulation::plan(&jobs);
    let services = Services::over(channel);
    let bar = progress(&plans);
    let outcomes: Vec<Outcome> = stream::iter(&plans)
        .map(|plan| account(&services, plan, &bar))
        .buffered(side_by_side.max(1))
        .try_collect()
        .await?;
    bar.finish_and_clear();
    Ok(report::summary(jobs.len(), &plans, outcomes))
}

/// What one account came to.
#[derive(Debug)]
struct Outcome {
    played: Played,
    service: Totals,
    ledger: Totals,
}

async fn account(
    services: &Services,
    plan: &Plan,
    bar: &ProgressBar,
) -> Result<Outcome, ReplayError> {
    let played = play::play(services, plan, bar).await?;
    let failed =
        |call: &'static str| move |status| ReplayError::call(&plan.account_id, call, status);
    let service = play::balance(services, plan, &played)
        .await
        .map_err(failed("GetBalance"))?;
    let ledger = totals::of_ledger(services, &plan.account_id)
        .await
        .map_err(failed("ListTransfers"))?;
    Ok(Outcome {
        played,
        service,
        ledger,
    })
}

fn progress(plans: &[Plan]) -> ProgressBar {
    let calls: usize = plans.iter().map(|plan| plan.steps.len() + 1).sum();
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} calls, {per_sec}, {eta} left");
    let bar = ProgressBar::new(calls as u64);
    // The template is a constant: were it wrong, the plain bar would do.
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

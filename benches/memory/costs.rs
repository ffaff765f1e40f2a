//! What the workers that go over all accounts cost, at one size of the ledger or another.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use holdbook::{
    reconcile::{Evictor, LightAudit},
    telemetry::{Instruments, Metrics},
};

use super::{Outcome, book::Book, stage::Stage};

/// Looks and steps of which the median counts.
const LOOKS: usize = 200;
const STEPS: usize = 40;
/// Accounts in a look of the sweeper.
const PAGE: u32 = 64;
/// The statement of the sweeper, as the service has it.
const DUE: &str = include_str!("../../src/ledger/sql/due_accounts.sql");

/// Of the workers that go by the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// A look of the sweeper at one partition, nothing being due.
    pub sweeper_look: Duration,
    /// The same in pages of Postgres.
    pub sweeper_pages: i64,
    /// A step of the light audit.
    pub audit_step: Duration,
}

/// Of a round of the evictor over one partition, its pauses left out.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    pub steps: u32,
    pub took: Duration,
    pub longest: Duration,
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn instruments() -> Outcome<Arc<Instruments>> {
    Ok(Metrics::local()?.instruments())
}

/// Takes all of them.
pub async fn of(book: &Book, stage: &Stage) -> Outcome<Costs> {
    let now = stage.holds.now(0).await?;
    let mut looks = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let started = Instant::now();
        let beginning = (0, String::new());
        let found = stage.ledger.due_accounts(0, now, &beginning, PAGE).await?;
        looks.push(started.elapsed());
        if !found.is_empty() {
            return Err(format!("{} accounts are due: none was to be", found.len()).into());
        }
    }
    Ok(Costs {
        sweeper_look: median(looks),
        sweeper_pages: sweeper_pages(book, now).await?,
        audit_step: audit_step(stage).await?,
    })
}

/// Pages that Postgres reads for the sweeper's look, by its own account.
async fn sweeper_pages(book: &Book, now: i64) -> Outcome<i64> {
    let client = book.client().await?;
    // As after a few executions in the service: a plan for all parameters.
    client
        .batch_execute(&format!(
            "set plan_cache_mode = force_generic_plan; prepare due as {DUE}"
        ))
        .await?;
    let sql =
        format!("explain (analyze, buffers, format json) execute due (0, {now}, 0, '', {PAGE})");
    let row = client.query_one(&sql, &[]).await?;
    let plan: serde_json::Value = row.get(0);
    let plan = &plan[0]["Plan"];
    let pages = |name: &str| plan[name].as_i64().ok_or("Postgres explains no pages");
    Ok(pages("Shared Hit Blocks")? + pages("Shared Read Blocks")?)
}

/// The light audit from the first account on.
async fn audit_step(stage: &Stage) -> Outcome<Duration> {
    let (holds, ledger) = (stage.holds.clone(), stage.ledger.clone());
    let mut audit = LightAudit::new(holds, ledger, instruments()?);
    let mut steps = Vec::with_capacity(STEPS);
    for _ in 0..STEPS {
        let started = Instant::now();
        let looked = audit.step().await?;
        steps.push(started.elapsed());
        if let Some(difference) = looked.differences.first() {
            return Err(format!("the light audit: {difference}").into());
        }
    }
    Ok(median(steps))
}

/// A round of an evictor that finds nobody idle, over all that Redis has.
pub async fn evictor_round(stage: &Stage) -> Outcome<Round> {
    const NEVER: Duration = Duration::from_secs(24 * 3600);
    let (holds, ledger) = (stage.holds.clone(), stage.ledger.clone());
    let mut evictor = Evictor::new(0, holds, ledger, instruments()?, NEVER);
    let mut round = Round {
        steps: 0,
        took: Duration::ZERO,
        longest: Duration::ZERO,
    };
    loop {
        let started = Instant::now();
        let turn = evictor.step().await?;
        let took = started.elapsed();
        round.steps += 1;
        round.took += took;
        round.longest = round.longest.max(took);
        if turn.round_over {
            return Ok(round);
        }
    }
}

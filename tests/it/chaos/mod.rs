//! The harness that tries to break the promise: real processes, real stores, faults keyed on counts of acknowledgements.
//!
//! `client` works and keeps its `journal`, `strike` breaks something meanwhile, `world` heals, `verdict` compares the ledger with the
//! journals, `table` tells. Nothing here knows how the service recovers.

mod both;
mod client;
mod clocks;
mod dials;
mod fail_over;
mod fault;
mod journal;
mod process;
mod proxy;
mod run;
mod server;
mod strike;
mod table;
mod verdict;
mod world;

use std::fmt;

use crate::model::from_environment;

/// What a run that failed says last, below any backtrace: of a long log only the end may be kept.
struct Broken {
    findings: String,
    again: String,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nshown again by {}", self.findings, self.again)
    }
}

/// RUNS (default: the first faults once each; from 200 on at least 20 of each) from SEED: `make chaos` sets both. FAULT, a part of a name:
/// only that one. FIRST=1: ends at the first finding. LANES: so many runs at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short() -> Result<(), Broken> {
    let plan = run::Plan {
        runs: from_environment("RUNS", 4),
        seed: from_environment("SEED", 7),
        only: std::env::var("FAULT").unwrap_or_default(),
        first: from_environment("FIRST", 0) > 0,
        lanes: from_environment("LANES", 1),
    };
    let again = format!(
        "SEED={} RUNS={} FAULT={:?}",
        plan.seed, plan.runs, plan.only
    );
    println!("chaos: {again}");
    let table = run::all(plan).await;
    println!("{table}");
    if table.is_as_promised() {
        return Ok(());
    }
    let findings = table.findings();
    Err(Broken { findings, again })
}

//! The harness that tries to break the promise: real processes, real stores, faults keyed on counts of acknowledgements.
//!
//! `client` works and keeps its `journal`, `strike` breaks something meanwhile, `world` heals, `verdict` compares the ledger with the
//! journals, `table` tells. Nothing here knows how the service recovers.

mod client;
mod fault;
mod journal;
mod process;
mod proxy;
mod run;
mod strike;
mod table;
mod verdict;
mod world;

use crate::model::from_environment;

/// RUNS (default: the first faults once each) from SEED: `make chaos` sets both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short() {
    let (runs, seed) = (from_environment("RUNS", 4), from_environment("SEED", 7));
    println!("chaos: SEED={seed} RUNS={runs}");
    let table = run::all(runs, seed).await;
    println!("{table}");
    assert!(
        table.is_as_promised(),
        "SEED={seed} RUNS={runs} shows it again"
    );
}

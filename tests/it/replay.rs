//! Real jobs of a GPU cluster, metered: the totals are computed from the file, answered by the service and summed in the ledger.

use std::path::Path;

use holdbook::cli::{replay, scenario};

use crate::support::Stack;

/// Plays a trace twice on one stack: equal totals, then every call a repeat and nothing changed.
async fn plays_twice(trace: &Path) {
    let stack = Stack::start(&[]).await;
    let first = replay::run(stack.channel(), trace, 16)
        .await
        .expect("the first run");
    assert!(first.differences.is_empty(), "{first}");
    assert_eq!(first.replayed, 0, "{first}");
    let again = replay::run(stack.channel(), trace, 16)
        .await
        .expect("the second run");
    assert!(again.differences.is_empty(), "{again}");
    assert_eq!(again.replayed, again.calls, "{again}");
    println!("{again}");
    stack.balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_real_jobs_come_out_to_the_micro_credit() {
    plays_twice(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gpu-jobs-300.csv")).await;
}

/// The whole trace is not part of the repository; where it stands beside it, it is played.
#[tokio::test(flavor = "multi_thread")]
async fn all_real_jobs_come_out_to_the_micro_credit() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/traces/gpu-jobs.csv");
    if !trace.exists() {
        println!("skipped: the full trace is not here; `make replay TRACE=` plays it");
        return;
    }
    plays_twice(&trace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scenario_plays_and_balances() {
    let stack = Stack::start(&[]).await;
    let mut told = Vec::new();
    scenario::play(stack.channel(), &mut told, false)
        .await
        .expect("the scenario");
    let told = String::from_utf8(told).expect("text");
    for word in [
        "grant",
        "reserve",
        "replayed",
        "402",
        "commit",
        "overdrawn",
        "settle",
        "release",
        "expired",
        "Totals",
    ] {
        assert!(told.contains(word), "no line with {word:?} in:\n{told}");
    }
    stack.balanced().await;
}

//! Random histories of subscriptions, through gRPC and the test clock, each answer compared with a reference model.
//!
//! `reference` owns what is right, `catalog` the plans, `generate` what is tried, `lane` the comparing, `checks` what must be true
//! whatever the model says.

mod call;
mod catalog;
mod checks;
mod generate;
mod lane;
mod reference;

use std::collections::BTreeMap;

use holdbook::proto::{
    ApplyCatalogRequest, NowRequest, pricing_service_client::PricingServiceClient,
    test_clock_service_client::TestClockServiceClient,
};

use super::model::{Dice, from_environment};
use super::support::Stack;
use call::Clients;
use lane::Lane;
use reference::{Micros, micros};

/// Lanes at once.
const LANES: u64 = 8;
/// Steps of a lane between two moves of the clock.
const ROUND: u64 = 5;
/// Steps on one stack: then a new one, so that the clock stays in our century.
const STEPS_OF_A_STACK: u64 = 20_000;

/// 2036-01-31 10:00: a month's last day, before the 29th of February.
const ORIGIN: Micros = 2_085_386_400 * reference::SECOND;

/// A run of the default length or more in which one of these never occurs is too tame to say much.
const EXPECTED: [&str; 25] = [
    "a cancelled period ends",
    "a cancelled trial ends",
    "a change that waited comes",
    "a change that waited comes with other cycles",
    "a change waits",
    "a cycle's credits settle debt",
    "a hold is open over a renewal",
    "a month of a year begins",
    "a paid period begins",
    "a payment brings credits",
    "a period ends unpaid",
    "a pin joins a rollover",
    "a pin of an ended grant is breakage",
    "a rollover",
    "a rollover is cut",
    "a trial converts",
    "a trial ends",
    "an end at once",
    "another plan in a trial",
    "money goes back",
    "to a plan of the same rank",
    "up with a part of the difference",
    "up with all credits",
    "up with no credits",
    "up with the difference",
];

/// STEPS (default 4,000) random calls from SEED (default 7).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_subscriptions() {
    compare(from_environment("STEPS", 4_000), false).await;
}

/// The same while every account is dropped as idle again and again: it is loaded from the ledger with its subscription, and no answer
/// shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_subscriptions_while_accounts_are_dropped() {
    compare(from_environment("IDLE_STEPS", 1_200), true).await;
}

async fn compare(steps: u64, dropping: bool) {
    // A fixed seed where none is given: `make test` tells the same every time; `make model-plans` draws one by the clock.
    let seed = from_environment("SEED", 7);
    let (mut done, mut part) = (0, 0);
    let (mut outcomes, mut differences) = (BTreeMap::new(), Vec::new());
    while done < steps && differences.is_empty() {
        let next = (steps - done).min(STEPS_OF_A_STACK);
        for lane in histories(next, (seed, part), dropping).await {
            done += lane.steps;
            differences.extend(lane.difference);
            for (outcome, count) in lane.outcomes {
                *outcomes.entry(outcome).or_insert(0) += count;
            }
        }
        part += 1;
    }
    for (outcome, count) in &outcomes {
        println!("  {count:>7} {outcome}");
    }
    for found in &differences {
        println!("\n{found}");
    }
    let found = differences.len();
    println!("model-plans: {done} steps, seed {seed}, {found} differences");
    assert!(
        differences.is_empty(),
        "the service and the model differ; SEED={seed} and as many steps show it again"
    );
    let mut expected = EXPECTED.iter();
    let missing = expected.find(|what| steps >= 4_000 && !outcomes.contains_key(**what));
    assert_eq!(missing, None, "the run was too tame");
}

/// So many steps on a stack of its own.
async fn histories(steps: u64, (seed, part): (u64, u64), dropping: bool) -> Vec<Lane> {
    let stack = Stack::start_with_test_clock().await;
    let applied = PricingServiceClient::new(stack.channel())
        .apply_catalog(ApplyCatalogRequest {
            yaml: catalog::TEXT.into(),
            ..Default::default()
        })
        .await;
    assert!(applied.expect("a catalog").into_inner().applied);
    let mut clock = TestClockServiceClient::new(stack.channel());
    let now = clock.now(NowRequest {}).await.expect("the time");
    let begun = micros(&now.into_inner().now.expect("the time"));
    // From one instant, so that a seed tells the same whenever it is run.
    let moved = clock.advance(lane::moves(ORIGIN - begun)).await;
    let moved = moved.expect("the clock moves").into_inner();
    let mut now: Micros = micros(&moved.now.expect("an instant"));
    assert_eq!(now, ORIGIN);
    let lane = |number| {
        let name = format!("p{seed}-{part}-{number}");
        let dice = Dice::new(seed, part * LANES + number);
        Lane::new(name, dice, Clients::new(&stack.channel()), now)
    };
    let mut lanes: Vec<Lane> = (0..LANES).map(lane).collect();
    let (mut left, mut rounds) = (steps, 0_usize);
    while left > 0 && lanes.iter().all(|lane| lane.difference.is_none()) {
        let mut running = Vec::new();
        for lane in lanes {
            let steps = left.min(ROUND);
            left -= steps;
            running.push(tokio::spawn(lane.round(steps)));
        }
        lanes = joined(running).await;
        if dropping && rounds % 3 == 2 {
            assert!(stack.evict().await > 0, "no account was dropped");
        }
        let turn = rounds / 2 % lanes.len();
        let by = lanes[turn].next_advance(rounds % 2 == 0);
        rounds += 1;
        let moved = clock
            .advance(lane::moves(by))
            .await
            .expect("the clock moves");
        now = micros(&moved.into_inner().now.expect("an instant"));
        lanes.iter_mut().for_each(|lane| lane.advanced(now));
    }
    if lanes.iter().all(|lane| lane.difference.is_none()) {
        let finishing = lanes.into_iter().map(|lane| tokio::spawn(lane.finish()));
        lanes = joined(finishing.collect()).await;
        stack.balanced().await;
    }
    lanes
}

async fn joined(running: Vec<tokio::task::JoinHandle<Lane>>) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for lane in running {
        lanes.push(lane.await.expect("a lane does not panic"));
    }
    lanes
}

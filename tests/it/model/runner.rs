//! Runs random calls against a server and the model side by side.
//!
//! Several lanes run at once. The clock is the server's and shared: all lanes make a round of calls, then it moves once,
//! for the server and for every model.

use futures_util::future::BoxFuture;

use super::lane::{FreezeHook, Lane};
use super::operation::Clients;
use super::reference::{Model, Settings, micros, timestamp};
use super::report::Report;
use super::requests::duration;

/// Lanes at once.
const LANES: u64 = 16;
/// Calls of a lane between two moves of the clock.
const ROUND: u64 = 16;
/// Percent of rounds after which the clock stays.
const STILL: u64 = 65;
/// 2120-01-01: the clock does not pass it by much, so that expiries of a century still lie before 2200... in tests only.
const CLOCK_BOUND: i64 = 4_733_510_400_000_000;

/// Done when no call is under way, with the number of the round; says whether Redis was lost.
pub type BetweenRounds = Box<dyn Fn(u64) -> BoxFuture<'static, bool> + Send + Sync>;

/// Makes so many random calls from this seed, and stops after the round in which an answer differed.
pub async fn run(
    mut clients: Clients,
    hook: FreezeHook,
    between: BetweenRounds,
    settings: Settings,
    operations: u64,
    seed: u64,
) -> Report {
    println!("model: {operations} operations, seed {seed}");
    let now = clients
        .clock
        .now(holdbook::proto::NowRequest {})
        .await
        .expect("the test clock answers");
    let now = micros(&now.into_inner().now.expect("the test clock says the time"));
    let lane_clients = |clients: &Clients, number: u64| Clients {
        // Every other lane asks call by call.
        stream: clients.stream.clone().filter(|_| number % 2 == 1),
        ..clients.clone()
    };
    let lane = |number| {
        Lane::new(
            number,
            seed,
            lane_clients(&clients, number),
            hook.clone(),
            Model::new(now, settings),
        )
    };
    let mut lanes: Vec<Lane> = (0..LANES).map(lane).collect();
    let (mut left, mut rounds) = (operations, 0);
    while left > 0 && !differs(&lanes) {
        let mut running = Vec::new();
        for lane in lanes {
            let steps = left.min(ROUND);
            left -= steps;
            running.push(tokio::spawn(lane.round(steps)));
        }
        lanes = joined(running).await;
        let turn = (left / ROUND % LANES) as usize;
        let by = if lanes[turn].dice.chance(STILL) {
            0
        } else {
            lanes[turn].next_advance()
        };
        advance(&mut clients, &mut lanes, by).await;
        if between(rounds).await {
            lanes.iter_mut().for_each(|lane| lane.model.lose());
        }
        rounds += 1;
    }
    let mut report = Report {
        operations: operations - left,
        seed,
        ..Default::default()
    };
    if !differs(&lanes) {
        lanes = joined(
            lanes
                .into_iter()
                .map(|lane| tokio::spawn(lane.finish()))
                .collect(),
        )
        .await;
    }
    lanes.into_iter().for_each(|lane| report.add(lane.report));
    report
}

fn differs(lanes: &[Lane]) -> bool {
    lanes.iter().any(|lane| !lane.report.differences.is_empty())
}

async fn joined(running: Vec<tokio::task::JoinHandle<Lane>>) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for lane in running {
        lanes.push(lane.await.expect("a lane does not panic"));
    }
    lanes
}

async fn advance(clients: &mut Clients, lanes: &mut [Lane], by: i64) {
    let now = lanes[0].model.now();
    if by <= 0 || now + by > CLOCK_BOUND {
        return;
    }
    let request = holdbook::proto::AdvanceRequest {
        by: Some(duration(by)),
    };
    let answer = clients
        .clock
        .advance(request)
        .await
        .expect("the test clock moves");
    assert_eq!(
        answer.into_inner().now,
        Some(timestamp(now + by)),
        "the clock after moving by {by} us"
    );
    lanes.iter_mut().for_each(|lane| lane.model.advance(by));
}

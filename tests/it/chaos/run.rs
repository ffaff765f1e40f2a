//! One run: load, a fault, healing, and the comparison.

use std::{sync::Arc, time::Duration};

use holdbook::{dev::PostgresServer, domain::credits::Credits};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    client::Client,
    fault::{Effect, Sort},
    journal::{Answers, Journal},
    strike::Hand,
    table::Table,
    verdict::{self, Book, Verdict},
    world::World,
};
use crate::model::Dice;

const CLIENTS: u64 = 12;
/// A run that takes longer hangs: that is a finding, not a measurement.
const HANGS: Duration = Duration::from_secs(180);
/// A fault that shows no effect so often does not do what it says.
const VOID_MAX: u64 = 10;

/// What a run came to; none without an effect.
type Came = Option<(Verdict, Duration)>;

/// RUNS runs, the least used fault first.
pub async fn all(mut postgres: PostgresServer, runs: u64, seed: u64) -> Table {
    let mut table = Table::default();
    let (mut done, mut void, mut try_no) = (0, 0, 0);
    while done < runs {
        let sort = table.least_used();
        try_no += 1;
        let run_seed = seed.wrapping_mul(1_000_003).wrapping_add(try_no);
        let (back, came) = timeout(HANGS, one(postgres, sort, run_seed, try_no))
            .await
            .unwrap_or_else(|_| {
                panic!(
                    "{} (SEED={seed}, try {try_no}) hangs; so far:\n{table}",
                    sort.name
                )
            });
        postgres = back;
        if let Some((verdict, recovered)) = came {
            println!(
                "{done}: {} (run {run_seed}): {} acknowledged, {} rolled back, lost {} + {}, recovered in {recovered:?}",
                sort.name,
                verdict.acknowledged,
                verdict.rolled_back,
                verdict.lost_applied.len(),
                verdict.lost_ledger.len()
            );
            table.add(sort, run_seed, &verdict, recovered);
            (done, void) = (done + 1, 0);
        } else {
            table.void(sort.fault);
            void += 1;
            assert!(void < VOID_MAX, "{} shows no effect", sort.name);
        }
    }
    postgres.stop().await.expect("Postgres stops");
    table
}

async fn one(
    postgres: PostgresServer,
    sort: &Sort,
    seed: u64,
    try_no: u64,
) -> (PostgresServer, Came) {
    let mut dice = Dice::new(seed, 0);
    let name = format!("chaos{try_no}");
    let mut world = World::start(
        postgres,
        &name,
        sort.effect == Effect::RolledBack || dice.chance(30),
    )
    .await;
    let first_epoch = world.epoch().await;
    let answers = Arc::new(Answers::new());
    let (stop, stopped) = watch::channel(false);
    let mut working = JoinSet::new();
    for lane in 0..CLIENTS {
        let (doors, accounts) = (world.doors(), Arc::clone(&world.accounts));
        let client = Client::new(seed, lane, doors, Arc::clone(&answers), accounts);
        working.spawn(client.work(stopped.clone()));
    }

    let hand = Hand {
        world: &mut world,
        answers: &answers,
        dice: &mut dice,
    };
    let struck = hand.strike(sort.fault).await;
    let since = Instant::now();
    world.opened().await;
    let recovered = since.elapsed();
    answers.more_acknowledged(150).await;

    stop.send_replace(true);
    let mut settling = JoinSet::new();
    for client in working.join_all().await {
        settling.spawn(client.settle());
    }
    let mut journal = Journal::default();
    settling
        .join_all()
        .await
        .into_iter()
        .for_each(|one| journal.add(one));
    world.drained().await;
    let mut verdict = judge(&world, &journal, struck.before, struck.epoch).await;
    verdict.mismatched.extend(world.audit().await);
    let effect = struck.seen
        && match sort.effect {
            Effect::AtOnce => true,
            Effect::NewEra => world.epoch().await > first_epoch,
            Effect::RolledBack => verdict.rolled_back > 0,
        };
    (world.stop().await, effect.then_some((verdict, recovered)))
}

async fn judge(world: &World, journal: &Journal, before: u64, epoch: i64) -> Verdict {
    let said = world.balances().await;
    let ledger = world.ledger().await;
    let mut verdict = verdict::compare(&Book::read(&ledger).await, journal, before, epoch);
    let booked = verdict::balances(&ledger).await;
    for (account, (free, held, debt)) in said {
        let micros = |text: &str| Credits::parse(text).map(Credits::micro).ok();
        let said = [&free, &held, &debt].map(|text| micros(text));
        let (free, held, debt) = booked[&account];
        if said != [Some(free), Some(held), Some(debt)] || held != 0 {
            verdict.mismatched.push(format!(
                "{account}: the service says {said:?}, the ledger {:?}",
                (free, held, debt)
            ));
        }
    }
    verdict
}

//! One run: load, a fault, healing, and the comparison.

use std::{
    any::Any,
    collections::HashMap,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use holdbook::{dev::PostgresServer, domain::credits::Credits};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    client::Client,
    clocks, dials,
    fault::{Effect, Fault, Sort},
    journal::{Answers, Journal},
    strike::{Hand, Struck},
    table::Table,
    verdict::{self, Book, Verdict},
    world::World,
};
use crate::{model::Dice, support};

pub const CLIENTS: u64 = 16;
/// A run that takes longer hangs: that is a finding, not a measurement. Alone on a machine one takes a few seconds.
const HANGS: Duration = Duration::from_secs(300);
/// A fault that shows no effect so often does not do what it says.
const VOID_MAX: u64 = 10;

/// So many runs are a long series: each fault has its share of them.
const LONG: u64 = 200;
const SHARE: u64 = 20;

/// What a run came to.
struct Came {
    verdict: Verdict,
    recovered: Duration,
    /// The fault did what its name says.
    effect: bool,
}

/// What to do.
pub struct Plan {
    /// From `LONG` on, more of them until each fault has had its share.
    pub runs: u64,
    pub seed: u64,
    /// Only faults whose name contains it.
    pub only: String,
    /// Ends at the first finding.
    pub first: bool,
    /// Runs at once, each on a Postgres of its own.
    pub lanes: u64,
}

/// A run to do.
struct Next {
    sort: &'static Sort,
    seed: u64,
}

/// All runs, done and under way.
struct Series {
    plan: Plan,
    table: Table,
    given: u64,
    /// Of each fault, since it last had an effect.
    void: HashMap<Fault, u64>,
}

impl Series {
    /// The least used fault; none when what is under way will be enough.
    fn next(&mut self) -> Option<Next> {
        let Plan { runs, ref only, .. } = self.plan;
        let share = runs < LONG || self.table.fewest_runs(only) >= SHARE;
        let found = self.plan.first && !self.table.is_as_promised();
        if (self.table.begun() >= runs && share) || found {
            return None;
        }
        self.given += 1;
        let sort = self.table.begin(only);
        let seed = self
            .plan
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(self.given);
        Some(Next { sort, seed })
    }

    /// What is found counts, whatever the fault did.
    fn came(&mut self, Next { sort, seed }: Next, came: &Came) {
        let (name, verdict, recovered) = (sort.name, &came.verdict, came.recovered);
        if came.effect || verdict.is_broken(sort.applied) {
            let number = self.table.ended();
            println!("{number}: {name} (run {seed}): {verdict}, recovered in {recovered:?}");
            self.table.add(sort, seed, verdict, recovered);
            self.void.remove(&sort.fault);
            return;
        }
        println!("-: {name} (run {seed}): no effect");
        let void = self.void.entry(sort.fault).or_default();
        *void += 1;
        if *void < VOID_MAX {
            self.table.void(sort.fault);
        } else {
            *void = 0;
            self.table.failed(sort, "shows no effect");
        }
    }

    fn failed(&mut self, Next { sort, seed }: Next, why: &str, logs: &Path) {
        let why = format!("(run {seed}): {why}, logs in {}", logs.display());
        println!("{}: {} {why}", self.table.ended(), sort.name);
        self.table.failed(sort, &why);
    }
}

/// The least used fault first.
pub async fn all(plan: Plan) -> Table {
    let thick = plan.runs >= LONG && !plan.first;
    let lanes = plan.lanes;
    let made = support::scratch("chaos-library");
    let library = dials::library(&made);
    let series = Mutex::new(Series {
        plan,
        table: Table::default(),
        given: 0,
        void: HashMap::new(),
    });
    let at_once = (0..lanes).map(|_| lane(&series, &library));
    let folders = futures_util::future::join_all(at_once).await;
    for folder in folders.into_iter().flatten().chain([made]) {
        // A folder that stays behind is only untidy.
        let _ = std::fs::remove_dir_all(folder);
    }
    let mut table = series.into_inner().expect("no lane panicked").table;
    if thick {
        table.must_be_thick();
    }
    table
}

/// One run after the other. Answers what it leaves behind.
async fn lane(series: &Mutex<Series>, library: &Path) -> Vec<PathBuf> {
    // Each run has a database of its own in it.
    let mut postgres = support::own_postgres("chaos").await;
    let mut folders = vec![postgres.dir().to_path_buf()];
    let of = || series.lock().expect("no lane panicked");
    loop {
        let Some(next) = of().next() else { break };
        let folder = support::scratch("chaos");
        let running = one(postgres, next.sort, next.seed, folder.clone(), library);
        // Where it panics the other runs go on.
        let ended = match timeout(HANGS, AssertUnwindSafe(running).catch_unwind()).await {
            Ok(Ok(ended)) => Ok(ended),
            Ok(Err(panic)) => Err(said(&*panic)),
            Err(_) => Err(format!("no end within {HANGS:?}")),
        };
        postgres = match ended {
            Ok((back, came)) => {
                of().came(next, &came);
                back
            }
            Err(why) => {
                of().failed(next, &why, &folder);
                // The old one ends with the run that held it.
                let fresh = support::own_postgres("chaos").await;
                folders.push(fresh.dir().to_path_buf());
                fresh
            }
        };
    }
    postgres.stop().await.expect("Postgres stops");
    folders
}

/// What somebody panicked with.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

async fn one(
    postgres: PostgresServer,
    sort: &'static Sort,
    seed: u64,
    folder: PathBuf,
    library: &Path,
) -> (PostgresServer, Came) {
    let mut dice = Dice::new(seed, 0);
    let slow = sort.effect == Effect::RolledBack || dice.chance(30);
    let mut world = World::start(postgres, folder, slow, library).await;
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
    for one in settling.join_all().await {
        journal.add(one);
    }
    world.drained().await;
    let mut verdict = judge(&world, &journal, &struck).await;
    verdict.mismatched.extend(world.audit().await);
    let effect = struck.seen
        && match sort.effect {
            Effect::AtOnce => true,
            Effect::Noticed => journal.unknown > 0,
            Effect::NewEra => world.epoch().await > first_epoch,
            Effect::RolledBack => verdict.rolled_back > 0,
            Effect::Ahead => clocks::ran_ahead(&world.ledger().await).await,
            Effect::StoodStill => clocks::stood_still(&world.ledger().await).await,
        };
    let keep = verdict.is_broken(sort.applied);
    if keep {
        println!("logs in {}", world.folder.display());
    }
    let came = Came {
        verdict,
        recovered,
        effect,
    };
    (world.stop(keep).await, came)
}

async fn judge(world: &World, journal: &Journal, struck: &Struck) -> Verdict {
    let said = world.balances().await;
    let ledger = world.ledger().await;
    let book = Book::read(&ledger).await;
    let mut verdict = verdict::compare(&book, journal, struck.before, struck.epoch);
    verdict.mismatched.extend(clocks::went_back(&ledger).await);
    verdict.mismatched.extend(verdict::levels(&ledger).await);
    let booked = verdict::balances(&ledger).await;
    for (account, (free, held, debt)) in said {
        let micros = |text: &String| Credits::parse(text).map(Credits::micro).ok();
        let said = [&free, &held, &debt].map(micros);
        let (free, held, debt) = booked[&account];
        // A release or a commit that was lost leaves its hold open; else all holds have ended.
        if said != [Some(free), Some(held), Some(debt)]
            || (held != 0 && !verdict.lost_in.contains(&account))
        {
            verdict.mismatched.push(format!(
                "{account}: the service says {said:?}, the ledger {:?}",
                (free, held, debt)
            ));
        }
    }
    verdict
}

//! `make bench-memory`: Redis' memory follows the accounts that are used, not those that are there.
//!
//! One run measures twice, each time with an empty Redis: a ledger of nothing but the active accounts, and a ledger of very many, where
//! a large number of others was used before and has become idle. The same calls make the same accounts active. On the way, first
//! calls on accounts that Redis never had are checked against what the loader put there, and the workers that go over all
//! accounts are timed at both sizes.

#![expect(
    clippy::float_arithmetic,
    reason = "ratios and times, never amounts of credits"
)]

mod book;
mod calls;
mod costs;
#[path = "../loader/mod.rs"]
mod loader;
#[path = "../service/mod.rs"]
mod service;
mod stage;

use std::{
    env,
    error::Error,
    io::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use self::{
    book::Book,
    costs::Costs,
    stage::{Memory, Stage},
};

/// What goes wrong here ends the run.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Redis needs at most this many times what the active accounts alone need.
const MEMORY_MAX: f64 = 1.2;
/// The sweeper's look reads at most this many more pages than in the small ledger: an index of more accounts is a little deeper.
const SWEEPER_PAGES_MAX: i64 = 3;
/// First calls that are checked and timed one by one, each with a second one.
const FIRST_LOOKS: u64 = 2000;
/// First calls that take credits.
const FIRST_RESERVES: u64 = 500;
/// Of the accounts that become idle, one in so many had a job, if it has credits. Prime to the stories, which repeat.
const JOB_EVERY: u64 = 7;
/// The stories repeat after so many accounts.
const STORIES: u64 = 20;

/// What is asked for, by variables of the shell.
struct Sizes {
    accounts: u64,
    active: u64,
    idle: u64,
    fresh: bool,
    folder: PathBuf,
}

impl Sizes {
    fn read() -> Outcome<Self> {
        let number = |name: &str, default: u64| match env::var(name) {
            Ok(text) if !text.is_empty() => text
                .parse()
                .map_err(|error| format!("{name}={text}: {error}")),
            _ => Ok(default),
        };
        let sizes = Self {
            accounts: number("ACCOUNTS", 10_000_000)?,
            active: number("ACTIVE", 10_000)?,
            idle: number("IDLE", 200_000)?,
            fresh: number("FRESH", 0)? != 0,
            folder: match env::var_os("FOLDER") {
                Some(folder) if !folder.is_empty() => folder.into(),
                _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-ledger"),
            },
        };
        let firsts = STORIES * (FIRST_LOOKS + FIRST_RESERVES);
        let least = sizes.active + sizes.idle + firsts;
        if sizes.accounts < least {
            return Err(format!("ACCOUNTS must be at least {least} here").into());
        }
        Ok(sizes)
    }

    /// Those that become idle before the active ones are used.
    fn idle(&self) -> Range<u64> {
        self.active..self.active + self.idle
    }

    /// `count` of those that no service has had, evenly spread and of all stories.
    fn never_loaded(&self, count: u64, from: u64) -> impl Iterator<Item = u64> + use<> {
        let first = self.active + self.idle;
        // At least as many as there are stories, so that none comes twice.
        let stride = (self.accounts - first) / (FIRST_LOOKS + FIRST_RESERVES);
        (from..from + count).map(move |at| first + at * stride + at % STORIES)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // With standard error closed there is nobody left to tell.
            let _ = writeln!(io::stderr(), "bench-memory: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything; says whether all bounds hold.
async fn measure() -> Outcome<bool> {
    let sizes = Sizes::read()?;
    let mut out = io::stdout();

    let small = Book::open(sizes.folder.join("active"), sizes.active, true).await?;
    let stage = Stage::start(&small).await?;
    let alone = activate(&stage, &sizes).await?;
    let small_costs = costs::of(&small, &stage).await?;
    stage.stop().await?;
    small.remove().await?;
    tell(&mut out, "the active accounts alone", &alone, &small_costs)?;

    let large = Book::open(sizes.folder.join("all"), sizes.accounts, sizes.fresh).await?;
    let bytes = large.bytes().await?;
    writeln!(
        out,
        "# {} accounts in the ledger, {:.2} GB in {}",
        sizes.accounts,
        bytes as f64 / 1e9,
        large.dir().display()
    )?;
    let stage = Stage::start(&large).await?;
    first_touches(&mut out, &stage, &sizes).await?;
    idle(&mut out, &stage, &sizes).await?;
    let among = activate(&stage, &sizes).await?;
    let large_costs = costs::of(&large, &stage).await?;
    stage.stop().await?;
    large.stop().await?;
    tell(&mut out, "among all", &among, &large_costs)?;
    report(&mut out, (&alone, &small_costs), (&among, &large_costs))
}

/// Uses the active accounts: a hold on each that has credits. Says what Redis needs while the holds are open, then ends them.
async fn activate(stage: &Stage, sizes: &Sizes) -> Outcome<Memory> {
    let run = run_id();
    let begin = run.clone();
    calls::each(&stage.channels, 0..sizes.active, move |channel, number| {
        let run = begin.clone();
        async move { calls::reserve(channel, number, &run).await }
    })
    .await?;
    stage.drained().await?;
    let memory = stage.memory().await?;
    if memory.keys < sizes.active {
        // A machine that is too slow for the time set: the figures would be of fewer accounts.
        return Err(format!(
            "Redis has {} keys only: some became idle again",
            memory.keys
        )
        .into());
    }
    calls::each(&stage.channels, 0..sizes.active, move |channel, number| {
        let run = run.clone();
        async move { calls::release(channel, number, &run).await }
    })
    .await?;
    Ok(memory)
}

/// A hold's id that no other run has used.
fn run_id() -> String {
    format!("run-{}", uuid::Uuid::new_v4().simple())
}

/// First calls on accounts that Redis never had, beside second ones; each answer is checked.
async fn first_touches(out: &mut impl Write, stage: &Stage, sizes: &Sizes) -> Outcome<()> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for number in sizes.never_loaded(FIRST_LOOKS, 0) {
        first.push(calls::look(stage.channel(), number).await?);
        second.push(calls::look(stage.channel(), number).await?);
    }
    first.sort_unstable();
    second.sort_unstable();
    let ms = |times: &[Duration], hundredth: usize| {
        times[times.len() * hundredth / 100].as_secs_f64() * 1e3
    };
    let run = run_id();
    for number in sizes.never_loaded(FIRST_RESERVES, FIRST_LOOKS) {
        calls::reserve(stage.channel(), number, &run).await?;
        calls::release(stage.channel(), number, &run).await?;
    }
    writeln!(
        out,
        "# {FIRST_LOOKS} first looks and {FIRST_RESERVES} first reserves answered what the loader put there"
    )?;
    writeln!(
        out,
        "# first look p50 {:.2} ms, p99 {:.2} ms; second look p50 {:.2} ms, p99 {:.2} ms; first_look_p50_vs_second {:.1}",
        ms(&first, 50),
        ms(&first, 99),
        ms(&second, 50),
        ms(&second, 99),
        ms(&first, 50) / ms(&second, 50),
    )?;
    Ok(())
}

/// Uses many other accounts, and waits until Redis has dropped them.
async fn idle(out: &mut impl Write, stage: &Stage, sizes: &Sizes) -> Outcome<()> {
    let (run, started) = (run_id(), Instant::now());
    calls::each(&stage.channels, sizes.idle(), move |channel, number| {
        let run = run.clone();
        async move {
            calls::look(channel.clone(), number).await?;
            if number.is_multiple_of(JOB_EVERY) {
                calls::reserve(channel.clone(), number, &run).await?;
                calls::release(channel, number, &run).await?;
            }
            Ok(())
        }
    })
    .await?;
    let (took, peak) = (started.elapsed(), stage.memory().await?);
    let round = costs::evictor_round(stage).await?;
    let emptied = stage.emptied().await?;
    let least = stage.memory().await?;
    writeln!(
        out,
        "# {} accounts used in {:.0} s, then idle: Redis had {} keys and {:.1} MB, {:.0} s later {} keys and {:.1} MB",
        sizes.idle,
        took.as_secs_f64(),
        peak.keys,
        peak.used as f64 / 1e6,
        emptied.as_secs_f64(),
        least.keys,
        least.used as f64 / 1e6,
    )?;
    writeln!(
        out,
        "# a round of the evictor over one partition then: {} steps, {:.2} s without its pauses, the longest step {:.1} ms",
        round.steps,
        round.took.as_secs_f64(),
        round.longest.as_secs_f64() * 1e3,
    )?;
    Ok(())
}

fn tell(out: &mut impl Write, what: &str, memory: &Memory, costs: &Costs) -> Outcome<()> {
    writeln!(
        out,
        "# {what}: used_memory {:.2} MB, dataset {:.2} MB, resident {:.2} MB, {} keys, {:.0} bytes of the dataset a key",
        memory.used as f64 / 1e6,
        memory.dataset as f64 / 1e6,
        memory.resident as f64 / 1e6,
        memory.keys,
        memory.dataset as f64 / memory.keys as f64,
    )?;
    writeln!(
        out,
        "# {what}: a look of the sweeper {:.2} ms and {} pages, a step of the light audit {:.1} ms",
        costs.sweeper_look.as_secs_f64() * 1e3,
        costs.sweeper_pages,
        costs.audit_step.as_secs_f64() * 1e3,
    )?;
    Ok(())
}

/// The lines that count.
fn report(
    out: &mut impl Write,
    (alone, small): (&Memory, &Costs),
    (among, large): (&Memory, &Costs),
) -> Outcome<bool> {
    let used = among.used as f64 / alone.used as f64;
    let dataset = among.dataset as f64 / alone.dataset as f64;
    let pages = large.sweeper_pages - small.sweeper_pages;
    writeln!(out, "redis_used_memory_vs_alone {used:.3} {MEMORY_MAX}")?;
    writeln!(out, "redis_dataset_vs_alone {dataset:.3} {MEMORY_MAX}")?;
    writeln!(out, "sweeper_look_more_pages {pages} {SWEEPER_PAGES_MAX}")?;
    Ok(used <= MEMORY_MAX && dataset <= MEMORY_MAX && pages <= SWEEPER_PAGES_MAX)
}

//! `make bench` and `make bench-smoke`: what Holdbook does, as ratios to what does nothing and to what people would pick instead, with every
//! write on the disk and the ledger keeping up.
//!
//! One run on one machine, so the figures that count are ratios. In each round all take turns: the service, two calls that do nothing
//! (the service's own `BenchService/Noop`, and the same call of a bare tonic server in a process of its own with the same answer; the faster
//! is the yardstick), the program in Redis by itself, and a service of one Postgres statement a call. Bounds are held by the medians over
//! the rounds.

#![expect(
    clippy::float_arithmetic,
    reason = "ratios and times, never amounts of credits"
)]

mod bare;
mod copy;
mod customers;
mod full;
mod load;
mod memory;
mod one_statement;
mod round;
mod script;
#[path = "../service/mod.rs"]
mod service;
mod smoke;
mod stack;
mod streams;

use std::{
    env,
    error::Error,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use self::{round::Callers, stack::Stack};

/// What goes wrong here ends the run.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// As the service itself, so that the bare server has no worse one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The ledger has everything at most this long after a load.
const DRAIN_MAX: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    // Cargo adds an argument of its own.
    let arguments: Vec<_> = env::args()
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<_> = arguments.iter().skip(1).map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(Into::into)
        .and_then(|runtime| match arguments[..] {
            [bare::MODE, answer] => runtime
                .block_on(bare::serve(Path::new(answer)))
                .map(|()| true),
            ["smoke"] => runtime.block_on(measure(false)),
            [] => runtime.block_on(measure(true)),
            _ => Err("nothing, or 'smoke'".into()),
        });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // With standard error closed there is nobody left to tell.
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether all bounds hold.
async fn measure(all: bool) -> Outcome<bool> {
    let bytes = if all {
        Some(memory::measure().await?)
    } else {
        None
    };
    let stack = Stack::start(&["--bench=true"]).await?;
    let outcome = async {
        let callers = begin(&stack).await?;
        match bytes {
            Some(bytes) => full::measure(&stack, &callers, bytes).await,
            None => smoke::measure(&stack, &callers).await,
        }
    };
    let outcome = outcome.await;
    // What went wrong in the run says more than what then went wrong in the end.
    let stopped = stack.stop().await;
    let held = outcome?;
    stopped?;
    Ok(held)
}

/// The accounts, and everything once.
async fn begin(stack: &Stack) -> Outcome<Callers> {
    let mut out = io::stdout();
    writeln!(out, "# {}", stack.describe().await?)?;
    let started = Instant::now();
    let callers = Callers::connect(stack).await?;
    customers::sell(callers.service[0].clone()).await?;
    customers::create(&callers.service).await?;
    stack.drain(DRAIN_MAX).await?;
    let (count, seconds) = (customers::ACCOUNTS, started.elapsed().as_secs_f64());
    writeln!(
        out,
        "# {count} accounts with two grants each, as many with a plan, made in {seconds:.1} s"
    )?;
    callers.warm_up(stack).await?;
    Ok(callers)
}

/// In the end, the ledger has everything and both stores agree.
async fn end(stack: &Stack) -> Outcome<()> {
    stack.drain(DRAIN_MAX).await?;
    stack.audit().await?;
    writeln!(
        io::stdout(),
        "# the ledger has everything, and the audit is balanced"
    )?;
    Ok(())
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

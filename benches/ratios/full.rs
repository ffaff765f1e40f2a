//! `make bench`: all ratios, each with its bound.

use std::{
    collections::BTreeMap,
    env,
    io::{self, Write},
    time::Duration,
};

use super::{
    Outcome,
    copy::Copies,
    load::IN_FLIGHT,
    memory::Bytes,
    one_statement::{self, Baseline},
    round::{Callers, Round},
    script,
    stack::Stack,
    streams,
};

/// Unless `ROUNDS` says another.
const ROUNDS: usize = 5;
/// Of the loads that `round` does not know.
const LENGTH: Duration = Duration::from_secs(4);

enum Bound {
    Most(f64),
    Least(f64),
    /// Only told.
    Told,
}
use Bound::{Least, Most, Told};

/// What is printed, in this order.
const LINES: [(&str, &str, Bound); 17] = [
    ("S1", "reserve_p50_vs_noop", Most(3.0)),
    ("S1", "reserve_p99_vs_noop", Told),
    ("S1", "reserve_p50_vs_noop_everysec", Most(2.2)),
    ("S2", "unary_calls_vs_noop", Least(0.35)),
    ("S2", "usage_vs_amount", Least(0.85)),
    ("S3", "stream_pairs_vs_script", Least(0.3)),
    ("S3", "stream_p99_vs_p50", Most(4.0)),
    ("S3", "stream_pairs_vs_unary", Told),
    ("S4", "separate_calls_vs_noop", Least(0.3)),
    ("S5", "hot_vs_uniform", Least(0.7)),
    ("S5", "hot_vs_one_statement", Least(10.0)),
    ("S6", "catch_up_vs_live", Least(1.5)),
    ("S6", "postgres_cpu_vs_copy", Most(2.0)),
    ("S7", "bytes_per_open_hold", Most(400.0)),
    ("S7", "bytes_per_ended_hold", Most(100.0)),
    ("S7", "bytes_per_account", Most(500.0)),
    ("S3", "operations_in_a_call_of_the_program", Told),
];

type Figures = BTreeMap<&'static str, f64>;

/// Says whether all bounds hold.
pub async fn measure(stack: &Stack, callers: &Callers, bytes: Bytes) -> Outcome<bool> {
    let mut out = io::stdout();
    let baseline = Baseline::start(stack, IN_FLIGHT).await?;
    let copies = Copies::start(stack).await?;
    let rounds = env::var("ROUNDS").ok().filter(|rounds| !rounds.is_empty());
    let rounds = rounds.map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for number in 1..=rounds {
        let unary = callers.round(stack, number).await?;
        writeln!(out, "# round {number}: {unary}")?;
        let figures = round(stack, callers, &baseline, &copies, &unary, number).await?;
        for (name, value) in &figures {
            write!(out, "# {name} {value:.3} ")?;
        }
        writeln!(out)?;
        for (name, value) in figures {
            all.entry(name).or_default().push(value);
        }
    }
    super::end(stack).await?;
    writeln!(out, "# medians of {rounds} rounds")?;
    let mut medians: Figures = all
        .into_iter()
        .map(|(name, values)| (name, super::median(values)))
        .collect();
    medians.insert("bytes_per_account", bytes.account);
    medians.insert("bytes_per_open_hold", bytes.open_hold);
    medians.insert("bytes_per_ended_hold", bytes.ended_hold);
    lines(&mut out, &mut medians)
}

/// With what has no bound behind a `#`.
fn lines(out: &mut impl Write, medians: &mut Figures) -> Outcome<bool> {
    let mut held = true;
    for (shows, name, bound) in LINES {
        let value = medians.remove(name).ok_or(name)?;
        let (sign, bound) = match bound {
            Most(most) => ("<=", most),
            Least(least) => (">=", least),
            Told => {
                writeln!(out, "{shows} {name} {value:.2}")?;
                continue;
            }
        };
        held &= if sign == "<=" {
            value <= bound
        } else {
            value >= bound
        };
        writeln!(out, "{shows} {name} {value:.2} {sign} {bound}")?;
    }
    for (name, value) in medians {
        writeln!(out, "# {name} {value:.3}")?;
    }
    Ok(held)
}

/// All but what `unary` has of the round already.
async fn round(
    stack: &Stack,
    callers: &Callers,
    baseline: &[Baseline],
    copies: &Copies,
    unary: &Round,
    number: usize,
) -> Outcome<Figures> {
    stack.set_fsync("everysec").await?;
    let everysec = callers.alone(stack, &format!("everysec{number}")).await;
    stack.set_fsync("always").await?;
    let everysec = everysec?;
    let separate = callers.separate(stack, number).await?;
    let stream = streams::pairs(stack, &callers.service, number, LENGTH).await?;
    let grouping = stream.grouping.round() as usize;
    let script = script::alone(stack, number, grouping).await?;
    let hot = callers.hot(stack, number).await?;
    let one_statement = one_statement::pairs(baseline, number, LENGTH).await?;
    let together = &unary.together;
    let (live, events) = (together.pairs.calls_per_s(), together.pairs.calls);
    let copied = copies
        .cost(stack, &format!("together{number}"), events)
        .await?;
    let stream_pairs_per_s = stream.pairs.calls_per_s() / 2.0;
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / events as f64;
    Ok(BTreeMap::from([
        ("reserve_p50_vs_noop", unary.reserve_p50_vs_noop()),
        ("reserve_p99_vs_noop", unary.alone.p99_vs_noop()),
        ("reserve_p50_vs_noop_everysec", everysec.p50_vs_noop()),
        ("unary_calls_vs_noop", unary.unary_calls_vs_noop()),
        ("usage_vs_amount", together.usage_vs_amount()),
        (
            "stream_pairs_vs_script",
            stream_pairs_per_s / script.pairs_per_s(),
        ),
        (
            "stream_p99_vs_p50",
            stream.pairs.times.p99_ms() / stream.pairs.times.p50_ms(),
        ),
        ("stream_pairs_vs_unary", 2.0 * stream_pairs_per_s / live),
        ("operations_in_a_call_of_the_program", stream.grouping),
        ("separate_calls_vs_noop", separate),
        ("hot_vs_uniform", hot.calls_per_s() / live),
        (
            "hot_vs_one_statement",
            hot.calls_per_s() / one_statement.calls_per_s(),
        ),
        ("catch_up_vs_live", script.events_per_s_of_backlog() / live),
        (
            "postgres_cpu_vs_copy",
            together.postgres_cpu.as_secs_f64() / copied.as_secs_f64(),
        ),
        ("unary_calls_per_s", live),
        ("stream_pairs_per_s", stream_pairs_per_s),
        ("stream_pair_p50_ms", stream.pairs.times.p50_ms()),
        ("script_pairs_per_s", script.pairs_per_s()),
        ("hot_calls_per_s", hot.calls_per_s()),
        ("one_statement_calls_per_s", one_statement.calls_per_s()),
        ("postgres_us_per_event", micros(together.postgres_cpu)),
        ("copy_us_per_event", micros(copied)),
    ]))
}

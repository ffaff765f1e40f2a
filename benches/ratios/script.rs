//! The program in Redis by itself: the calls that the service would send, packed before, one at a time for each partition; no service, and a
//! ledger that waits. What is in the stream then is a backlog, and how fast the ledger takes that is measured as well.

use std::{
    io::Write,
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use holdbook::{
    domain::{
        credits::Credits,
        hold::{HoldRequest, Method},
    },
    holds::{
        Era, Holds, Options, Settings,
        operation::{Caller, NEVER_IN_FORCE, Operation, Verb},
    },
};
use redis::Value;
use tokio_postgres::NoTls;

use super::{DRAIN_MAX, Outcome, customers, stack::Stack};

/// Pairs in all.
const PAIRS: u64 = 40_000;

/// Microseconds.
const MINUTE: i64 = 60_000_000;

/// What the program did by itself, and the ledger after it.
pub struct Script {
    pub pairs: u64,
    pub took: Duration,
    /// Until the ledger had it all, nothing else being done.
    pub caught_up: Duration,
}

impl Script {
    pub fn pairs_per_s(&self) -> f64 {
        self.pairs as f64 / self.took.as_secs_f64()
    }

    pub fn events_per_s_of_backlog(&self) -> f64 {
        (2 * self.pairs) as f64 / self.caught_up.as_secs_f64()
    }
}

/// Sends and awaits one call after the other.
fn send(socket: &str, calls: &[Vec<u8>]) -> Outcome<()> {
    let mut stream = UnixStream::connect(socket)?;
    let mut parser = redis::Parser::new();
    for call in calls {
        stream.write_all(call)?;
        let answer = parser.parse_value(&mut stream)?;
        let Value::Array(parts) = &answer else {
            return Err(format!("the program answered {answer:?}").into());
        };
        let done = matches!(parts.first(), Some(Value::BulkString(word)) if word == b"OK");
        // Of each operation: 0 first if it was done.
        let Some(Value::Array(answers)) = parts.get(4).filter(|_| done) else {
            return Err(format!("the program answered {answer:?}").into());
        };
        for answer in answers {
            if !matches!(answer, Value::BulkString(bytes) if bytes.first() == Some(&0)) {
                return Err(format!("an operation was answered {answer:?}").into());
            }
        }
    }
    Ok(())
}

fn credits(text: &str) -> Outcome<Credits> {
    text.parse()
        .map_err(|error| format!("{text}: {error}").into())
}

fn operation(account: usize, verb: Verb) -> Operation {
    Operation {
        account: customers::account_id(account),
        verb,
        caller: Caller::default(),
        remembered: None,
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    }
}

/// The same job as `customers` makes of its number.
fn pair(phase: &str, number: u64) -> Outcome<[Operation; 2]> {
    let (account, hold_id) = (customers::spread(number), customers::hold_id(phase, number));
    let sent = customers::reserve(phase, number);
    let mut labels: Vec<_> = sent.labels.into_iter().collect();
    labels.sort();
    let reserve = Verb::Reserve {
        hold_id: hold_id.clone(),
        request: HoldRequest {
            method: Method::Reserve,
            amount: credits(&sent.amount)?,
            usage: None,
            ttl: None,
            overage: None,
            max_commit: None,
            labels,
        },
        ttl: 10 * MINUTE,
        validate_only: false,
        in_force: NEVER_IN_FORCE,
    };
    let commit = Verb::Commit {
        hold_id,
        amount: Some(credits("1.25")?),
        usage: None,
        last: true,
        commit_id: String::new(),
        in_force: NEVER_IN_FORCE,
    };
    Ok([operation(account, reserve), operation(account, commit)])
}

/// As the service's own, under the era that is open.
async fn holds(stack: &Stack) -> Outcome<Holds> {
    let partitions = stack.holds().partitions();
    let holds = Holds::new(Options {
        settings: Settings {
            repeat_window: 60 * MINUTE,
            late_commit_window: 60 * MINUTE,
            refund_ttl: 60 * MINUTE,
            max_lifetime: 24 * 60 * MINUTE,
            backlog_soft: 10_000_000,
            backlog_hard: 10_000_000,
        },
        ..Options::for_reading(stack.redis_url(), partitions)
    })?;
    for partition in 0..partitions {
        let meta = holds.meta(partition).await?;
        let era = Era {
            epoch: meta.epoch.ok_or("the partition has no epoch")?,
            replication_id: meta.replication_id.ok_or("the partition has no server")?,
        };
        holds.set_era(partition, era);
    }
    Ok(holds)
}

/// All calls, by partition: so many reserves in one, then their commits.
async fn calls(stack: &Stack, round: usize, grouping: usize) -> Outcome<Vec<Vec<Vec<u8>>>> {
    let (holds, phase) = (holds(stack).await?, format!("script{round}"));
    let mut waiting = vec![(Vec::new(), Vec::new()); holds.partitions() as usize];
    let mut calls = vec![Vec::new(); waiting.len()];
    for number in 0..PAIRS {
        let [reserve, commit] = pair(&phase, number)?;
        let partition = holds.partition_of(&reserve.account);
        let at = partition as usize;
        let (reserves, commits) = &mut waiting[at];
        reserves.push(reserve);
        commits.push(commit);
        if reserves.len() == grouping {
            calls[at].push(holds.packed_call(partition, reserves, &[]));
            calls[at].push(holds.packed_call(partition, commits, &[]));
            reserves.clear();
            commits.clear();
        }
    }
    for (partition, (reserves, commits)) in (0..).zip(&waiting) {
        if !reserves.is_empty() {
            calls[partition as usize].push(holds.packed_call(partition, reserves, &[]));
            calls[partition as usize].push(holds.packed_call(partition, commits, &[]));
        }
    }
    Ok(calls)
}

/// `grouping`: operations in a call.
pub async fn alone(stack: &Stack, round: usize, grouping: usize) -> Outcome<Script> {
    let calls = calls(stack, round, grouping.max(1)).await?;
    let socket = stack.redis_url();
    let socket: Arc<str> = socket
        .trim_start_matches("redis+")
        .trim_start_matches("unix://")
        .into();
    let (ledger, connection) = tokio_postgres::connect(&stack.postgres_url(), NoTls).await?;
    tokio::spawn(connection);
    // What is written of events waits for it; leases and signs of life do not.
    let hold_back = "begin; lock table transfers in access exclusive mode";
    ledger.batch_execute(hold_back).await?;
    let started = Instant::now();
    let mut senders = Vec::with_capacity(calls.len());
    for calls in calls {
        let socket = Arc::clone(&socket);
        senders.push(tokio::task::spawn_blocking(move || send(&socket, &calls)));
    }
    for sender in senders {
        sender.await??;
    }
    let took = started.elapsed();
    ledger.batch_execute("commit").await?;
    Ok(Script {
        pairs: PAIRS,
        took,
        caught_up: stack.drain(DRAIN_MAX).await?,
    })
}

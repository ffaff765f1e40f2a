//! The load: turns of a reserve and its end, each measured from when it should have begun.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use rust_decimal::Decimal;
use tokio::{task::JoinSet, time::Instant};
use tonic::Status;

use super::{
    super::{refusal::Refusal, totals::amount},
    args::BenchArgs,
    spread::{Chooser, chance},
    transport::Way,
};
use crate::proto::{
    CommitRequest, ReleaseRequest, ReserveRequest, Usage, commit_request::What,
    meter_request::Operation, meter_response::Outcome,
};

/// What a hold sets aside, and what of it is used.
const AMOUNT: &str = "0.5";
const USED: &str = "0.4";

/// What is timed, in microseconds. The last is from the beginning of a turn to its end.
pub(super) const TIMED: [&str; 3] = ["reserve", "end", "turn"];

/// Microseconds; what takes longer counts as that.
const LONGEST: u64 = 600_000_000;

/// What a run saw, or a part of it.
pub(super) struct Seen {
    /// By [`TIMED`].
    pub times: [Histogram<u64>; 3],
    /// Operations answered in the measured time.
    pub operations: u64,
    /// Sent again, since nothing was decided.
    pub again: u64,
    /// Turns that failed, by reason.
    pub failed: BTreeMap<String, u64>,
    /// What each account was charged, by what was answered; warm-up included.
    pub charged: HashMap<usize, Decimal>,
    /// Accounts of which an outcome is not known, or a hold is still open.
    pub unknown: HashSet<usize>,
}

impl Seen {
    pub fn new() -> Self {
        let times = || Histogram::new_with_bounds(1, LONGEST, 3);
        let times = || times().unwrap_or_else(|_| unreachable!("the bounds are constants"));
        Self {
            times: [times(), times(), times()],
            operations: 0,
            again: 0,
            failed: BTreeMap::new(),
            charged: HashMap::new(),
            unknown: HashSet::new(),
        }
    }

    pub fn add(&mut self, other: Self) {
        for (sum, times) in self.times.iter_mut().zip(&other.times) {
            // They have the same bounds.
            let _ = sum.add(times);
        }
        self.operations += other.operations;
        self.again += other.again;
        for (reason, count) in other.failed {
            *self.failed.entry(reason).or_default() += count;
        }
        for (account, amount) in other.charged {
            *self.charged.entry(account).or_default() += amount;
        }
        self.unknown.extend(other.unknown);
    }
}

/// What all workers share.
pub(super) struct Shared {
    args: BenchArgs,
    chooser: Chooser,
    /// Of this run: ids that no other run has.
    run: String,
    next: AtomicU64,
    begin: Instant,
    /// For who watches: operations answered, and the turns of the last moment.
    pub answered: AtomicU64,
    pub recent: Mutex<Histogram<u64>>,
}

impl Shared {
    pub fn new(args: &BenchArgs, run: &str) -> Arc<Self> {
        let recent = Seen::new().times;
        let [recent, ..] = recent;
        Arc::new(Self {
            chooser: Chooser::new(args.spread, args.accounts),
            args: args.clone(),
            run: run.to_owned(),
            next: AtomicU64::new(0),
            begin: Instant::now(),
            answered: AtomicU64::new(0),
            recent: Mutex::new(recent),
        })
    }

    pub fn account(&self, number: usize) -> String {
        format!("{}.{number}", self.run)
    }

    /// When it is over, counted from the beginning.
    fn length(&self) -> Duration {
        self.args.warm_up + self.args.duration
    }
}

/// Runs it all.
pub(super) async fn run(shared: &Arc<Shared>, ways: &[Way]) -> Seen {
    let mut workers = JoinSet::new();
    for (_, way) in (0..shared.args.in_flight).zip(ways.iter().cycle()) {
        workers.spawn(work(Arc::clone(shared), way.clone()));
    }
    let mut all = Seen::new();
    while let Some(seen) = workers.join_next().await {
        match seen {
            Ok(seen) => all.add(seen),
            Err(error) => *all.failed.entry(error.to_string()).or_default() += 1,
        }
    }
    all
}

async fn work(shared: Arc<Shared>, way: Way) -> Seen {
    let mut seen = Seen::new();
    loop {
        let turn = shared.next.fetch_add(1, Ordering::Relaxed);
        let due = match shared.args.rate {
            // A late beginning is the server's delay, too: it is counted from when it was due.
            Some(rate) => {
                let nanos = u128::from(turn) * 1_000_000_000 / u128::from(rate.get());
                let due =
                    shared.begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                tokio::time::sleep_until(due).await;
                due
            }
            None => Instant::now(),
        };
        if due - shared.begin >= shared.length() {
            return seen;
        }
        let measured = due - shared.begin >= shared.args.warm_up;
        one(&shared, &way, turn, due, measured, &mut seen).await;
    }
}

/// One turn.
async fn one(shared: &Shared, way: &Way, turn: u64, due: Instant, measured: bool, seen: &mut Seen) {
    let seed = shared.args.seed;
    let account = shared.chooser.account(chance(seed, turn, 0));
    let releases = chance(seed, turn, 1) % 100 < u64::from(shared.args.releases);
    let (account_id, hold_id) = (shared.account(account), format!("{turn}"));
    let record = |which: usize, since: Instant, seen: &mut Seen| {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        if measured {
            seen.times[which].saturating_record(micros.max(1));
        }
        if which == 2 {
            let mut recent = shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.saturating_record(micros.max(1));
        }
    };
    let by_usage = (!shared.args.usage.is_empty()).then(|| Usage {
        items: shared.args.usage.clone(),
    });
    let reserve = Operation::Reserve(ReserveRequest {
        account_id: account_id.clone(),
        hold_id: hold_id.clone(),
        amount: if by_usage.is_some() {
            String::new()
        } else {
            AMOUNT.to_owned()
        },
        usage: by_usage.clone(),
        ..Default::default()
    });
    let (again, answer) = way.send(reserve).await;
    seen.again += again;
    if let Err(status) = answer {
        return failed(seen, account, &status, false);
    }
    record(0, due, seen);
    let ended = Instant::now();
    let end = if releases {
        Operation::Release(ReleaseRequest {
            account_id,
            hold_id,
            durability: 0,
        })
    } else {
        Operation::Commit(CommitRequest {
            account_id,
            hold_id,
            what: Some(by_usage.map_or_else(|| What::Amount(USED.to_owned()), What::Usage)),
            ..Default::default()
        })
    };
    let (again, answer) = way.send(end).await;
    seen.again += again;
    let charged = match answer {
        Ok(Outcome::Commit(answer)) => amount(&answer.charged),
        Ok(_) => Ok(Decimal::ZERO),
        Err(status) => Err(status),
    };
    match charged {
        Ok(charged) => *seen.charged.entry(account).or_default() += charged,
        Err(status) => return failed(seen, account, &status, true),
    }
    record(1, ended, seen);
    record(2, due, seen);
    shared.answered.fetch_add(2, Ordering::Relaxed);
    seen.operations += if measured { 2 } else { 0 };
}

/// Of a status without a reason of Holdbook's nobody knows whether it was done; of a hold that was not ended, what the ledger has in the end.
fn failed(seen: &mut Seen, account: usize, status: &Status, is_open: bool) {
    let refusal = Refusal::from(status.clone());
    let decided = refusal.reason.is_some() && !refusal.is_unavailable();
    let reason = refusal.reason.unwrap_or_else(|| refusal.code.to_owned());
    *seen.failed.entry(reason).or_default() += 1;
    if is_open || !decided {
        seen.unknown.insert(account);
    }
}

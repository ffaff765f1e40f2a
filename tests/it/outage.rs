//! Postgres is gone or hangs, under load: callers see no error, the lag grows and drains to zero, and nothing is lost.
//!
//! Keyed on counts of answers; at its full length, by `make outage`, on time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use holdbook::{
    dev::PostgresServer,
    proto::{
        CommitRequest, Durability, ReserveRequest, commit_request::What,
        metering_service_client::MeteringServiceClient,
    },
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_postgres::NoTls;

use crate::support::{self, Frozen, Stack};

/// Whoever hangs longer has failed.
const GUARD: Duration = Duration::from_secs(120);
/// The environment variable that asks for so many seconds at a set pace instead.
const FULL_LENGTH: &str = "OUTAGE_SECONDS";
/// Answers in each part of a short run: before, during and after the outage.
const PART: u64 = 300;

/// A Postgres of its own with a service on it.
async fn stack(more: &[&str]) -> (PostgresServer, Stack) {
    let postgres = support::own_postgres("outage").await;
    let stack = Stack::start_on(support::redis().await, postgres.url(), more).await;
    (postgres, stack)
}

async fn end(mut postgres: PostgresServer, stack: Stack) {
    stack.service.stop().await.expect("a graceful stop");
    postgres.stop().await.expect("stopped");
}

fn reserve(account: &str, hold: &str, durability: Durability) -> ReserveRequest {
    ReserveRequest {
        account_id: account.into(),
        hold_id: hold.into(),
        amount: "2".into(),
        durability: durability.into(),
        ..Default::default()
    }
}

/// What the callers have seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    answers: u64,
    /// Calls for LEDGER that began and ended in the outage.
    ledger_calls_in_outage: u64,
    reserves: u64,
    commits: u64,
}

/// Callers side by side, each with an account of its own.
struct Callers {
    seen: watch::Sender<Seen>,
    down: AtomicBool,
    enough: AtomicBool,
    /// One for each pair of calls, where the pace is set.
    pace: Option<Semaphore>,
}

impl Callers {
    fn new(pace: Option<Semaphore>) -> Arc<Self> {
        Arc::new(Self {
            seen: watch::Sender::new(Seen::default()),
            down: AtomicBool::new(false),
            enough: AtomicBool::new(false),
            pace,
        })
    }

    /// Starts them: most are content with APPLIED, some ask for LEDGER.
    async fn start(self: &Arc<Self>, stack: &Stack, applied: usize, ledger: usize) -> JoinSet<()> {
        let mut callers = JoinSet::new();
        let accounts: Vec<_> = (0..applied + ledger)
            .map(|caller| format!("studio-{caller}"))
            .collect();
        join_all(accounts.iter().map(|account| async move {
            support::fund(&stack.channel(), account, "1000000").await
        }))
        .await;
        for (caller, account) in accounts.into_iter().enumerate() {
            let durability = if caller < applied {
                Durability::Applied
            } else {
                Durability::Ledger
            };
            let metering = MeteringServiceClient::new(stack.channel());
            callers.spawn(Arc::clone(self).call(metering, account, durability));
        }
        callers
    }

    async fn call(
        self: Arc<Self>,
        mut metering: MeteringServiceClient<tonic::transport::Channel>,
        account: String,
        durability: Durability,
    ) {
        for pair in 0.. {
            if self.enough.load(Ordering::SeqCst) {
                return;
            }
            if let Some(pace) = self
                .pace
                .as_ref()
                .filter(|_| durability == Durability::Applied)
            {
                pace.acquire().await.expect("open").forget();
            }
            let hold = format!("frame-{pair}");
            let was_down = self.down.load(Ordering::SeqCst);
            let held = metering.reserve(reserve(&account, &hold, durability)).await;
            let held = held.expect("a reserve is answered").into_inner();
            self.answered(was_down, durability, held.durability(), true);
            let commit = CommitRequest {
                account_id: account.clone(),
                hold_id: hold,
                what: Some(What::Amount("1.5".into())),
                durability: durability.into(),
                ..Default::default()
            };
            let was_down = self.down.load(Ordering::SeqCst);
            let committed = metering.commit(commit).await;
            let committed = committed.expect("a commit is answered").into_inner();
            self.answered(was_down, durability, committed.durability(), false);
        }
    }

    fn answered(&self, was_down: bool, asked: Durability, reached: Durability, reserve: bool) {
        let in_outage = was_down && self.down.load(Ordering::SeqCst);
        if in_outage {
            assert_eq!(reached, Durability::Applied, "the ledger cannot have it");
        }
        self.seen.send_modify(|seen| {
            seen.answers += 1;
            seen.reserves += u64::from(reserve);
            seen.commits += u64::from(!reserve);
            seen.ledger_calls_in_outage += u64::from(in_outage && asked == Durability::Ledger);
        });
    }

    /// Waits until the callers have seen so much.
    async fn until(&self, enough: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.subscribe();
        let seen = timeout(GUARD, seen.wait_for(|seen| enough(seen))).await;
        *seen
            .expect("answers keep coming")
            .expect("there are callers")
    }

    /// So many more answers.
    async fn answers(&self, more: u64) -> Seen {
        let before = self.seen.borrow().answers;
        self.until(|seen| seen.answers >= before + more).await
    }

    /// An outage as long as a part of answers, some of them to calls for LEDGER.
    async fn in_outage(&self) {
        self.down.store(true, Ordering::SeqCst);
        self.answers(PART).await;
        self.until(|seen| seen.ledger_calls_in_outage >= 4).await;
        self.down.store(false, Ordering::SeqCst);
    }

    async fn finish(&self, callers: JoinSet<()>) -> Seen {
        self.enough.store(true, Ordering::SeqCst);
        if let Some(pace) = &self.pace {
            pace.add_permits(1000);
        }
        callers.join_all().await;
        *self.seen.borrow()
    }
}

/// Entries that Redis has and the ledger is not known to have.
async fn lag(stack: &Stack) -> u64 {
    let holds = stack.service.holds();
    let mut lag = 0;
    for partition in 0..holds.partitions() {
        let head = holds.head(partition).await.expect("Redis answers");
        lag += head.n - head.ledger_n;
    }
    lag
}

async fn ask(postgres_url: &str, sql: &str) -> Vec<i64> {
    let (client, connection) = tokio_postgres::connect(postgres_url, NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let row = client.query_one(sql, &[]).await.expect("one row");
    (0..row.len()).map(|at| row.get(at)).collect()
}

/// All that was acknowledged is in the ledger, once, and both stores agree.
async fn nothing_is_lost(stack: &Stack, seen: Seen) {
    stack.balanced().await;
    let sql = "select count(*), count(*) filter (where state = 'committed') from holds";
    let [reserves, commits] = [seen.reserves, seen.commits].map(u64::cast_signed);
    assert_eq!(ask(&stack.postgres_url, sql).await, [reserves, commits]);
}

const SHORT: [&str; 3] = [
    "--partitions=2",
    "--ledger-wait=100ms",
    "--postgres-timeout=1s",
];

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_stopped_under_load() {
    if let Ok(seconds) = std::env::var(FULL_LENGTH) {
        let seconds = seconds.parse().expect("a number of seconds");
        return postgres_is_stopped_for(Duration::from_secs(seconds)).await;
    }
    let (mut postgres, stack) = stack(&SHORT).await;
    let load = Callers::new(None);
    let callers = load.start(&stack, 8, 2).await;
    load.answers(PART).await;
    postgres.kill().await.expect("killed");
    load.in_outage().await;
    assert!(lag(&stack).await > 0, "entries wait in the streams");
    postgres.restart().await.expect("Postgres comes back");
    load.answers(PART).await;
    let seen = load.finish(callers).await;
    nothing_is_lost(&stack, seen).await;
    end(postgres, stack).await;
}

/// Every process of Postgres stands still: its connections stay open, and answer nothing.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_hangs_under_load() {
    let (postgres, stack) = stack(&SHORT).await;
    let load = Callers::new(None);
    let callers = load.start(&stack, 8, 2).await;
    load.answers(PART).await;
    let frozen = Frozen::tree(postgres.pid().expect("it runs"));
    load.in_outage().await;
    assert!(lag(&stack).await > 0, "entries wait in the streams");
    drop(frozen);
    load.answers(PART).await;
    let seen = load.finish(callers).await;
    nothing_is_lost(&stack, seen).await;
    end(postgres, stack).await;
}

/// The server is well, but what serves our connections hangs and never comes back: they are given up and made anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_hangs_for_ever_is_given_up() {
    let (postgres, stack) = stack(&["--partitions=1", "--postgres-timeout=500ms"]).await;
    support::fund(&stack.channel(), "acme", "1000000").await;
    let mut metering = MeteringServiceClient::new(stack.channel());
    // The relay has nothing more to do, so it hangs without a lock that others would wait for.
    stack.drain().await;
    let frozen = Frozen::children(postgres.pid().expect("it runs"), "127.0.0.1(");
    assert!(frozen.len() >= 2, "the relay's connection and the pool's");
    let held = metering.reserve(reserve("acme", "frame-1", Durability::Applied));
    held.await.expect("Redis has it");
    stack.drain().await;
    drop(frozen);
    stack.balanced().await;
    end(postgres, stack).await;
}

/// An entry that is gone is never skipped: the relay posts what stands before it, and raises suspicion.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_deleted_before_it_is_posted() {
    let (mut postgres, stack) = stack(&["--partitions=1", "--ledger-wait=1s"]).await;
    support::fund(&stack.channel(), "acme", "1000000").await;
    let mut metering = MeteringServiceClient::new(stack.channel());
    stack.drain().await;
    postgres.kill().await.expect("killed");
    let (era, before) = (
        stack.service.holds().era(0),
        stack.service.holds().head(0).await.expect("Redis answers"),
    );
    for hold in 1..=5 {
        let hold = format!("frame-{hold}");
        let held = metering.reserve(reserve("acme", &hold, Durability::Applied));
        held.await.expect("Redis has it");
    }
    let client = redis::Client::open(stack.redis.url()).expect("a URL");
    let mut redis = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let named: Vec<String> = redis::cmd("KEYS")
        .arg("hb:*:log")
        .query_async(&mut redis)
        .await
        .expect("the stream");
    let missing = before.n + 2;
    let deleted: u64 = redis::cmd("XDEL")
        .arg(&named)
        .arg(format!("{}-{missing}", before.epoch))
        .query_async(&mut redis)
        .await
        .expect("Redis does it");
    assert_eq!(deleted, 1);
    postgres.restart().await.expect("Postgres comes back");
    let other = stack.service.holds().era_after(0, &era, GUARD).await;
    assert!(other, "the partition was suspected, and recovered");
    let sql = format!(
        "select (select max(n) from events where epoch = {epoch}), (select from_n from recoveries where from_epoch = {epoch}),
            (select behind_a_gap from recoveries where from_epoch = {epoch})",
        epoch = before.epoch
    );
    let last = (before.n + 1).cast_signed();
    assert_eq!(ask(&stack.postgres_url, &sql).await, [last, last, 3]);
    stack.balanced().await;
    let held = metering.reserve(reserve("acme", "frame-6", Durability::Applied));
    held.await.expect("calls go on");
    stack.balanced().await;
    end(postgres, stack).await;
}

/// At a thousand operations a second.
async fn postgres_is_stopped_for(outage: Duration) {
    const PAIRS_A_SECOND: usize = 500;
    const TICK: Duration = Duration::from_millis(20);
    let (mut postgres, stack) = stack(&[]).await;
    let load = Callers::new(Some(Semaphore::new(0)));
    let callers = load.start(&stack, 64, 8).await;
    let pacing = Arc::clone(&load);
    let pace = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            let pairs = PAIRS_A_SECOND * TICK.as_millis() as usize / 1000;
            pacing.pace.as_ref().expect("a pace").add_permits(pairs);
        }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = *load.seen.borrow();
    postgres.kill().await.expect("killed");
    load.down.store(true, Ordering::SeqCst);
    tokio::time::sleep(outage).await;
    load.down.store(false, Ordering::SeqCst);
    let after = *load.seen.borrow();
    let most = lag(&stack).await;
    postgres.restart().await.expect("Postgres comes back");
    let back = Instant::now();
    assert!(stack.service.drained(GUARD).await, "the ledger catches up");
    let drained = back.elapsed();
    pace.abort();
    let seen = load.finish(callers).await;
    nothing_is_lost(&stack, seen).await;
    println!(
        "outage: {} s without Postgres: {} operations answered ({} a second), 0 errors, {} of them asked for LEDGER and were told APPLIED; \
         lag {most} entries, drained {:.1} s after its return; {} operations in all, 0 lost",
        outage.as_secs(),
        after.answers - before.answers,
        (after.answers - before.answers) / outage.as_secs(),
        after.ledger_calls_in_outage - before.ledger_calls_in_outage,
        drained.as_secs_f32(),
        seen.answers,
    );
    end(postgres, stack).await;
}

//! Crashes between any two steps: script, stream, ledger, publication. A relay is driven by hand and dropped where it would die.

mod capped;
mod gap;
mod older;
mod order;
mod others;

use std::{sync::Arc, time::Duration};

use holdbook::{
    dev::{PostgresServer, RedisServer},
    domain::{
        credits::Credits,
        grant::GrantKind,
        hold::{HoldRequest, Method},
    },
    holds::{
        Body, Holds, HoldsError, Options, Reply, Settings,
        operation::{
            Caller, GrantRequest, NEVER_IN_FORCE, NewAccount, Operation, Remembered, Replay, Verb,
        },
        packed::Answer,
    },
    ledger::{self, Ledger},
    reconcile::{
        self, LedgerWait, Look, Memory, MemoryError, Recovery, Relay, RelayError, RelayOptions,
    },
    telemetry::Metrics,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Mutex;

use crate::support;

const ACCOUNT: &str = "acme";
/// Longer than a test.
const TAIL: Duration = Duration::from_secs(3600);
const HOUR: i64 = 3_600_000_000;
/// In the year 2096.
const LONG_AFTER: i64 = 4_000_000_000_000_000;

/// Both stores and their rooms, and nothing that runs by itself.
struct Rooms {
    redis: Mutex<RedisServer>,
    holds: Holds,
    ledger: Ledger,
    waits: LedgerWait,
}

fn credits(amount: &str) -> Credits {
    Credits::parse(amount).expect("an amount")
}

impl Rooms {
    async fn open() -> Self {
        let url = support::postgres_url().await;
        Self::open_on(support::redis().await, &url).await
    }

    async fn open_on(redis: RedisServer, postgres_url: &str) -> Self {
        ledger::migrate(postgres_url).await.expect("migrations");
        let config = support::config(&redis.url(), postgres_url, &["--partitions=1"]);
        let holds = Holds::new(Options {
            url: redis.url(),
            partitions: 1,
            settings: Settings {
                repeat_window: 24 * HOUR,
                late_commit_window: 24 * HOUR,
                refund_ttl: 720 * HOUR,
                max_lifetime: 168 * HOUR,
                backlog_soft: 100_000,
                backlog_hard: 200_000,
            },
            batch_max: 4,
            queue_max: 4096,
            observe_batch: Arc::new(|_| {}),
        })
        .expect("a URL");
        let ledger = Ledger::connect(postgres_url, 4).await.expect("a ledger");
        holdbook::app::open_stores(&config, &holds, &ledger)
            .await
            .expect("stores");
        let waits = LedgerWait::new(&ledger).await.expect("cursors");
        let rooms = Self {
            redis: Mutex::new(redis),
            holds,
            ledger,
            waits,
        };
        rooms.recover().await;
        rooms
    }

    /// Looks at the partition, as the service does when a call was fenced off.
    async fn recover(&self) -> Look {
        let (holds, ledger) = (self.holds.clone(), self.ledger.clone());
        let mut watcher = Recovery::new(0, holds, ledger, self.relay(), false);
        watcher.step().await.expect("both stores answer")
    }

    fn memory(&self) -> Memory {
        let (holds, ledger, waits) = (self.holds.clone(), self.ledger.clone(), self.waits.clone());
        Memory::new(holds, ledger, waits, Duration::from_secs(10))
    }

    fn relay(&self) -> Relay {
        let instruments = Metrics::local().expect("metrics").instruments();
        let options = RelayOptions {
            batch: 500,
            pause: Duration::ZERO,
            gather: Duration::ZERO,
            tail: TAIL,
        };
        Relay::new(
            0,
            self.holds.clone(),
            self.ledger.clone(),
            self.waits.clone(),
            instruments,
            options,
        )
    }

    /// What the ledger says of an id that it does not know, in the era of now.
    fn never_seen(&self) -> Remembered {
        let epoch = self.holds.era(0).epoch;
        Remembered {
            epoch,
            ..Remembered::default()
        }
    }

    async fn run(&self, verb: Verb) -> Result<Answer, MemoryError> {
        self.run_by(&self.memory(), verb).await
    }

    async fn run_by(&self, memory: &Memory, verb: Verb) -> Result<Answer, MemoryError> {
        let remembered = Some(self.never_seen());
        let operation = Operation {
            account: ACCOUNT.into(),
            verb,
            caller: Caller::default(),
            remembered,
            loaded: Vec::new(),
            step: Vec::new(),
            replay: None,
        };
        let (_, reply) = memory.run(operation).await?;
        match reply.body {
            Body::Answer(answer) => Ok(*answer),
            other => panic!("{other:?}"),
        }
    }

    fn top_up() -> Verb {
        Self::top_up_of("topup-1", "1000")
    }

    fn top_up_of(grant_id: &str, amount: &str) -> Verb {
        let request = GrantRequest {
            kind: GrantKind::TopUp,
            priority: 100,
            non_refundable: false,
            amount: credits(amount),
            starts_at: None,
            expires_at: None,
            expires_in: None,
            rollover: None,
            provider: String::new(),
            external_reference: String::new(),
            sent: Vec::new(),
            bought: false,
        };
        Verb::Grant {
            grant_id: grant_id.into(),
            request: Box::new(request),
        }
    }

    /// An account with 1,000 credits.
    async fn fund(&self) {
        let create = Verb::CreateAccount {
            overdraft_limit: None,
            credit_limit: None,
            max_open_holds: 0,
            given: NewAccount::default(),
        };
        self.run(create).await.expect("an account");
        self.run(Self::top_up()).await.expect("a grant");
    }

    fn reserve_of(hold_id: &str) -> Verb {
        let request = HoldRequest {
            method: Method::Reserve,
            amount: credits("2"),
            usage: None,
            ttl: None,
            overage: None,
            max_commit: None,
            labels: Vec::new(),
        };
        Verb::Reserve {
            hold_id: hold_id.into(),
            request,
            ttl: HOUR,
            validate_only: false,
            in_force: NEVER_IN_FORCE,
        }
    }

    async fn reserve(&self, hold_id: &str) -> Result<Answer, MemoryError> {
        self.run(Self::reserve_of(hold_id)).await
    }

    fn commit_of(hold_id: &str) -> Verb {
        Verb::Commit {
            hold_id: hold_id.into(),
            amount: Some(credits("1.5")),
            usage: None,
            last: true,
            commit_id: String::new(),
            in_force: NEVER_IN_FORCE,
        }
    }

    async fn commit(&self, hold_id: &str) -> Result<Answer, MemoryError> {
        self.run(Self::commit_of(hold_id)).await
    }

    async fn used(&self) {
        self.fund().await;
        for hold in ["frame-1", "frame-2"] {
            self.reserve(hold).await.expect("a hold");
        }
        self.commit("frame-1").await.expect("a commit");
    }

    /// The ledger has everything, once, and Redis knows.
    async fn whole(&self) {
        while self.relay().step().await.expect("a step") > 0 {}
        let head = self.holds.head(0).await.expect("Redis answers");
        assert_eq!(head.n, head.ledger_n, "Redis is told how far the ledger is");
        let report = reconcile::audit(&self.holds, &self.ledger)
            .await
            .expect("both stores answer");
        assert!(report.is_balanced(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_dies_between_reading_and_posting() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    let mut dying = rooms.relay();
    let (_, entries) = dying.read().await.expect("entries");
    assert!(!entries.is_empty());
    drop(dying);
    rooms.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_dies_between_posting_and_publishing() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    let mut dying = rooms.relay();
    let (from, entries) = dying.read().await.expect("entries");
    dying.post(from, &entries).await.expect("posted");
    drop(dying);
    let head = rooms.holds.head(0).await.expect("Redis answers");
    assert!(head.ledger_n < head.n, "nothing was published");
    rooms.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_entries_are_not_posted_twice() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    let (mut one, mut other) = (rooms.relay(), rooms.relay());
    let (from, entries) = one.read().await.expect("entries");
    other.read().await.expect("the same entries");
    one.post(from, &entries).await.expect("posted");
    let again = other.post(from, &entries).await;
    assert!(
        matches!(
            again,
            Err(RelayError::Ledger(ledger::LedgerError::Overtaken { .. }))
        ),
        "{again:?}"
    );
    rooms.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_dies_between_publishing_and_the_next_step() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    assert!(rooms.relay().step().await.expect("a step") > 0);
    rooms.reserve("frame-3").await.expect("a hold");
    rooms.whole().await;
    rooms.whole().await;
}

/// The script itself refuses, before anything was written, whoever has noticed what: a restarted server, an emptied one.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_a_server_that_may_have_gone_back_is_fenced_off() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    let read = || Operation {
        account: ACCOUNT.into(),
        verb: Verb::Read,
        caller: Caller::default(),
        remembered: None,
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    };
    rooms.holds.run(read()).await.expect("it is open");
    let mut server = rooms.redis.lock().await;
    server.restart().await.expect("Redis comes back");
    let url = server.url();
    drop(server);
    let mut answer = rooms.holds.run(read()).await;
    while let Err(HoldsError::Unavailable(_)) = answer {
        answer = rooms.holds.run(read()).await;
    }
    assert!(matches!(answer, Err(HoldsError::Fenced(_))), "{answer:?}");
    assert_eq!(rooms.recover().await, Look::Recovered);
    assert_eq!(rooms.recover().await, Look::Open);
    support::redis_says(url, "FLUSHALL").await;
    let answer = rooms.holds.run(read()).await;
    assert!(matches!(answer, Err(HoldsError::Fenced(_))), "{answer:?}");
    assert_eq!(rooms.recover().await, Look::Recovered);
    rooms.whole().await;
}

/// A recovery dies between the replays and the callers: what was replayed is in the stream, the next one posts it, and the same replay
/// once more changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_dies_between_replays_and_callers() {
    let rooms = Rooms::open().await;
    rooms.used().await;
    let url = rooms.redis.lock().await.url();
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let [meta]: [String; 1] = redis::cmd("KEYS")
        .arg("hb:*:meta")
        .query_async(&mut connection)
        .await
        .expect("one partition");
    let _: i64 = redis::cmd("HSET")
        .arg(meta)
        .arg("open")
        .arg("2")
        .query_async(&mut connection)
        .await
        .expect("as a recovery leaves it that has opened for replays");
    let replay = || Operation {
        account: ACCOUNT.into(),
        verb: Rooms::reserve_of("lost"),
        caller: Caller::default(),
        remembered: Some(rooms.never_seen()),
        loaded: Vec::new(),
        step: Vec::new(),
        replay: Some(Box::new(Replay {
            instant: LONG_AFTER,
            ..Replay::default()
        })),
    };
    let call = Operation {
        replay: None,
        ..replay()
    };
    let refused = rooms.holds.run(call).await;
    assert!(matches!(refused, Err(HoldsError::Fenced(_))), "{refused:?}");
    let held = |reply: Reply| match reply.body {
        Body::Answer(answer) => answer.balance.held,
        other => panic!("{other:?}"),
    };
    let first = rooms.holds.run(replay()).await.expect("replays are taken");
    assert_eq!(held(first), credits("4"), "frame-2 and the replay");

    assert_eq!(rooms.recover().await, Look::Recovered);
    let (_, again) = rooms.memory().run(replay()).await.expect("it is open");
    assert_eq!(held(again), credits("4"));
    rooms.whole().await;
}

/// A hold is lost with everybody who knew of it: what ends it is booked, once, whatever is sent again, replayed or recovered. Where
/// nothing can have been lost, at a first start and when an operator recovers what is sound, it is unknown.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_lost_hold_is_booked_once() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    let known = async |hold| {
        let answer = rooms.commit(hold).await.expect("an answer");
        (
            answer.reasons.is_empty(),
            answer.replayed,
            answer.balance.free,
        )
    };
    let unknown = (false, false, credits("1000"));
    assert_eq!(known("never").await, unknown, "after the first start");
    rooms.whole().await;
    let (holds, ledger) = (rooms.holds.clone(), rooms.ledger.clone());
    let mut operator = Recovery::new(0, holds, ledger, rooms.relay(), false);
    assert_eq!(operator.force().await.expect("both"), Look::Recovered);
    assert_eq!(known("never").await, unknown, "after an operator's");

    rooms.whole().await;
    let url = rooms.redis.lock().await.url();
    for hold in ["lost", "gone"] {
        rooms.reserve(hold).await.expect("a hold");
    }
    support::redis_says(url, "FLUSHALL").await;
    assert_eq!(rooms.recover().await, Look::Recovered);
    let charged = credits("998.5");
    assert_eq!(known("lost").await, (true, false, charged));
    let released = rooms
        .run(Verb::Release {
            hold_id: "gone".into(),
        })
        .await;
    assert_eq!(
        released.expect("an answer").reasons.len(),
        0,
        "it has ended now"
    );
    for hold in ["lost", "gone"] {
        let reserve = Operation {
            account: ACCOUNT.into(),
            verb: Rooms::reserve_of(hold),
            caller: Caller::default(),
            remembered: Some(rooms.never_seen()),
            loaded: Vec::new(),
            step: Vec::new(),
            replay: Some(Box::default()),
        };
        let (_, reply) = rooms.memory().run(reserve).await.expect("an answer");
        assert!(matches!(reply.body, Body::Answer(answer) if answer.balance.held == Credits::ZERO));
    }
    assert_eq!(known("lost").await, (true, true, charged));
    // Before the ledger has it, and after.
    for _ in 0..2 {
        let mut server = rooms.redis.lock().await;
        server.kill().await.expect("killed");
        server.restart().await.expect("Redis comes back");
        drop(server);
        assert_eq!(rooms.recover().await, Look::Recovered);
        while rooms.memory().touch(ACCOUNT).await.is_err() {}
        rooms.whole().await;
        let commit = Operation {
            account: ACCOUNT.into(),
            verb: Verb::Commit {
                hold_id: "lost".into(),
                amount: Some(credits("1.5")),
                usage: None,
                last: true,
                commit_id: String::new(),
                in_force: NEVER_IN_FORCE,
            },
            caller: Caller::default(),
            remembered: None,
            loaded: Vec::new(),
            step: Vec::new(),
            replay: None,
        };
        let (_, reply) = rooms.memory().run(commit).await.expect("an answer");
        match reply.body {
            Body::Answer(answer) => assert_eq!(
                (answer.replayed, answer.balance.free),
                (true, charged),
                "{:?}",
                answer.reasons
            ),
            other => panic!("{other:?}"),
        }
        rooms.whole().await;
    }
}

/// "Never seen", said by the ledger before a recovery, does not make a grant or a refund a second time after it: meanwhile another call
/// may have done it, and the recovery posted it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_said_before_a_recovery_does_not_count_after_it() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    rooms.reserve("frame-1").await.expect("a hold");
    rooms.commit("frame-1").await.expect("a commit");
    let refund = || Verb::Refund {
        hold_id: "frame-1".into(),
        refund_id: "sorry".into(),
        amount: credits("1"),
    };
    let before = rooms.never_seen();
    rooms.run(refund()).await.expect("another call's refund");
    rooms
        .redis
        .lock()
        .await
        .restart()
        .await
        .expect("Redis comes back");
    assert_eq!(rooms.recover().await, Look::Recovered);
    // Loads the account, as any call does; the first ones meet the connection that died.
    while rooms.memory().touch(ACCOUNT).await.is_err() {}
    for verb in [refund(), Rooms::top_up()] {
        let late = Operation {
            account: ACCOUNT.into(),
            verb: verb.clone(),
            caller: Caller::default(),
            remembered: Some(before.clone()),
            loaded: Vec::new(),
            step: Vec::new(),
            replay: None,
        };
        let answer = rooms.holds.run(late).await.expect("Redis answers").body;
        assert!(matches!(answer, Body::AskLedger), "{verb:?}: {answer:?}");
    }
    let snapshot = rooms
        .holds
        .snapshot(ACCOUNT)
        .await
        .expect("Redis answers")
        .expect("the account");
    assert_eq!(snapshot.balance.free, credits("999.5"));
    rooms.whole().await;
}

/// Two relays that know nothing of each other, while calls go on.
#[tokio::test(flavor = "multi_thread")]
async fn two_relays_at_once_post_once() {
    let rooms = Arc::new(Rooms::open().await);
    rooms.fund().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut relays = tokio::task::JoinSet::new();
    for _ in 0..2 {
        relays.spawn(rooms.relay().run(stopped.clone()));
    }
    for round in 0..40 {
        let hold = format!("frame-{round}");
        rooms.reserve(&hold).await.expect("a hold");
        rooms.commit(&hold).await.expect("a commit");
    }
    let head = rooms.holds.head(0).await.expect("Redis answers");
    assert!(
        rooms
            .waits
            .wait_for(0, head.epoch, head.n, Duration::from_secs(30))
            .await
    );
    stop.send_replace(true);
    relays.join_all().await;
    rooms.whole().await;
}

/// Redis dies by `kill -9` while calls are in flight; every call is sent again until it is answered. Each hold exists once.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_under_calls_that_are_sent_again() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    let mut lost = 0;
    for round in 0..4 {
        let holds: Vec<_> = (0..40).map(|i| format!("frame-{round}-{i}")).collect();
        let mut server = rooms.redis.lock().await;
        let mut calls: FuturesUnordered<_> = holds.iter().map(|hold| rooms.reserve(hold)).collect();
        // Keyed on acknowledgements: some are in, some are on the way, some wait.
        for _ in 0..10 * round {
            calls
                .next()
                .await
                .expect("a call")
                .expect("an answer while Redis lives");
        }
        server.kill().await.expect("killed");
        while let Some(answer) = calls.next().await {
            lost += usize::from(answer.is_err());
        }
        drop(calls);
        server.restart().await.expect("Redis comes back");
        drop(server);
        // Another replication id: the server could have gone back in time.
        assert_eq!(rooms.recover().await, Look::Recovered);
        for hold in &holds {
            while rooms.reserve(hold).await.is_err() {}
        }
    }
    assert!(lost > 0, "no answer was lost: the fault had no effect");
    println!("{lost} answers were lost");
    let snapshot = rooms
        .holds
        .snapshot(ACCOUNT)
        .await
        .expect("Redis answers")
        .expect("the account");
    assert_eq!(
        (snapshot.open_holds, snapshot.balance.held),
        (160, credits("320"))
    );
    rooms.whole().await;
}

/// Postgres dies by `kill -9` around a post: the entries wait in the stream, and are posted once.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed_around_a_post() {
    let mut postgres = support::own_postgres("killed").await;
    let rooms = Rooms::open_on(support::redis().await, &postgres.url()).await;
    rooms.used().await;
    let mut relay = rooms.relay();
    let (from, entries) = relay.read().await.expect("entries");
    postgres.kill().await.expect("killed");
    assert!(relay.post(from, &entries).await.is_err());
    rooms
        .reserve("frame-3")
        .await
        .expect("holds go on without Postgres");
    postgres.restart().await.expect("Postgres comes back");
    let mut relay = rooms.relay();
    let (from, entries) = relay.read().await.expect("entries");
    let (posted, ()) = tokio::join!(relay.post(from, &entries), async {
        postgres.kill().await.expect("killed")
    });
    println!(
        "the post was {}",
        if posted.is_ok() { "answered" } else { "cut" }
    );
    postgres.restart().await.expect("Postgres comes back");
    while rooms.relay().step().await.is_err() {}
    rooms.whole().await;
    postgres.stop().await.expect("stopped");
}

/// Postgres leaves a post unanswered: it is given up, the next batch is half as large, and what Postgres does of the first one when it
/// goes on is nothing, or all of it once.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_is_not_answered_is_given_up() {
    let url = support::postgres_url().await;
    let rooms = Rooms::open_on(support::redis().await, &url).await;
    rooms.used().await;
    let options = RelayOptions {
        batch: 4,
        pause: Duration::ZERO,
        gather: Duration::ZERO,
        tail: Duration::ZERO,
    };
    let mut relay = Relay::new(
        0,
        rooms.holds.clone(),
        rooms
            .ledger
            .clone()
            .giving_up_after(Duration::from_millis(500)),
        rooms.waits.clone(),
        Metrics::local().expect("metrics").instruments(),
        options,
    );
    let (mut owner, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let (from, entries) = relay.read().await.expect("entries");
    assert_eq!(entries.len(), 4);
    let lock = owner.transaction().await.expect("a transaction");
    lock.execute("select from partitions for update", &[])
        .await
        .expect("the cursor's row");
    let refused = relay.post(from, &entries).await.expect_err("given up");
    assert!(refused.to_string().contains("no answer"), "{refused}");
    lock.commit().await.expect("the row is free");
    let (_, entries) = relay.read().await.expect("entries");
    assert_eq!(entries.len(), 2);
    while relay.step().await.is_err() {}
    rooms.whole().await;
}

/// Postgres ends the connection in the middle of a post, when the cursor has moved and the rows have not been written.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_cut_between_the_cursor_and_the_rows() {
    let url = support::postgres_url().await;
    let rooms = Rooms::open_on(support::redis().await, &url).await;
    rooms.used().await;
    let (mut owner, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let lock = owner.transaction().await.expect("a transaction");
    lock.batch_execute("lock table events in exclusive mode")
        .await
        .expect("the rows have to wait");
    let cut = async {
        // The lock tables are read anew by every query, so this ends as soon as the post has come to the lock.
        let waits = "select pg_terminate_backend(pid) from pg_locks where not granted and relation = 'events'::regclass
             and database = (select oid from pg_database where datname = current_database())";
        while lock.query(waits, &[]).await.expect("an answer").is_empty() {}
    };
    let mut relay = rooms.relay();
    let (from, entries) = relay.read().await.expect("entries");
    let (posted, ()) = tokio::join!(relay.post(from, &entries), cut);
    assert!(posted.is_err(), "{posted:?}");
    lock.rollback().await.expect("the lock is gone");
    rooms.whole().await;
}

/// Whoever holds the lease stands still: Postgres gives the lease to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_holder_stands_still_is_taken() {
    let url = support::postgres_url().await;
    let rooms = Rooms::open_on(support::redis().await, &url).await;
    let ledger = rooms
        .ledger
        .clone()
        .giving_up_after(Duration::from_millis(300));
    let asked = async || {
        let asking = async {
            loop {
                if let Some(lease) = ledger.lease(0).await.expect("an answer") {
                    return lease;
                }
            }
        };
        let given = tokio::time::timeout(Duration::from_secs(60), asking).await;
        given.expect("it is given")
    };
    // Who opened the partition may still be on its way out.
    let held = asked().await;
    // It says nothing from now on, and another asks.
    let taken = asked().await;
    held.keep().await.expect_err("it has lost it");
    taken.keep().await.expect("it has it");
}

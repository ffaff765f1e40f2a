//! Entries are gone from the middle of a stream: what stands behind them is done again, exactly once, wherever the recovery dies.

use std::collections::BTreeMap;

use holdbook::{
    holds::operation::LevelChange,
    plans::{Command, Order, PaidBy, Terms, Wanted},
};
use tokio_postgres::{Client, NoTls};

use super::*;
use crate::plans::terms;

/// A service's rooms with a direct way into both stores.
struct Holed {
    rooms: Rooms,
    redis: redis::aio::MultiplexedConnection,
    postgres: Client,
}

impl Holed {
    async fn open() -> Self {
        let url = support::postgres_url().await;
        let rooms = Rooms::open_on(support::redis().await, &url).await;
        let client = redis::Client::open(rooms.redis.lock().await.url()).expect("a URL");
        let redis = client.get_multiplexed_async_connection().await;
        let (postgres, connection) = tokio_postgres::connect(&url, NoTls)
            .await
            .expect("Postgres answers");
        tokio::spawn(connection);
        Self {
            rooms,
            redis: redis.expect("Redis answers"),
            postgres,
        }
    }

    /// An entry of the current era is no more.
    async fn delete(&mut self, n: u64) {
        let epoch = self.rooms.holds.era(0).epoch;
        let log: Vec<String> = redis::cmd("KEYS")
            .arg("hb:*:log")
            .query_async(&mut self.redis)
            .await
            .expect("the stream");
        let deleted: u64 = redis::cmd("XDEL")
            .arg(log)
            .arg(format!("{epoch}-{n}"))
            .query_async(&mut self.redis)
            .await
            .expect("Redis does it");
        assert_eq!(deleted, 1);
    }

    /// Calls of every kind, then the loss of one in the middle: `lost`, whose reserve is gone and whose commit is not.
    async fn used_and_holed(&mut self) -> Credits {
        let rooms = &self.rooms;
        rooms.fund().await;
        rooms.reserve("before").await.expect("a hold");
        rooms.whole().await;
        rooms.commit("before").await.expect("posted by the drain");
        let gap = rooms.holds.head(0).await.expect("Redis answers").n + 1;
        rooms.reserve("lost").await.expect("a hold");
        rooms.commit("lost").await.expect("a commit");
        rooms.reserve("open").await.expect("a hold");
        let part = || Verb::Commit {
            hold_id: "open".into(),
            amount: Some(credits("0.5")),
            usage: None,
            last: false,
            commit_id: "part".into(),
            in_force: NEVER_IN_FORCE,
        };
        rooms.run(part()).await.expect("a part");
        rooms.reserve("gone").await.expect("a hold");
        let release = Verb::Release {
            hold_id: "gone".into(),
        };
        rooms.run(release).await.expect("released");
        let refund = Verb::Refund {
            hold_id: "lost".into(),
            refund_id: "sorry".into(),
            amount: credits("1"),
        };
        rooms.run(refund).await.expect("refunded");
        let extend = Verb::Extend {
            hold_id: "open".into(),
            extend_id: "longer".into(),
            ttl: 2 * HOUR,
            amount: Some(credits("3")),
            in_force: NEVER_IN_FORCE,
        };
        rooms.run(extend).await.expect("extended");
        let update = Verb::UpdateAccount {
            overdraft_limit: Some(credits("7")),
            credit_limit: None,
            max_open_holds: None,
            suspend: None,
            etag: String::new(),
        };
        rooms.run(update).await.expect("updated");
        let answer = rooms.run(Verb::Read).await.expect("an answer");
        self.delete(gap).await;
        answer.balance.free
    }

    async fn ask<const N: usize>(&self, sql: &str) -> [i64; N] {
        let row = self.postgres.query_one(sql, &[]).await.expect("one row");
        std::array::from_fn(|at| row.get(at))
    }

    /// All that stood behind the gap is in the book, once.
    async fn made_good(&self, free: Credits) {
        let rooms = &self.rooms;
        rooms.whole().await;
        let answer = rooms.run(Verb::Read).await.expect("an answer");
        assert_eq!(
            (answer.balance.free, answer.balance.held),
            (free, credits("4.5"))
        );
        assert_eq!(answer.terms.overdraft_limit, credits("7"));
        rooms.whole().await;
        let holds = "select count(*) filter (where hold_id = 'lost' and state = 'committed' and charged = 1.5 and refunded = 1),
            count(*) filter (where hold_id = 'open' and state = 'open' and charged = 0.5 and held = 4.5),
            count(*) filter (where hold_id = 'gone' and state = 'released'), count(*) from holds";
        assert_eq!(self.ask(holds).await, [1, 1, 1, 4]);
        let replays = "select count(*) filter (where done_at is not null and why is null), count(*) from replays";
        let [done, all] = self.ask(replays).await;
        assert_eq!((done, all), (8, 8), "eight calls after the lost one");
    }

    async fn execute(&self, sql: &str) {
        self.postgres.batch_execute(sql).await.expect("done");
    }

    async fn try_recover(&self) -> Result<Look, reconcile::RecoveryError> {
        let rooms = &self.rooms;
        let (holds, ledger) = (rooms.holds.clone(), rooms.ledger.clone());
        let mut watcher = Recovery::new(0, holds, ledger, rooms.relay(), false);
        // The relay would have raised the suspicion: what follows the cursor is there, and the gap behind it.
        watcher.force().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_behind_a_gap_is_replayed_and_reported() {
    let mut holed = Holed::open().await;
    let free = holed.used_and_holed().await;
    // Marked as done before that, a crash of Redis would lose it. The eight calls are nine events: one makes its hold anew.
    holed
        .execute(
            "create function guards() returns trigger language plpgsql as $$ begin
                if (select count(*) from events where epoch = new.era) < 9 then
                    raise exception 'the ledger does not have it';
                end if;
                return new;
            end $$;
            create trigger here before update of done_at on replays for each row execute function guards()",
        )
        .await;
    assert_eq!(holed.try_recover().await.expect("both"), Look::Recovered);
    let report = holed.rooms.ledger.last_recoveries().await.expect("a row");
    let report = report[&0];
    let counts = [
        report.drained,
        report.behind_a_gap,
        report.replayed,
        report.not_replayed,
        report.missing,
    ];
    assert_eq!(counts, [1, 8, 8, 0, 1]);
    assert!(report.may_have_lost);
    holed.made_good(free).await;
    // The processes that acknowledged them live, and replay them, too.
    let part = Operation {
        account: ACCOUNT.into(),
        verb: Verb::Commit {
            hold_id: "open".into(),
            amount: Some(credits("0.5")),
            usage: None,
            last: false,
            commit_id: "part".into(),
            in_force: NEVER_IN_FORCE,
        },
        caller: Caller::default(),
        remembered: Some(holed.rooms.never_seen()),
        loaded: Vec::new(),
        step: Vec::new(),
        replay: Some(Box::default()),
    };
    holed
        .rooms
        .memory()
        .run(part)
        .await
        .expect("both stores answer");
    holed.made_good(free).await;
}

/// What a call about the subscription wants.
fn order(call_id: &str, wanted: Wanted) -> Verb {
    let order = Order {
        subscription_id: "sub".into(),
        call_id: call_id.into(),
        sent: BTreeMap::new(),
        wanted,
        at: None,
    };
    let order = serde_json::to_string(&order).expect("JSON");
    Verb::Subscription { order }
}

/// A plan of which each user may spend 10 in a month.
fn capped(plan: &str) -> Box<Terms> {
    let mut terms = terms("studio", plan, PaidBy::Cycle);
    terms.gives.label_caps = BTreeMap::from([("user".into(), [None, None, Some(credits("10"))])]);
    Box::new(terms)
}

fn reserve_for_ada(hold_id: &str, amount: &str) -> Verb {
    match Rooms::reserve_of(hold_id) {
        Verb::Reserve {
            hold_id,
            request,
            ttl,
            validate_only,
            in_force,
        } => Verb::Reserve {
            hold_id,
            request: HoldRequest {
                amount: credits(amount),
                labels: vec![("user".into(), "ada".into())],
                ..request
            },
            ttl,
            validate_only,
            in_force,
        },
        other => other,
    }
}

/// A subscription, its payment, another plan, a level and what a user spent: all that is behind the gap is there again, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_behind_a_gap_is_made_once() {
    let mut holed = Holed::open().await;
    let rooms = &holed.rooms;
    rooms.fund().await;
    rooms.whole().await;
    let gap = rooms.holds.head(0).await.expect("Redis answers").n + 1;
    rooms.reserve("lost").await.expect("a hold");
    let subscribed = Wanted::Subscribe {
        terms: capped("plus"),
        trial: false,
    };
    rooms.run(order("", subscribed)).await.expect("a plan");
    let paid = Wanted::Command(Box::new(Command::Payment { cycle: 1 }));
    rooms.run(order("paid", paid)).await.expect("paid");
    let changed = Wanted::Command(Box::new(Command::ChangePlan(*capped("max"))));
    rooms.run(order("more", changed)).await.expect("changed");
    let level = Verb::Level {
        level_id: "trained".into(),
        capacity: "custom_models".into(),
        change: LevelChange::By(2_000_000),
        most: None,
        unknown: false,
    };
    rooms.run(level).await.expect("a level");
    rooms
        .run(reserve_for_ada("done", "2"))
        .await
        .expect("2 of 10");
    rooms.commit("done").await.expect("1.5 of 10");
    rooms
        .run(reserve_for_ada("open", "3"))
        .await
        .expect("4.5 of 10");
    // It sets 2 aside, and is no more.
    let before = rooms.run(Verb::Balance).await.expect("an answer");
    holed.delete(gap).await;
    assert_eq!(holed.try_recover().await.expect("both"), Look::Recovered);
    let rooms = &holed.rooms;
    rooms.whole().await;
    let after = rooms.run(Verb::Balance).await.expect("an answer");
    let free = before.balance.free + credits("2");
    assert_eq!(
        (after.balance.free, after.balance.held),
        (free, credits("3"))
    );
    assert_eq!(after.plan, before.plan);
    let granted = "select count(*) filter (where grant_id like '~plan:%'), count(distinct grant_id), count(*) from grants";
    let [of_plan, distinct, all] = holed.ask(granted).await;
    assert_eq!((distinct, all), (of_plan + 1, of_plan + 1));
    assert!(of_plan > 0);
    let kept = "select (select count(*) from subscriptions where plan = 'max'), (select count(*) from subscriptions),
        (select count(*) from levels where level = 2), (select count(*) from spending where value = 'ada' and in_month = 1.5)";
    assert_eq!(holed.ask(kept).await, [1, 1, 1, 1]);
    let bills = "select count(*), count(distinct number) from bills";
    let [bills, numbers] = holed.ask(bills).await;
    assert!(
        bills == numbers && bills >= 2,
        "{bills} bills, {numbers} numbers"
    );
    let rooms = &holed.rooms;
    let beyond = rooms.run(reserve_for_ada("beyond", "5.500001")).await;
    assert_eq!(beyond.expect("an answer").reasons, [5], "SPEND_CAP");
    let within = rooms.run(reserve_for_ada("within", "5.5")).await;
    assert!(within.expect("an answer").reasons.is_empty());
    rooms.whole().await;
}

/// More than one reading holds.
#[tokio::test(flavor = "multi_thread")]
async fn all_that_stands_behind_a_gap_is_counted() {
    const HOLDS: u64 = 1200;
    let mut holed = Holed::open().await;
    holed.rooms.fund().await;
    holed
        .rooms
        .run(Rooms::top_up_of("more", "9000"))
        .await
        .expect("a grant");
    holed.rooms.whole().await;
    let gap = holed.rooms.holds.head(0).await.expect("Redis answers").n + 1;
    for hold in 0..=HOLDS {
        holed
            .rooms
            .reserve(&format!("h{hold}"))
            .await
            .expect("a hold");
    }
    holed.delete(gap).await;
    assert_eq!(holed.rooms.recover().await, Look::Recovered);
    let report = holed.rooms.ledger.last_recoveries().await.expect("a row")[&0];
    let counts = [report.behind_a_gap, report.replayed, report.missing];
    assert_eq!(counts, [HOLDS, HOLDS, 1]);
    holed.rooms.whole().await;
    let open = "select count(*) from holds where state = 'open' and held = 2";
    assert_eq!(holed.ask(open).await, [HOLDS.cast_signed()]);
}

/// The recovery dies at each of its writes to Postgres in turn: before the crossing, between the replays and their mark, before the
/// partition is open for callers. The next one, of whichever process, makes it good.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_dies_around_its_replays() {
    let mut holed = Holed::open().await;
    let free = holed.used_and_holed().await;
    holed
        .execute("create function dies() returns trigger language plpgsql as $$ begin raise exception 'it dies'; end $$")
        .await;
    for (dies, stored, marked) in [
        ("before insert on recoveries for each row", 0, 0),
        ("before update of done_at on replays for each row", 8, 0),
        (
            "before update on partitions for each row when (new.open)",
            8,
            8,
        ),
    ] {
        holed
            .execute(&format!(
                "create trigger here {dies} execute function dies()"
            ))
            .await;
        let died = holed.try_recover().await.expect_err("it dies");
        assert!(died.to_string().contains("it dies"), "{died}");
        let found = "select count(*), count(done_at) from replays";
        assert_eq!(holed.ask(found).await, [stored, marked], "{dies}");
        let table = dies.split(" on ").nth(1).expect("a table");
        let table = table.split(' ').next().expect("its name");
        holed
            .execute(&format!("drop trigger here on {table}"))
            .await;
    }
    assert_eq!(holed.try_recover().await.expect("both"), Look::Recovered);
    holed.made_good(free).await;
    // A process dies after the replays and before it could say so: whoever looks next does them again.
    holed.execute("update replays set done_at = null").await;
    assert_eq!(holed.rooms.recover().await, Look::Open);
    holed.made_good(free).await;
}

/// A late commit is its hold's last, also one that named itself partial: its replay is no second one.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_late_partial_commit_charges_nothing() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    rooms.whole().await;
    let url = rooms.redis.lock().await.url();
    support::redis_says(url, "FLUSHALL").await;
    assert_eq!(rooms.recover().await, Look::Recovered);
    let commit = || Verb::Commit {
        hold_id: "lost".into(),
        amount: Some(credits("4")),
        usage: None,
        last: false,
        commit_id: "part".into(),
        in_force: NEVER_IN_FORCE,
    };
    let first = rooms.run(commit()).await.expect("an answer");
    assert_eq!(first.balance.free, credits("996"));
    let again = Operation {
        account: ACCOUNT.into(),
        verb: commit(),
        caller: Caller::default(),
        remembered: Some(rooms.never_seen()),
        loaded: Vec::new(),
        step: Vec::new(),
        replay: Some(Box::new(Replay {
            amount: credits("4"),
            ..Replay::default()
        })),
    };
    let (_, reply) = rooms.memory().run(again).await.expect("an answer");
    match reply.body {
        Body::Answer(answer) => assert_eq!(answer.balance.free, credits("996")),
        other => panic!("{other:?}"),
    }
    rooms.whole().await;
}

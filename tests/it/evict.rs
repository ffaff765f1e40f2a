//! Dropping idle accounts: what is dropped and when, and which reading of the ledger counts afterwards. What callers are answered is in
//! `model/tables/evictions.rs`.

use std::{sync::Arc, time::Duration};

use holdbook::{
    app::Service,
    domain::{
        credits::Credits,
        hold::{HoldRequest, Method},
    },
    holds::{
        Body,
        load::{self, Stored},
        operation::{Caller, NEVER_IN_FORCE, Operation, Verb},
    },
    proto::{
        AdvanceRequest, ChargeRequest, CommitRequest, CreateAccountRequest, Durability,
        GrantCreditsRequest, GrantKind, NowRequest, ReserveRequest,
        account_service_client::AccountServiceClient, commit_request::What,
        grant_credits_request::Expiry, grant_service_client::GrantServiceClient,
        metering_service_client::MeteringServiceClient,
        test_clock_service_client::TestClockServiceClient,
    },
    reconcile::{Evictor, Sweeper, Turn},
    telemetry::Metrics,
};
use tonic::{Code, transport::Channel};

use crate::support::{Stack, channel_to, config, fund};

const ACCOUNT: &str = "acme";
/// A service that still refuses then does so for ever.
const REFUSALS_MAX: usize = 200;
const HOUR: Duration = Duration::from_secs(3600);

async fn reserve(channel: Channel, hold: &str) -> Result<bool, tonic::Status> {
    let reserve = ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: hold.into(),
        amount: "2".into(),
        durability: Durability::Applied.into(),
        ..Default::default()
    };
    let mut metering = MeteringServiceClient::new(channel);
    Ok(metering.reserve(reserve).await?.into_inner().replayed)
}

/// As clients do: the same again while it is not known whether it was done.
async fn reserve_at_last(channel: Channel, hold: &str) -> bool {
    for _ in 0..REFUSALS_MAX {
        match reserve(channel.clone(), hold).await {
            Ok(replayed) => return replayed,
            Err(refused) => assert_eq!(refused.code(), Code::Unavailable, "{refused}"),
        }
    }
    panic!("{hold} was refused {REFUSALS_MAX} times");
}

async fn is_here(stack: &Stack) -> bool {
    let found = stack.service.holds().snapshot(ACCOUNT).await;
    found.expect("Redis answers").is_some()
}

fn evictor(stack: &Stack, idle_after: Duration) -> Evictor {
    let (holds, ledger) = (
        stack.service.holds().clone(),
        stack.service.ledger().clone(),
    );
    let instruments = Metrics::local().expect("metrics").instruments();
    Evictor::new(0, holds, ledger, instruments, idle_after)
}

async fn advance(stack: &Stack, seconds: i64) {
    let by = Some(prost_types::Duration { seconds, nanos: 0 });
    let mut clock = TestClockServiceClient::new(stack.channel());
    let moved = clock.advance(AdvanceRequest { by }).await;
    moved.expect("the clock moves");
}

/// Steps until all accounts were looked at.
async fn round(evictor: &mut Evictor) -> u64 {
    let mut dropped = 0;
    loop {
        let turn = evictor.step().await.expect("both stores answer");
        dropped += turn.dropped;
        if turn.round_over {
            return dropped;
        }
    }
}

async fn keys(stack: &Stack, pattern: &str) -> Vec<String> {
    let client = redis::Client::open(stack.redis.url()).expect("a URL");
    let connected = client.get_multiplexed_async_connection().await;
    let found = redis::cmd("KEYS")
        .arg(pattern)
        .query_async(&mut connected.expect("Redis answers"))
        .await;
    found.expect("keys")
}

/// The account as the ledger has it now, ready for the script.
async fn read_ledger(stack: &Stack) -> Vec<u8> {
    let read = stack.service.ledger().stored_account(0, ACCOUNT).await;
    let (cursor, found) = read.expect("Postgres answers");
    let found = found.expect("the ledger has it");
    let stored = Stored {
        changed_here: found.last_epoch == cursor.epoch,
        image: &found.image,
        spent: &found.spent,
        created: &found.created,
        closed: &found.closed,
        plan: &found.plan,
        record: &found.record,
        spending: &found.spending,
        holds: &found.holds,
    };
    load::pack((cursor.epoch, cursor.n), Some(stored)).expect("packed forms")
}

async fn look(stack: &Stack, loaded: Vec<u8>) -> Body {
    run(stack, Verb::Read, loaded).await
}

async fn run(stack: &Stack, verb: Verb, loaded: Vec<u8>) -> Body {
    let operation = Operation {
        account: ACCOUNT.into(),
        verb,
        caller: Caller::default(),
        remembered: None,
        loaded,
        step: Vec::new(),
        replay: None,
    };
    let reply = stack.service.holds().run(operation).await;
    reply.expect("Redis answers").body
}

/// Only after the time that was set, and its memory is free: the hash and its place among what is due.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_goes_when_nothing_was_written_for_the_time_set() {
    let stack = Stack::start(&["--test-clock=true", "--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    stack.drain().await;
    let mut evictor = evictor(&stack, HOUR);
    assert_eq!(round(&mut evictor).await, 0, "it was used just now");
    advance(&stack, 3599).await;
    assert_eq!(round(&mut evictor).await, 0, "a second is left");
    advance(&stack, 1).await;
    assert_eq!(round(&mut evictor).await, 1);
    // The next call counts as use, whatever it is.
    look(&stack, read_ledger(&stack).await).await;
    advance(&stack, 3599).await;
    assert_eq!(round(&mut evictor).await, 0);
    assert!(is_here(&stack).await);
}

/// While the ledger does not have it, nothing is dropped; when it has, the page that waited is.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_waits_until_the_ledger_has_it() {
    let stack = Stack::start(&["--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    stack.drain().await;
    let url = &stack.postgres_url;
    let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("Postgres answers");
    tokio::spawn(connection);
    let locked = client.batch_execute("begin; lock table events in exclusive mode");
    locked.await.expect("a lock");
    let replayed = reserve(stack.channel(), "frame-1").await;
    assert!(!replayed.expect("reserved"));
    assert_eq!(keys(&stack, "hb:*:due").await.len(), 1);
    let mut evictor = evictor(&stack, Duration::ZERO);
    for _ in 0..3 {
        let turn = evictor.step().await.expect("both stores answer");
        assert_eq!(turn, Turn::default());
    }
    assert!(is_here(&stack).await);
    client.batch_execute("commit").await.expect("unlocked");
    stack.drain().await;
    assert_eq!(round(&mut evictor).await, 1);
    assert!(!is_here(&stack).await && keys(&stack, "hb:*:due").await.is_empty());
    stack.balanced().await;
    let replayed = reserve(stack.channel(), "frame-1").await;
    assert!(replayed.expect("a repeat"));
}

/// What was seen idle and used since stays.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_used_after_the_look_stays() {
    let stack = Stack::start(&["--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    stack.drain().await;
    let holds = stack.service.holds();
    let (_, seen) = holds.idle(0, 0, 0).await.expect("Redis answers");
    assert_eq!(seen.accounts.len(), 1);
    reserve(stack.channel(), "frame-1").await.expect("reserved");
    stack.drain().await;
    assert_eq!(holds.drop_idle(0, &seen).await.expect("Redis answers"), 0);
    assert!(is_here(&stack).await);
}

/// The ledger was read, then the account was used and dropped: what was read does not count any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_from_before_a_later_drop_does_not_count() {
    let stack = Stack::start(&["--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    assert_eq!(stack.evict().await, 1);
    let old = read_ledger(&stack).await;
    reserve(stack.channel(), "frame-1").await.expect("reserved");
    assert_eq!(stack.evict().await, 1);
    assert!(matches!(look(&stack, old).await, Body::Load), "too old");
    let new = read_ledger(&stack).await;
    let Body::Answer(answer) = look(&stack, new).await else {
        panic!("it counts");
    };
    assert_eq!(answer.balance.held.to_string(), "2");
    stack.balanced().await;
}

/// A reading counts once: who comes second finds the account here.
#[tokio::test(flavor = "multi_thread")]
async fn two_readings_of_one_account_load_it_once() {
    let stack = Stack::start(&["--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    stack.evict().await;
    let (first, second) = (read_ledger(&stack).await, read_ledger(&stack).await);
    assert!(matches!(look(&stack, first).await, Body::Answer(_)));
    reserve(stack.channel(), "frame-1").await.expect("reserved");
    let Body::Answer(answer) = look(&stack, second).await else {
        panic!("it is here");
    };
    assert_eq!(answer.balance.held.to_string(), "2");
}

/// Two services, callers on both, and accounts dropped all the time: each hold is taken once.
#[tokio::test(flavor = "multi_thread")]
async fn two_services_load_an_account_at_once() {
    const HOLDS: usize = 40;
    let stack = Arc::new(Stack::start(&["--partitions=1", "--idle-after=0s"]).await);
    let beside = config(
        &stack.redis.url(),
        &stack.postgres_url,
        &["--partitions=1", "--idle-after=0s"],
    );
    let metrics = Metrics::local().expect("metrics");
    let second = Service::start(&beside, metrics).await.expect("it starts");
    fund(&stack.channel(), ACCOUNT, "1000").await;
    let channels = [stack.channel(), channel_to(second.address())];
    for hold in 0..HOLDS {
        stack.evict().await;
        let name = format!("frame-{hold}");
        let calls = channels.clone().map(|channel| {
            let name = name.clone();
            async move { reserve_at_last(channel, &name).await }
        });
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|replayed| !**replayed).count(), 1);
    }
    let found = look(&stack, Vec::new()).await;
    let Body::Answer(answer) = found else {
        panic!("it is here");
    };
    assert_eq!(answer.balance.held.to_string(), (2 * HOLDS).to_string());
    stack.balanced().await;
    second.stop().await.expect("it stops");
}

/// A new era counts its entries from 0; the mark of the old one would shut out every reading.
#[tokio::test(flavor = "multi_thread")]
async fn the_mark_ends_with_its_era() {
    let mut stack = Stack::start(&["--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    for hold in 0..20 {
        let replayed = reserve(stack.channel(), &format!("frame-{hold}")).await;
        assert!(!replayed.expect("reserved"));
    }
    assert_eq!(stack.evict().await, 1);
    stack.redis.kill().await.expect("killed");
    stack.redis.restart().await.expect("it comes back");
    let holds = stack.service.holds();
    let era = holds.era(0);
    assert!(holds.era_after(0, &era, Duration::from_secs(30)).await);
    assert!(reserve_at_last(stack.channel(), "frame-7").await);
    stack.balanced().await;
}

/// What a Redis that came back still holds of the era before is of no use to anybody.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_an_older_era_goes_at_once() {
    let mut stack = Stack::start(&["--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    stack.drain().await;
    stack.redis.kill().await.expect("killed");
    stack.redis.restart().await.expect("it comes back");
    let holds = stack.service.holds();
    let era = holds.era(0);
    assert!(holds.era_after(0, &era, Duration::from_secs(30)).await);
    assert_eq!(keys(&stack, "hb:*:a:*").await.len(), 1);
    assert_eq!(round(&mut evictor(&stack, 24 * HOUR)).await, 1);
    assert!(keys(&stack, "hb:*:a:*").await.is_empty());
    assert!(!reserve_at_last(stack.channel(), "frame-1").await);
}

/// What ended in this era has its key in Redis still, so new holds of an account that was away cost no look into the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_hold_after_a_drop_does_not_ask_the_ledger() {
    let stack = Stack::start(&["--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    stack.evict().await;
    look(&stack, read_ledger(&stack).await).await;
    let request = HoldRequest {
        method: Method::Reserve,
        amount: Credits::parse("2").expect("an amount"),
        usage: None,
        ttl: None,
        overage: None,
        max_commit: None,
        labels: Vec::new(),
    };
    let verb = Verb::Reserve {
        hold_id: "frame-1".into(),
        request,
        ttl: 3_600_000_000,
        validate_only: false,
        in_force: NEVER_IN_FORCE,
    };
    assert!(matches!(
        run(&stack, verb, Vec::new()).await,
        Body::Answer(_)
    ));
}

async fn in_ledger(stack: &Stack, sql: &str) -> Vec<String> {
    let connected = tokio_postgres::connect(&stack.postgres_url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("Postgres answers");
    tokio::spawn(connection);
    let rows = client.query(sql, &[]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

/// A pending grant, one that ends spent, one that ends with something free, and an open hold.
async fn with_much_to_come(stack: &Stack) {
    let account = CreateAccountRequest {
        account_id: ACCOUNT.into(),
        ..Default::default()
    };
    let mut accounts = AccountServiceClient::new(stack.channel());
    accounts.create_account(account).await.expect("an account");
    let hours = |hours: i64| prost_types::Duration {
        seconds: hours * 3600,
        nanos: 0,
    };
    let mut clock = TestClockServiceClient::new(stack.channel());
    let now = clock.now(NowRequest {}).await.expect("the time");
    let now = now.into_inner().now.expect("in it");
    let later = prost_types::Timestamp {
        seconds: now.seconds + 1800,
        nanos: now.nanos,
    };
    let grant = |grant_id: &str, ends: i64| GrantCreditsRequest {
        account_id: ACCOUNT.into(),
        grant_id: grant_id.into(),
        kind: GrantKind::TopUp.into(),
        amount: "2".into(),
        expiry: Some(Expiry::ExpiresIn(hours(ends))),
        ..Default::default()
    };
    let mut grants = GrantServiceClient::new(stack.channel());
    let pending = GrantCreditsRequest {
        starts_at: Some(later),
        ..grant("pending", 48)
    };
    for request in [grant("spent", 4), grant("rest", 5), pending] {
        grants.grant_credits(request).await.expect("a grant");
    }
    let charge = ChargeRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-0".into(),
        amount: "1.5".into(),
        ..Default::default()
    };
    let mut metering = MeteringServiceClient::new(stack.channel());
    metering.charge(charge).await.expect("charged");
    // Takes what is left of the first grant, and part of the second.
    reserve(stack.channel(), "frame-1").await.expect("reserved");
    let commit = CommitRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-1".into(),
        what: Some(What::Amount("0.5".into())),
        r#final: Some(false),
        commit_id: "part".into(),
        ..Default::default()
    };
    metering.commit(commit).await.expect("committed");
}

fn sweeper(stack: &Stack) -> Sweeper {
    let rooms = &stack.service;
    Sweeper::new(
        0,
        rooms.holds().clone(),
        rooms.ledger().clone(),
        rooms.memory().clone(),
        Metrics::local().expect("metrics").instruments(),
    )
}

/// Nobody calls, and Redis does not have the account: what time does is in the book all the same, and is looked at once.
async fn time_is_booked(stack: &Stack) {
    let mut sweeper = sweeper(stack);
    for (seconds, hold, grants) in [
        (1800, "open", ["active", "active", "active"]),
        (1800, "expired", ["active", "active", "active"]),
        (3 * 3600, "expired", ["active", "active", "active"]),
        (3600, "expired", ["active", "active", "expired"]),
    ] {
        stack.evict().await;
        advance(stack, seconds).await;
        sweeper.step().await.expect("both stores answer");
        stack.drain().await;
        let sql = "select state from holds where hold_id = 'frame-1'";
        assert_eq!(in_ledger(stack, sql).await, [hold], "after {seconds} s");
        let sql = "select status from grants order by grant_id = 'rest', grant_id";
        assert_eq!(in_ledger(stack, sql).await, grants, "after {seconds} s");
        let again = sweeper.step().await.expect("both stores answer");
        assert_eq!(again, 0, "after {seconds} s nothing is due any more");
    }
    stack.balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_due_in_a_dropped_account_is_booked() {
    let stack = Stack::start(&["--test-clock=true", "--partitions=1", "--idle-after=0s"]).await;
    with_much_to_come(&stack).await;
    time_is_booked(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_due_after_redis_was_lost_is_booked() {
    let stack = Stack::start(&["--test-clock=true", "--partitions=1", "--idle-after=0s"]).await;
    with_much_to_come(&stack).await;
    let era = stack.service.holds().era(0);
    stack.forget().await;
    let limit = Duration::from_secs(30);
    assert!(stack.service.holds().era_after(0, &era, limit).await);
    time_is_booked(&stack).await;
}

/// A spent grant ends without an event: the ledger must know all the same that it is over, or it would be looked at for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_due_and_changes_nothing_is_looked_at_once() {
    let stack = Stack::start(&["--test-clock=true", "--partitions=1", "--idle-after=0s"]).await;
    fund(&stack.channel(), ACCOUNT, "1000").await;
    let mut grants = GrantServiceClient::new(stack.channel());
    let in_an_hour = prost_types::Duration {
        seconds: 3600,
        nanos: 0,
    };
    let grant = GrantCreditsRequest {
        account_id: ACCOUNT.into(),
        grant_id: "spent".into(),
        kind: GrantKind::Promo.into(),
        amount: "2".into(),
        expiry: Some(Expiry::ExpiresIn(in_an_hour)),
        ..Default::default()
    };
    grants.grant_credits(grant).await.expect("a grant");
    let charge = ChargeRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-0".into(),
        amount: "2".into(),
        ..Default::default()
    };
    let mut metering = MeteringServiceClient::new(stack.channel());
    metering.charge(charge).await.expect("charged");
    stack.evict().await;
    advance(&stack, 3600).await;
    let mut sweeper = sweeper(&stack);
    sweeper.step().await.expect("both stores answer");
    stack.drain().await;
    let again = sweeper.step().await.expect("both stores answer");
    assert_eq!(again, 0, "it was looked at");
    stack.balanced().await;
}

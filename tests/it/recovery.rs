//! Redis loses what it had, in every way that it can: the service recovers without a restart of its own, from the ledger and from what
//! survived in the stream.

use std::time::Duration;

use holdbook::{
    app::Service,
    domain::{
        credits::Credits,
        hold::{HoldRequest, Method},
    },
    holds::{
        Body,
        operation::{self, NEVER_IN_FORCE, Operation, Verb},
    },
    proto::{
        CommitRequest, CreateAccountRequest, Durability, ExtendRequest, GetBalanceRequest,
        GetHoldRequest, GrantCreditsRequest, GrantKind, HoldState, ReleaseRequest, ReserveRequest,
        account_service_client::AccountServiceClient, commit_request::What,
        grant_service_client::GrantServiceClient, metering_service_client::MeteringServiceClient,
    },
    telemetry::Metrics,
};
use tonic::{Code, transport::Channel};

use crate::support::{self, Stack, config};

const ACCOUNT: &str = "acme";

struct Caller {
    accounts: AccountServiceClient<Channel>,
    grants: GrantServiceClient<Channel>,
    metering: MeteringServiceClient<Channel>,
}

impl Caller {
    async fn of(stack: &Stack) -> Self {
        let channel = stack.channel();
        let mut caller = Self {
            accounts: AccountServiceClient::new(channel.clone()),
            grants: GrantServiceClient::new(channel.clone()),
            metering: MeteringServiceClient::new(channel),
        };
        let account = CreateAccountRequest {
            account_id: ACCOUNT.into(),
            ..Default::default()
        };
        caller
            .accounts
            .create_account(account)
            .await
            .expect("an account");
        let grant = GrantCreditsRequest {
            account_id: ACCOUNT.into(),
            grant_id: "topup-1".into(),
            kind: GrantKind::TopUp.into(),
            amount: "1000".into(),
            ..Default::default()
        };
        caller.grants.grant_credits(grant).await.expect("a grant");
        caller
    }

    /// Sends a reserve until it is answered, as clients do.
    async fn reserve(&mut self, hold: &str, durability: Durability) -> bool {
        let reserve = ReserveRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            amount: "2".into(),
            durability: durability.into(),
            ..Default::default()
        };
        loop {
            match self.metering.reserve(reserve.clone()).await {
                Ok(answer)
                    if durability == Durability::Applied
                        || answer.get_ref().durability() == durability =>
                {
                    return answer.into_inner().replayed;
                }
                // Less was reached than asked for: the same again waits again, or does it again if it was lost.
                Ok(_) => {}
                Err(refused) => assert_eq!(refused.code(), Code::Unavailable, "{refused}"),
            }
        }
    }

    async fn commit(&mut self, hold: &str) {
        let commit = CommitRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            what: Some(What::Amount("1.5".into())),
            ..Default::default()
        };
        let answer = self
            .metering
            .commit(commit)
            .await
            .expect("the hold is still open")
            .into_inner();
        assert_eq!(
            (answer.charged.as_str(), answer.released.as_str()),
            ("1.5", "0.5")
        );
    }

    /// Captures 0.5 of a hold that stays open; sent again, it is the same.
    async fn part(&mut self, hold: &str, commit_id: &str) {
        let commit = CommitRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            what: Some(What::Amount("0.5".into())),
            r#final: Some(false),
            commit_id: commit_id.into(),
            ..Default::default()
        };
        let answer = self.metering.commit(commit).await.expect("an answer");
        assert_eq!(answer.into_inner().charged, "0.5");
    }

    async fn release(&mut self, hold: &str) {
        let release = ReleaseRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            ..Default::default()
        };
        self.metering.release(release).await.expect("an answer");
    }

    async fn extend(&mut self, hold: &str, extend_id: &str, amount: &str) {
        let extend = ExtendRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            extend_id: extend_id.into(),
            ttl: Some(prost_types::Duration {
                seconds: 600,
                nanos: 0,
            }),
            amount: Some(amount.into()),
            ..Default::default()
        };
        self.metering.extend(extend).await.expect("an answer");
    }

    async fn balance(&mut self) -> (String, String) {
        let request = GetBalanceRequest {
            account_id: ACCOUNT.into(),
        };
        let balance = self
            .accounts
            .get_balance(request)
            .await
            .expect("an answer")
            .into_inner()
            .balance
            .expect("in it");
        (balance.free, balance.held)
    }

    async fn state(&mut self, hold: &str) -> HoldState {
        let request = GetHoldRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
        };
        self.metering
            .get_hold(request)
            .await
            .expect("an answer")
            .into_inner()
            .hold
            .expect("in it")
            .state()
    }
}

/// Everything was in the ledger: nothing is lost, and nobody restarts anything.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_emptied() {
    let stack = Stack::start(&[]).await;
    let mut caller = Caller::of(&stack).await;
    caller.reserve("frame-1", Durability::Ledger).await;
    caller.reserve("frame-2", Durability::Ledger).await;
    caller.commit("frame-2").await;
    stack.forget().await;
    // Before anybody touched the account, and after.
    stack.balanced().await;
    assert_eq!(caller.balance().await, ("996.5".into(), "2".into()));
    assert_eq!(caller.state("frame-2").await, HoldState::Committed);
    assert!(
        caller.reserve("frame-1", Durability::Applied).await,
        "a repeat of what was before"
    );
    assert!(
        caller.reserve("frame-2", Durability::Applied).await,
        "also of what has ended"
    );
    caller.commit("frame-1").await;
    assert_eq!(caller.balance().await, ("997".into(), "0".into()));
    stack.balanced().await;
}

/// While calls go on: each is answered or told to come again, what was asked for as LEDGER is there, and the books balance.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_emptied_under_load() {
    let stack = Stack::start(&["--partitions=1"]).await;
    let mut caller = Caller::of(&stack).await;
    for round in 0..4 {
        for hold in 0..10 {
            caller
                .reserve(&format!("frame-{round}-{hold}"), Durability::Ledger)
                .await;
        }
        let emptied = async {
            stack.redis_says("FLUSHALL").await;
        };
        let mut other = Caller::of(&stack).await;
        let load = async {
            for hold in 0..10 {
                other
                    .reserve(&format!("load-{round}-{hold}"), Durability::Ledger)
                    .await;
            }
        };
        tokio::join!(emptied, load);
    }
    for round in 0..4 {
        for hold in 0..10 {
            caller.commit(&format!("frame-{round}-{hold}")).await;
            caller.commit(&format!("load-{round}-{hold}")).await;
        }
    }
    assert_eq!(caller.balance().await, ("880".into(), "0".into()));
    stack.balanced().await;
}

/// With its append-only file Redis comes back with all that it acknowledged: what the ledger did not have yet is in the stream.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_and_comes_back() {
    let mut stack = Stack::start(&["--relay-pause=2s"]).await;
    let mut caller = Caller::of(&stack).await;
    for hold in 0..20 {
        caller
            .reserve(&format!("frame-{hold}"), Durability::Applied)
            .await;
    }
    stack.redis.kill().await.expect("killed");
    stack.redis.restart().await.expect("it comes back");
    for hold in 0..20 {
        assert!(
            caller
                .reserve(&format!("frame-{hold}"), Durability::Applied)
                .await,
            "frame-{hold} was acknowledged"
        );
    }
    assert_eq!(caller.balance().await, ("960".into(), "40".into()));
    stack.balanced().await;
}

/// The stream alone is deleted: what the ledger has stands.
#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_deleted() {
    let stack = Stack::start(&["--partitions=1"]).await;
    let mut caller = Caller::of(&stack).await;
    caller.reserve("frame-1", Durability::Ledger).await;
    let client = redis::Client::open(stack.redis.url()).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let streams: Vec<String> = redis::cmd("KEYS")
        .arg("hb:*:log")
        .query_async(&mut connection)
        .await
        .expect("keys");
    let _: i64 = redis::cmd("DEL")
        .arg(&streams)
        .query_async(&mut connection)
        .await
        .expect("deleted");
    let era = stack.service.holds().era(0);
    assert!(
        stack
            .service
            .holds()
            .era_after(0, &era, Duration::from_secs(30))
            .await,
        "the partition was suspected"
    );
    caller.commit("frame-1").await;
    stack.balanced().await;
}

/// A wrong URL must not empty the Redis of another service.
#[tokio::test(flavor = "multi_thread")]
async fn the_redis_of_another_service_is_left_alone() {
    let stack = Stack::start(&[]).await;
    let mut caller = Caller::of(&stack).await;
    let other_ledger = support::postgres_url().await;
    holdbook::ledger::migrate(&other_ledger)
        .await
        .expect("migrations");
    let wrong = config(&stack.redis.url(), &other_ledger, &[]);
    let refused = Service::start(&wrong, Metrics::local().expect("metrics")).await;
    let refused = refused.err().expect("it does not start").to_string();
    assert!(refused.contains("belongs to service"), "{refused}");
    caller.reserve("frame-1", Durability::Applied).await;
    stack.balanced().await;
}

/// Part of Redis went back in time: after the recovery the ledger's word counts, not what Redis still holds.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_an_older_era_is_void() {
    let stack = Stack::start(&["--partitions=1"]).await;
    let mut caller = Caller::of(&stack).await;
    let client = redis::Client::open(stack.redis.url()).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let named = |pattern: &str| redis::cmd("KEYS").arg(pattern).to_owned();
    let [account]: [String; 1] = named("hb:*:a:acme")
        .query_async(&mut connection)
        .await
        .expect("one account");
    let before: Vec<u8> = redis::cmd("HGET")
        .arg(&account)
        .arg("s")
        .query_async(&mut connection)
        .await
        .expect("its state");
    caller.reserve("frame-1", Durability::Ledger).await;
    stack.drain().await;
    let metas: Vec<String> = named("hb:*:meta")
        .query_async(&mut connection)
        .await
        .expect("partitions");
    let mut back = redis::pipe();
    back.atomic()
        .hset(&account, "s", before)
        .ignore()
        .del(metas)
        .ignore();
    let () = back.query_async(&mut connection).await.expect("gone back");
    stack.balanced().await;
    assert_eq!(caller.balance().await, ("998".into(), "2".into()));
    caller.commit("frame-1").await;
    stack.balanced().await;
}

/// Redis comes back with what it had a while ago. What was acknowledged since, and is not in the ledger, is done again from the second
/// copy of the process that acknowledged it; the ledger, which is held back here, hears of it only then.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_redis_that_goes_back() {
    let stack = Stack::start(&["--relay-pause=1s", "--ledger-wait=30s"]).await;
    let mut caller = Caller::of(&stack).await;
    for hold in ["kept", "early", "partly", "late"] {
        caller.reserve(hold, Durability::Ledger).await;
    }
    // The relay has posted just now, and rests.
    for hold in ["new", "both", "gone"] {
        caller.reserve(hold, Durability::Applied).await;
    }
    caller.commit("early").await;
    caller.commit("both").await;
    caller.part("partly", "first").await;
    caller.release("gone").await;
    caller.extend("kept", "longer", "3").await;
    let expected = caller.balance().await;
    stack.redis_says("FLUSHALL").await;
    let found = stack.service.ledger().hold_packed(ACCOUNT, "gone").await;
    assert_eq!(found.expect("an answer"), None, "it was in Redis only");

    assert_eq!(caller.balance().await, expected, "nothing was lost");
    for (hold, state) in [
        ("kept", HoldState::Open),
        ("new", HoldState::Open),
        ("early", HoldState::Committed),
        ("both", HoldState::Committed),
        ("gone", HoldState::Released),
        ("partly", HoldState::Open),
    ] {
        assert_eq!(caller.state(hold).await, state, "{hold}");
    }
    // Once more: what was replayed is itself kept.
    stack.redis_says("FLUSHALL").await;
    assert_eq!(caller.balance().await, expected, "and not twice");
    for hold in ["new", "both", "gone"] {
        assert!(
            caller.reserve(hold, Durability::Ledger).await,
            "{hold}: a repeat"
        );
    }
    caller.part("partly", "first").await;
    assert_eq!(
        caller.balance().await,
        expected,
        "nor by the callers' repeats"
    );
    caller.commit("new").await;
    stack.balanced().await;
}

/// Two processes replay, each what it acknowledged: the end of a hold may come before its reserve.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_does_not_bring_an_ended_hold_back() {
    let stack = Stack::start(&[]).await;
    let mut caller = Caller::of(&stack).await;
    caller.reserve("done", Durability::Applied).await;
    caller.commit("done").await;
    let before = caller.balance().await;
    let reserve = Operation {
        account: ACCOUNT.into(),
        verb: Verb::Reserve {
            hold_id: "done".into(),
            request: HoldRequest {
                method: Method::Reserve,
                amount: Credits::parse("2").expect("an amount"),
                usage: None,
                ttl: None,
                overage: None,
                max_commit: None,
                labels: Vec::new(),
            },
            ttl: 3_600_000_000,
            validate_only: false,
            in_force: NEVER_IN_FORCE,
        },
        caller: operation::Caller::default(),
        remembered: None,
        loaded: Vec::new(),
        step: Vec::new(),
        replay: Some(Box::default()),
    };
    let (_, reply) = stack
        .service
        .memory()
        .run(reserve)
        .await
        .expect("both stores answer");
    assert!(
        matches!(&reply.body, Body::Answer(answer) if answer.reasons.is_empty()),
        "{reply:?}"
    );
    assert_eq!(caller.balance().await, before);
    assert_eq!(caller.state("done").await, HoldState::Committed);
    stack.balanced().await;
}

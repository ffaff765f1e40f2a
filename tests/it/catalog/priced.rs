//! Holds by usage, through gRPC: what is set aside, what is charged, which version prices it, and how a repeat is known.

use holdbook::{
    app::Service,
    proto::{
        ApplyCatalogRequest, CommitRequest, CommitResponse, Durability, ListHoldsRequest,
        ReserveRequest, ReserveResponse, Usage, commit_request::What,
        metering_service_client::MeteringServiceClient,
    },
    telemetry::Metrics,
};
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::shop::{Prices, Shop, small, usage, violations, why};
use crate::support::{self, Frozen, Stack, fund};

const ACCOUNT: &str = "acme";
/// Far less than a process waits for a ledger that stands still, where it is told to have patience.
const PATIENCE: Duration = Duration::from_secs(60);

fn of(text: &str) -> Usage {
    Usage { items: usage(text) }
}

fn to_reserve(hold: &str, text: &str) -> ReserveRequest {
    ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: hold.into(),
        usage: Some(of(text)),
        ..Default::default()
    }
}

fn to_commit(hold: &str, text: &str) -> CommitRequest {
    CommitRequest {
        account_id: ACCOUNT.into(),
        hold_id: hold.into(),
        what: Some(What::Usage(of(text))),
        ..Default::default()
    }
}

impl Shop {
    async fn reserve(&self, request: ReserveRequest) -> Result<ReserveResponse, Status> {
        let mut client = MeteringServiceClient::new(self.stack.channel());
        Ok(client.reserve(request).await?.into_inner())
    }

    async fn commit(&self, request: CommitRequest) -> Result<CommitResponse, Status> {
        let mut client = MeteringServiceClient::new(self.stack.channel());
        Ok(client.commit(request).await?.into_inner())
    }

    /// With an account that has a plan of the product.
    async fn customer(product: &str, plan: &str) -> Self {
        let shop = Self::selling(product).await;
        fund(&shop.stack.channel(), ACCOUNT, "10000").await;
        shop.subscribe(ACCOUNT, plan).await;
        shop
    }

    /// A small catalog at 1 a second, one at 3 in ten seconds, and a hold of ten seconds at 1.
    async fn with_an_open_hold() -> Self {
        let shop = Self::open().await;
        shop.open_a_hold(Durability::Applied).await;
        shop
    }

    async fn open_a_hold(&self, durability: Durability) {
        let shop = self;
        fund(&shop.stack.channel(), ACCOUNT, "10000").await;
        shop.prices.apply(&small("1")).await;
        let mut dearer = ApplyCatalogRequest {
            yaml: small("3"),
            ..Default::default()
        };
        let mut now = shop.advance(1).await;
        now.seconds += 10;
        dearer.effective_at = Some(now);
        shop.prices.ask(dearer).await.expect("a catalog");
        let reserve = ReserveRequest {
            durability: durability.into(),
            ..to_reserve("frame-1", "job 10")
        };
        let held = shop.reserve(reserve).await;
        let hold = held.expect("a hold").hold.expect("it");
        assert_eq!(
            (hold.requested.as_str(), hold.catalog_version),
            ("10", Some(1))
        );
    }

    /// The same call until the partition is open.
    async fn reserve_again(&self, request: ReserveRequest) -> ReserveResponse {
        loop {
            match self.reserve(request.clone()).await {
                Err(status) if status.code() == Code::Unavailable => {}
                answer => return answer.expect("a hold"),
            }
        }
    }
}

/// The fields that differ, of a repeat that is none.
fn differing(refused: &Status) -> String {
    let info = refused.get_details_error_info().expect("a reason");
    assert_eq!(
        (refused.code(), info.reason.as_str()),
        (Code::AlreadyExists, "ID_REUSED")
    );
    info.metadata["fields"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_02_a_reserve_holds_the_most_and_a_commit_charges_exactly() {
    let shop = Shop::customer("studio", "max").await;
    for (hold, before, held, after, charged) in [
        ("image", "image 1", "3", "image 1 price=2", "2"),
        ("video", "video 10", "20", "video 10 model=swift", "8"),
        (
            "both",
            "image 2; video 10",
            "26",
            "image 2 price=2.5; video 9.1 model=classic",
            "17",
        ),
        ("failed", "video 10", "20", "video 0 model=grand", "0"),
        ("nothing", "image 1", "3", "", "0"),
    ] {
        let made = shop.reserve(to_reserve(hold, before)).await;
        let made = made.expect("a hold").hold.expect("it");
        assert_eq!(
            (made.held.as_str(), made.requested.as_str()),
            (held, held),
            "{hold}"
        );
        let done = shop.commit(to_commit(hold, after)).await.expect("a commit");
        assert_eq!(done.charged, charged, "{hold}");
        let kept = done.hold.expect("it");
        // What the ledger says of it is the same.
        let mut client = MeteringServiceClient::new(shop.stack.channel());
        let request = ListHoldsRequest {
            account_id: ACCOUNT.into(),
            page_size: 1,
            ..Default::default()
        };
        let listed = client.list_holds(request).await.expect("its holds");
        assert_eq!(
            listed.into_inner().holds,
            std::slice::from_ref(&kept),
            "{hold}"
        );
        assert_eq!(
            (kept.catalog_version, kept.requested.as_str()),
            (Some(1), held)
        );
    }
    shop.stack.balanced().await;
}

/// creatify 7.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_hold_keeps_its_prices() {
    let shop = Shop::with_an_open_hold().await;
    shop.advance(60).await;
    let new = shop.reserve(to_reserve("frame-2", "job 10")).await;
    let new = new.expect("a hold").hold.expect("it");
    assert_eq!(
        (new.requested.as_str(), new.catalog_version),
        ("30", Some(2))
    );
    for (hold, charged) in [("frame-1", "4"), ("frame-2", "12")] {
        let part = CommitRequest {
            r#final: Some(false),
            commit_id: "part".into(),
            ..to_commit(hold, "job 1")
        };
        let part = shop.commit(part).await.expect("a part");
        let done = shop
            .commit(to_commit(hold, "job 3"))
            .await
            .expect("a commit");
        let sum = [part.charged, done.charged].map(|it| it.parse::<u32>().expect("whole"));
        assert_eq!(sum.iter().sum::<u32>().to_string(), charged, "{hold}");
    }
    // Reserved by amount it has no prices of its own.
    let by_amount = ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-3".into(),
        amount: "5".into(),
        ..Default::default()
    };
    let hold = shop.reserve(by_amount).await.expect("a hold").hold;
    assert_eq!(hold.expect("it").catalog_version, None);
    let done = shop.commit(to_commit("frame-3", "job 1")).await;
    assert_eq!(done.expect("a commit").charged, "3");
    shop.stack.balanced().await;
}

/// Also where Redis has lost it, or expiry has ended it: the ledger and the outcome have the version.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_was_loaded_or_has_expired_keeps_its_prices() {
    let shop = Shop::with_an_open_hold().await;
    let late = shop.reserve(to_reserve("late", "job 10")).await;
    late.expect("a hold");
    shop.advance(60).await;
    shop.stack.forget().await;
    assert!(
        shop.reserve_again(to_reserve("frame-1", "job 10"))
            .await
            .replayed
    );
    let done = shop.commit(to_commit("frame-1", "job 4")).await;
    assert_eq!(done.expect("a commit").charged, "4");
    shop.advance(2 * 3600).await;
    let done = shop.commit(to_commit("late", "job 4")).await.expect("late");
    assert_eq!((done.charged.as_str(), done.late), ("4", true));
    shop.stack.balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_known_by_its_usage_whatever_it_costs_by_now() {
    let shop = Shop::with_an_open_hold().await;
    let part = || CommitRequest {
        r#final: Some(false),
        commit_id: "part".into(),
        ..to_commit("frame-1", "job 2")
    };
    let first = shop.commit(part()).await.expect("a part");
    shop.advance(60).await;
    // Nor does it matter that the meter is no longer sold.
    let other = "catalog: other\nmeters: {task: {unit: second, price: 9}}\n";
    for _ in 0..2 {
        let again = shop.reserve(to_reserve("frame-1", "job 10.0")).await;
        let again = again.expect("a repeat");
        assert!(again.replayed);
        assert_eq!(again.hold.expect("it").requested, "10");
        let again = shop.commit(part()).await.expect("a repeat");
        assert_eq!((again.replayed, &again.charged), (true, &first.charged));
        shop.prices.apply(other).await;
    }
    let refused = shop.reserve(to_reserve("frame-1", "job 11")).await;
    assert_eq!(differing(&refused.expect_err("other usage")), "usage");
    let by_amount = ReserveRequest {
        amount: "10".into(),
        usage: None,
        ..to_reserve("frame-1", "")
    };
    let refused = shop.reserve(by_amount).await.expect_err("an amount");
    assert_eq!(differing(&refused), "amount,usage");
    let mut other = part();
    other.what = Some(What::Usage(of("job 1")));
    let refused = shop.commit(other).await.expect_err("other usage");
    assert_eq!(differing(&refused), "usage");

    let last = shop.commit(to_commit("frame-1", "job 3")).await;
    assert_eq!(last.expect("a commit").charged, "3");
    let again = shop.commit(to_commit("frame-1", "job 3")).await;
    let again = again.expect("a repeat");
    assert_eq!((again.replayed, again.charged.as_str()), (true, "3"));
    let refused = shop.commit(to_commit("frame-1", "job 4")).await;
    assert_eq!(differing(&refused.expect_err("other usage")), "usage");
    shop.stack.balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_price_changes_nothing_and_says_what_is_known() {
    let shop = Shop::customer("studio", "max").await;
    let refused = shop.reserve(to_reserve("frame-1", "immage 1")).await;
    let found = violations(&refused.expect_err("no such meter"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "usage.items[0].meter");
    assert!(
        found[0].1.contains("custom_model, image, video"),
        "{found:?}"
    );
    let both = ReserveRequest {
        amount: "1".into(),
        ..to_reserve("frame-1", "image 1")
    };
    let found = violations(&shop.reserve(both).await.expect_err("both"));
    assert_eq!(found[0].0, "usage");
    shop.reserve(to_reserve("frame-1", "image 1"))
        .await
        .expect("nothing was left behind");
    // Only the run knows, and it is over.
    let refused = shop.commit(to_commit("frame-1", "image 1")).await;
    let found = violations(&refused.expect_err("no price"));
    assert_eq!(found[0].0, "usage.items[0].price", "{found:?}");
    let done = shop.commit(to_commit("frame-1", "image 1 price=2.5")).await;
    assert_eq!(done.expect("a commit").charged, "2.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_catalog_there_are_no_holds_by_usage() {
    let shop = Shop::open().await;
    fund(&shop.stack.channel(), ACCOUNT, "10").await;
    let refused = shop.reserve(to_reserve("frame-1", "job 1")).await;
    let (code, reason, _) = why(&refused.expect_err("no catalog"));
    assert_eq!(
        (code, reason.as_str()),
        (Code::NotFound, "CATALOG_NOT_FOUND")
    );
}

/// Redis loses what the ledger does not have yet: it comes back from the second copy as it was priced, also where that had it from a
/// repeat, which today costs three times as much.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_again_after_a_loss_keeps_its_prices() {
    let more = [
        "--test-clock=true",
        "--max-lifetime=26h",
        "--relay-pause=3s",
        "--ledger-wait=30s",
    ];
    let stack = Stack::start(&more).await;
    let prices = Prices::over(stack.channel());
    let shop = Shop { stack, prices };
    // The relay has posted just now, and rests.
    shop.open_a_hold(Durability::Ledger).await;
    let part = |hold: &str| CommitRequest {
        r#final: Some(false),
        commit_id: "part".into(),
        ..to_commit(hold, "job 2")
    };
    let first = shop.reserve(to_reserve("frame-2", "job 10")).await;
    first.expect("a hold");
    for hold in ["frame-1", "frame-2"] {
        let done = shop.commit(part(hold)).await.expect("a part");
        assert_eq!(done.charged, "2");
    }
    shop.advance(60).await;
    let again = shop.reserve(to_reserve("frame-2", "job 10")).await;
    assert!(again.expect("a repeat").replayed);
    for hold in ["frame-1", "frame-2"] {
        let done = shop.commit(part(hold)).await.expect("a repeat");
        assert!(done.replayed);
    }
    let ledger = shop.stack.service.ledger();
    shop.stack.redis_says("FLUSHALL").await;
    let found = ledger.hold_packed(ACCOUNT, "frame-2").await;
    assert_eq!(found.expect("an answer"), None, "it was in Redis only");

    for hold in ["frame-1", "frame-2"] {
        let again = shop.reserve_again(to_reserve(hold, "job 10")).await;
        assert!(again.replayed, "{hold}");
        let again = again.hold.expect("it");
        let said = (
            again.requested.as_str(),
            again.charged.as_str(),
            again.held.as_str(),
        );
        assert_eq!(said, ("10", "2", "8"), "{hold}");
        assert_eq!(again.catalog_version, Some(1), "{hold}");
        let done = shop.commit(part(hold)).await.expect("a repeat");
        assert_eq!((done.replayed, done.charged.as_str()), (true, "2"));
        let done = shop.commit(to_commit(hold, "job 3")).await;
        assert_eq!(done.expect("a commit").charged, "3", "{hold}");
    }
    shop.stack.balanced().await;
}

/// Nothing was priced here before the ledger stands still, and what is in memory is enough.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_call_by_usage_waits_for_no_ledger_that_stands_still() {
    let mut postgres = support::own_postgres("priced").await;
    let stack = Stack::start_on(
        support::redis().await,
        postgres.url(),
        &["--postgres-timeout=10m"],
    )
    .await;
    let prices = Prices::over(stack.channel());
    let shop = Shop { stack, prices };
    shop.prices.apply(&small("1")).await;
    fund(&shop.stack.channel(), ACCOUNT, "100").await;
    shop.stack.drain().await;
    let pid = postgres.pid().expect("it runs");
    let frozen = Frozen::tree(pid);
    let held = shop.reserve(to_reserve("frame-1", "job 5"));
    let held = tokio::time::timeout(PATIENCE, held).await;
    let held = held.expect("it does not wait").expect("a hold");
    assert_eq!(held.hold.expect("it").held, "5");
    drop(frozen);
    postgres.stop().await.expect("it stops");
}

/// A ledger that went back gave the number of the hold's version to another text.
#[tokio::test(flavor = "multi_thread")]
async fn another_text_under_the_same_number_prices_no_older_hold() {
    let shop = Shop::with_an_open_hold().await;
    let (owner, connection) =
        tokio_postgres::connect(&shop.stack.postgres_url, tokio_postgres::NoTls)
            .await
            .expect("Postgres answers");
    tokio::spawn(connection);
    let other = small("30");
    let sql = "update catalogs set yaml = $1, sha256 = encode(sha256(convert_to($1, 'UTF8')), 'hex') where version = 1";
    let rows = owner.execute(sql, &[&other]).await.expect("an owner may");
    assert_eq!(rows, 1);
    // Another process, which reads what there is now.
    let more = ["--test-clock=true", "--max-lifetime=26h"];
    let config = support::config(&shop.stack.redis.url(), &shop.stack.postgres_url, &more);
    let metrics = Metrics::local().expect("metrics");
    let service = Service::start(&config, metrics).await.expect("it starts");
    let mut client = MeteringServiceClient::new(support::channel_to(service.address()));
    let refused = client.commit(to_commit("frame-1", "job 4")).await;
    let (code, reason, _) = why(&refused.expect_err("no such price"));
    assert_eq!(
        (code, reason.as_str()),
        (Code::NotFound, "CATALOG_NOT_FOUND")
    );
    let by_amount = CommitRequest {
        what: Some(What::Amount("4".into())),
        ..to_commit("frame-1", "")
    };
    let done = client.commit(by_amount).await.expect("a commit");
    assert_eq!(done.into_inner().charged, "4");
    service.stop().await.expect("it stops");
}

/// Postgres is away: what is known is enough, for repeats too.
#[tokio::test(flavor = "multi_thread")]
async fn holds_by_usage_go_on_without_the_ledger() {
    let mut postgres = support::own_postgres("priced").await;
    let stack = Stack::start_on(support::redis().await, postgres.url(), &[]).await;
    let prices = Prices::over(stack.channel());
    let shop = Shop { stack, prices };
    shop.prices.apply(&small("1")).await;
    fund(&shop.stack.channel(), ACCOUNT, "100").await;
    let before = shop.reserve(to_reserve("before", "job 10")).await;
    before.expect("a hold");
    postgres.kill().await.expect("killed");
    let held = shop.reserve(to_reserve("during", "job 5")).await;
    assert_eq!(held.expect("a hold").hold.expect("it").held, "5");
    for (hold, charged) in [("before", "2"), ("during", "2"), ("during", "2")] {
        let done = shop.commit(to_commit(hold, "job 2")).await;
        assert_eq!(done.expect("a commit").charged, charged, "{hold}");
    }
}

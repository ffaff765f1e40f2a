//! The products' sentences on jobs and credits, as callers meet them: what is held, what is charged, from which grant, and what the
//! ledger says of it. Plans and their cycles are `plans`' still.

use holdbook::proto::{
    Balance, CommitRequest, CommitResponse, CreateAccountRequest, GetBalanceRequest,
    GrantCreditsRequest, GrantCreditsResponse, GrantKind, LedgerAccount, ListGrantsRequest,
    ListTransfersRequest, QuoteRequest, ReserveRequest, ReserveResponse, Transfer, Usage,
    account_service_client::AccountServiceClient, commit_request::What,
    grant_credits_request::Expiry, grant_service_client::GrantServiceClient,
    metering_service_client::MeteringServiceClient,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    shop::{Shop, usage, why},
    text,
};

const ACCOUNT: &str = "acme";
const DAY: i64 = 86_400;

/// A shop with one customer.
struct Customer(Shop);

impl Customer {
    async fn of(product: &str, overdraft_limit: &str) -> Self {
        let shop = Shop::selling(product).await;
        let account = CreateAccountRequest {
            account_id: ACCOUNT.into(),
            overdraft_limit: Some(overdraft_limit.into()),
            ..Default::default()
        };
        let mut accounts = AccountServiceClient::new(shop.stack.channel());
        accounts.create_account(account).await.expect("an account");
        Self(shop)
    }

    async fn ask(&self, request: GrantCreditsRequest) -> GrantCreditsResponse {
        let mut grants = GrantServiceClient::new(self.0.stack.channel());
        loop {
            match grants.grant_credits(request.clone()).await {
                // The ledger, which is asked for the id, may follow late.
                Err(status) if status.code() == Code::Unavailable => {}
                granted => return granted.expect("a grant").into_inner(),
            }
        }
    }

    async fn grant(&self, kind: GrantKind, id: &str, amount: &str) -> GrantCreditsResponse {
        self.ask(granted(kind, id, amount)).await
    }

    async fn reserve(&self, hold: &str, text: &str) -> Result<ReserveResponse, Status> {
        let request = ReserveRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            usage: Some(Usage { items: usage(text) }),
            ..Default::default()
        };
        let mut metering = MeteringServiceClient::new(self.0.stack.channel());
        Ok(metering.reserve(request).await?.into_inner())
    }

    async fn commit(&self, hold: &str, text: &str) -> CommitResponse {
        let request = CommitRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            what: Some(What::Usage(Usage { items: usage(text) })),
            ..Default::default()
        };
        let mut metering = MeteringServiceClient::new(self.0.stack.channel());
        metering
            .commit(request)
            .await
            .expect("a commit")
            .into_inner()
    }

    /// Reserve and commit of what the job was to do; what it was charged.
    async fn job(&self, hold: &str, text: &str) -> CommitResponse {
        let held = self.reserve(hold, text).await;
        held.unwrap_or_else(|status| panic!("{text}: {status}"));
        self.commit(hold, text).await
    }

    async fn balance(&self) -> Balance {
        let request = GetBalanceRequest {
            account_id: ACCOUNT.into(),
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        let answer = accounts.get_balance(request).await.expect("a balance");
        answer.into_inner().balance.expect("in it")
    }

    /// The ledger's rows of a hold, or of all, as `reserve free held 10 allowance`.
    async fn rows(&self, hold: &str) -> Vec<String> {
        let request = ListTransfersRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            ..Default::default()
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        let answer = accounts.list_transfers(request).await.expect("rows");
        answer.into_inner().transfers.iter().map(row).collect()
    }

    /// The books balance.
    async fn end(self) {
        self.0.stack.balanced().await;
    }
}

fn granted(kind: GrantKind, id: &str, amount: &str) -> GrantCreditsRequest {
    GrantCreditsRequest {
        account_id: ACCOUNT.into(),
        grant_id: id.into(),
        kind: kind.into(),
        amount: amount.into(),
        ..Default::default()
    }
}

fn row(row: &Transfer) -> String {
    let side = |side: LedgerAccount| {
        let name = side.as_str_name().trim_start_matches("LEDGER_ACCOUNT_");
        name.to_lowercase()
    };
    let (debit, credit) = (side(row.debit()), side(row.credit()));
    let text = format!(
        "{} {debit} {credit} {} {}",
        row.event, row.amount, row.grant_id
    );
    text.trim_end().to_owned()
}

/// By grant, as `10 allowance`.
fn by_grant(charged: &CommitResponse) -> Vec<String> {
    let parts = charged.charged_by_grant.iter();
    parts
        .map(|part| format!("{} {}", part.amount, part.grant_id))
        .collect()
}

/// Not enough credits: what was wanted, and by how much it is short.
fn short_by(refused: &Status) -> String {
    let info = refused.get_details_error_info().expect("a reason");
    assert_eq!(
        (refused.code(), info.reason.as_str()),
        (Code::ResourceExhausted, "INSUFFICIENT_CREDITS")
    );
    assert_eq!(info.metadata["http_status"], "402");
    info.metadata["short_by"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_02_a_top_up_is_spendable_at_once_and_no_cycle_touches_it() {
    let customer = Customer::of("json2video", "0").await;
    let allowance = GrantCreditsRequest {
        expiry: Some(Expiry::ExpiresIn(prost_types::Duration {
            seconds: 30 * DAY,
            nanos: 0,
        })),
        ..granted(GrantKind::Allowance, "allowance", "10")
    };
    customer.ask(allowance).await;
    let topped = customer.grant(GrantKind::TopUp, "top-up", "100").await;
    assert_eq!(topped.grant.expect("it").expires_at, None);
    customer
        .reserve("first", "render 110 resolution=hd")
        .await
        .expect("the first reserve after it");
    let done = customer.commit("first", "render 20 resolution=hd").await;
    assert_eq!(by_grant(&done), ["10 allowance", "10 top-up"]);
    customer.0.advance(30 * DAY).await;
    assert_eq!(customer.balance().await.free, "90");
    customer.0.advance(3000 * DAY).await;
    assert_eq!(customer.balance().await.free, "90");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_03_the_allowance_burns_before_the_top_up() {
    for (seconds, charged, rows, left) in [
        (
            "15",
            &["10 allowance", "5 top-up"][..],
            &[
                "reserve free held 10 allowance",
                "reserve free held 5 top-up",
                "commit held spent 10 allowance",
                "commit held spent 5 top-up",
            ][..],
            "95",
        ),
        (
            "8",
            &["8 allowance"],
            &[
                "reserve free held 8 allowance",
                "commit held spent 8 allowance",
            ],
            "102",
        ),
    ] {
        let customer = Customer::of("json2video", "0").await;
        customer.grant(GrantKind::TopUp, "top-up", "100").await;
        customer
            .grant(GrantKind::Allowance, "allowance", "10")
            .await;
        let job = format!("render {seconds} resolution=hd");
        let done = customer.job("render", &job).await;
        assert_eq!(by_grant(&done), charged);
        assert_eq!(customer.rows("render").await, rows);
        assert_eq!(customer.balance().await.free, left);
        customer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_06_what_is_held_and_charged_is_the_sum_of_the_lines() {
    let customer = Customer::of("json2video", "0").await;
    customer.grant(GrantKind::TopUp, "top-up", "133").await;
    // 90 + 2 + 6 + 20 + 15: as `sold` has the lines.
    let job = "render 45 resolution=full-hd; voice 61; image 3; video_generation 5; render 10 resolution=instagram-story";
    let held = customer.reserve("render", job).await.expect("a hold");
    assert_eq!(held.hold.expect("it").held, "133");
    let refused = customer.reserve("another", "voice 1").await;
    assert_eq!(short_by(&refused.expect_err("nothing is left")), "1");
    assert_eq!(customer.commit("render", job).await.charged, "133");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_11_a_render_that_meets_zero_completes_and_the_next_is_refused_until_a_top_up() {
    let customer = Customer::of("json2video", "0").await;
    customer
        .grant(GrantKind::Allowance, "allowance", "10")
        .await;
    customer
        .reserve("render", "render 10 resolution=hd")
        .await
        .expect("a hold");
    let done = customer.commit("render", "render 25 resolution=hd").await;
    let said = [&done.charged, &done.overdrawn, &done.absorbed];
    assert_eq!(said, ["10", "0", "15"]);
    let balance = customer.balance().await;
    assert_eq!([balance.balance, balance.debt], ["0", "0"]);
    assert_eq!(
        customer.rows("render").await[1..],
        ["commit held spent 10 allowance", "commit absorbed spent 15"]
    );
    let next = "render 1 resolution=sd";
    let refused = customer.reserve("next", next).await;
    assert_eq!(short_by(&refused.expect_err("zero")), "0.5");
    customer.grant(GrantKind::TopUp, "top-up", "0.5").await;
    assert_eq!(customer.job("next", next).await.charged, "0.5");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_13_a_grant_carries_its_payment_and_a_webhook_twice_is_one_grant() {
    let customer = Customer::of("json2video", "0").await;
    for (provider, reference) in [("stripe", "pi_3Nf"), ("adyen", "8515")] {
        let webhook = GrantCreditsRequest {
            provider: provider.into(),
            external_reference: reference.into(),
            ..granted(GrantKind::TopUp, reference, "100")
        };
        assert!(!customer.ask(webhook.clone()).await.replayed);
        let again = customer.ask(webhook).await;
        assert!(again.replayed);
        let grant = again.grant.expect("it");
        assert_eq!(
            (grant.provider.as_str(), grant.external_reference.as_str()),
            (provider, reference)
        );
    }
    assert_eq!(customer.balance().await.free, "200");
    let request = ListGrantsRequest {
        account_id: ACCOUNT.into(),
        ..Default::default()
    };
    let mut grants = GrantServiceClient::new(customer.0.stack.channel());
    let listed = grants.list_grants(request).await.expect("its grants");
    assert_eq!(listed.into_inner().grants.len(), 2);
    assert_eq!(
        customer.rows("").await,
        ["grant issued free 100 pi_3Nf", "grant issued free 100 8515"]
    );
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_03_an_export_takes_the_allowance_and_then_the_top_up() {
    let customer = Customer::of("scriptkit", "0").await;
    customer.grant(GrantKind::TopUp, "top-up", "100").await;
    customer.grant(GrantKind::Allowance, "allowance", "3").await;
    let done = customer.job("export", "export 1 resolution=720p").await;
    assert_eq!(by_grant(&done), ["3 allowance", "2 top-up"]);
    assert_eq!(
        customer.rows("export").await,
        [
            "reserve free held 3 allowance",
            "reserve free held 2 top-up",
            "commit held spent 3 allowance",
            "commit held spent 2 top-up"
        ]
    );
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_03_and_05_started_increments_are_charged_and_the_rest_is_there_at_once() {
    let customer = Customer::of("creatify", "0").await;
    customer.grant(GrantKind::TopUp, "top-up", "100").await;
    for (at, (job, charged, left)) in [
        ("url_to_video 1", "5", "95"),
        ("url_to_video 30", "5", "90"),
        ("url_to_video 30.001", "10", "80"),
        ("url_to_video 61", "15", "65"),
        ("aurora_fast 1", "0.5", "64.5"),
        ("aurora_fast 10.2", "5.5", "59"),
        ("url_to_video 31; url_to_video 31", "20", "39"),
        ("url_to_video 0", "0", "39"),
        ("", "0", "39"),
    ]
    .into_iter()
    .enumerate()
    {
        let done = customer.job(&format!("video-{at}"), job).await;
        assert_eq!(done.charged, charged, "{job}");
        let now = customer.balance().await;
        assert_eq!([now.free.as_str(), now.held.as_str()], [left, "0"], "{job}");
    }
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_prepaid_05_a_purchase_may_be_pending_for_minutes() {
    let customer = Customer::of("openai-prepaid", "10").await;
    let mut starts_at = customer.0.advance(1).await;
    starts_at.seconds += 300;
    let purchase = GrantCreditsRequest {
        starts_at: Some(starts_at),
        ..granted(GrantKind::TopUp, "purchase", "5")
    };
    customer.ask(purchase).await;
    let job = "tokens 1000000 model=large direction=input";
    let balance = customer.balance().await;
    assert_eq!([balance.free, balance.pending], ["0", "5"]);
    customer.0.advance(299).await;
    let refused = customer.reserve("early", job).await;
    assert_eq!(short_by(&refused.expect_err("it is pending")), "2.5");
    assert_eq!(customer.rows("").await, Vec::<String>::new());
    customer.0.advance(1).await;
    assert_eq!(customer.job("early", job).await.charged, "2.5");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_prepaid_06_usage_beyond_the_credits_is_debt_within_a_bound_that_purchases_settle_first()
 {
    let customer = Customer::of("openai-prepaid", "10").await;
    customer.grant(GrantKind::TopUp, "first", "5").await;
    let job = "tokens 1000000 model=large direction=input";
    customer.reserve("one", job).await.expect("a hold");
    // 8 of 5: 3 on debt.
    let more = "tokens 3200000 model=large direction=input";
    let done = customer.commit("one", more).await;
    let said = [&done.charged, &done.overdrawn, &done.absorbed];
    assert_eq!(said, ["5", "3", "0"]);
    let balance = customer.balance().await;
    assert_eq!([balance.balance, balance.debt], ["-3", "3"]);
    for tokens in [1, 1_000_000] {
        let job = format!("tokens {tokens} model=small direction=input");
        let refused = customer.reserve("two", &job).await.expect_err("in debt");
        let (code, reason, _) = why(&refused);
        assert_eq!(
            (code, reason.as_str()),
            (Code::ResourceExhausted, "IN_DEBT")
        );
    }
    // Less than the debt leaves the rest owed, and reserves refused.
    let less = customer.grant(GrantKind::TopUp, "less", "2").await;
    assert_eq!(less.settled, "2");
    assert_eq!(customer.balance().await.balance, "-1");
    let refused = customer.reserve("two", job).await.expect_err("in debt");
    assert_eq!(why(&refused).1, "IN_DEBT");
    let rest = customer.grant(GrantKind::TopUp, "rest", "5").await;
    assert_eq!(rest.settled, "1");
    assert_eq!(
        customer.rows("").await[5..],
        [
            "grant issued free 2 less",
            "grant free debt 2 less",
            "grant issued free 5 rest",
            "grant free debt 1 rest"
        ]
    );
    assert_eq!(customer.balance().await.balance, "4");
    assert_eq!(customer.job("two", job).await.charged, "2.5");
    // The bound: what goes beyond 10 is the platform's.
    customer.reserve("three", "").await.expect("a hold");
    let huge = "tokens 2000000 model=large direction=output";
    let done = customer.commit("three", huge).await;
    let said = [&done.charged, &done.overdrawn, &done.absorbed];
    assert_eq!(said, ["1.5", "10", "8.5"]);
    assert_eq!(customer.balance().await.balance, "-10");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_prepaid_07_usage_that_is_reported_late_is_booked() {
    let customer = Customer::of("openai-prepaid", "10").await;
    customer.grant(GrantKind::TopUp, "first", "5").await;
    let job = "tokens 1000000 model=large direction=input";
    customer.reserve("late", job).await.expect("a hold");
    customer.0.advance(7200).await;
    assert_eq!(customer.balance().await.free, "5");
    let done = customer.commit("late", job).await;
    assert_eq!((done.charged.as_str(), done.late), ("2.5", true));
    assert_eq!(
        customer.rows("late").await,
        [
            "reserve free held 2.5 first",
            "hold_expired held free 2.5 first",
            "commit free spent 2.5 first"
        ]
    );
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_06_an_account_with_a_contract_pays_its_own_prices() {
    let customer = Customer::of("creatify", "0").await;
    customer.grant(GrantKind::TopUp, "top-up", "10000").await;
    let quoted = async |account: &str, text: &str| {
        let request = QuoteRequest {
            account_id: account.into(),
            usage: usage(text),
            exact: true,
            ..Default::default()
        };
        let quote = customer.0.prices.quote(request).await.expect("a quote");
        quote.maximum
    };
    // Ten increments at 5, twenty at 4, one at 3; or all at 4.
    let job = "url_to_video 930; product_image 2";
    for (account, cost) in [
        ("film-group", "136"),
        ("ad-house", "128"),
        (ACCOUNT, "159"),
        ("", "159"),
    ] {
        assert_eq!(quoted(account, job).await, cost, "{account}");
    }
    let held = customer.reserve("before", job).await.expect("a hold");
    assert_eq!(held.hold.expect("it").held, "159");
    // From the next version on the account has a contract; its open hold keeps its prices.
    let contract = text("creatify.yaml").replace("film-group:", "acme:");
    customer.0.prices.apply(&contract).await;
    let held = customer.reserve("after", job).await.expect("a hold");
    assert_eq!(held.hold.expect("it").held, "136");
    let part = "url_to_video 330; product_image 1";
    for (hold, charged) in [("before", "57"), ("after", "55.5")] {
        assert_eq!(customer.commit(hold, part).await.charged, charged, "{hold}");
    }
    customer.end().await;
}

//! The products' sentences on jobs and credits, as callers meet them: what is held, what is charged, from which grant, and what the
//! ledger says of it. Plans and their cycles are `plans`' still.

use holdbook::proto::{
    GrantCreditsRequest, GrantKind, ListGrantsRequest, QuoteRequest,
    grant_service_client::GrantServiceClient,
};
use tonic::Code;

use super::{
    customer::{ACCOUNT, Customer, DAY, by_grant, granted, short_by},
    shop::{usage, why},
    text,
};

/// A customer who has 10 of the month's 600 left; the rest, and the 10 that welcomed him, are used.
async fn allowance_10() -> Customer {
    Customer::with_plan("json2video", "starter", "render 600 resolution=hd").await
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_02_a_top_up_is_spendable_at_once_and_no_cycle_touches_it() {
    let customer = allowance_10().await;
    let topped = customer.grant(GrantKind::TopUp, "top-up", "100").await;
    assert_eq!(topped.grant.expect("it").expires_at, None);
    customer
        .reserve("first", "render 110 resolution=hd")
        .await
        .expect("the first reserve after it");
    let done = customer.commit("first", "render 20 resolution=hd").await;
    assert_eq!(by_grant(&done), ["10 ~plan:1:sub", "10 top-up"]);
    // The next cycle's 600, and what is left of the top-up.
    customer.0.advance(31 * DAY).await;
    assert_eq!(customer.balance().await.free, "690");
    customer.0.advance(3000 * DAY).await;
    assert_eq!(customer.balance().await.free, "690");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_03_the_allowance_burns_before_the_top_up() {
    for (seconds, charged, rows, left) in [
        (
            "15",
            &["10 ~plan:1:sub", "5 top-up"][..],
            &[
                "reserve free held 10 ~plan:1:sub",
                "reserve free held 5 top-up",
                "commit held spent 10 ~plan:1:sub",
                "commit held spent 5 top-up",
            ][..],
            "95",
        ),
        (
            "8",
            &["8 ~plan:1:sub"],
            &[
                "reserve free held 8 ~plan:1:sub",
                "commit held spent 8 ~plan:1:sub",
            ],
            "102",
        ),
    ] {
        let customer = allowance_10().await;
        customer.grant(GrantKind::TopUp, "top-up", "100").await;
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
    let customer = Customer::with_plan(
        "json2video",
        "starter",
        "render 600 resolution=hd; voice 600",
    )
    .await;
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
    let customer = allowance_10().await;
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
        [
            "commit held spent 10 ~plan:1:sub",
            "commit absorbed spent 15"
        ]
    );
    let next = "render 1 resolution=sd";
    let refused = customer.reserve("next", next).await;
    assert_eq!(short_by(&refused.expect_err("zero")), "0.5");
    customer.grant(GrantKind::TopUp, "top-up", "0.5").await;
    assert_eq!(customer.job("next", next).await.charged, "0.5");
    let refused = customer.reserve("reset", next).await;
    assert_eq!(short_by(&refused.expect_err("zero again")), "0.5");
    customer.0.advance(31 * DAY).await;
    let done = customer.job("reset", next).await;
    assert_eq!(by_grant(&done), ["0.5 ~plan:2:sub"]);
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
    assert_eq!(customer.balance().await.free, "210");
    let request = ListGrantsRequest {
        account_id: ACCOUNT.into(),
        ..Default::default()
    };
    let mut grants = GrantServiceClient::new(customer.0.stack.channel());
    let listed = grants.list_grants(request).await.expect("its grants");
    assert_eq!(listed.into_inner().grants.len(), 3);
    assert_eq!(
        customer.rows("").await,
        [
            "grant issued free 10 ~welcome",
            "grant issued free 100 pi_3Nf",
            "grant issued free 100 8515"
        ]
    );
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_03_an_export_takes_the_allowance_and_then_the_top_up() {
    // 1,250 a month.
    let customer = Customer::with_plan("scriptkit", "professional", "upscale 1247").await;
    customer.grant(GrantKind::TopUp, "top-up", "100").await;
    let done = customer.job("export", "export 1 resolution=720p").await;
    assert_eq!(by_grant(&done), ["3 ~plan:1:sub", "2 top-up"]);
    assert_eq!(
        customer.rows("export").await,
        [
            "reserve free held 3 ~plan:1:sub",
            "reserve free held 2 top-up",
            "commit held spent 3 ~plan:1:sub",
            "commit held spent 2 top-up"
        ]
    );
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creatify_03_and_05_started_increments_are_charged_and_the_rest_is_there_at_once() {
    let customer = Customer::with_plan("creatify", "creator", "script 500").await;
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
    let customer = Customer::with_plan("creatify", "creator", "script 500").await;
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
    let held = customer.reserve("earlier", job).await.expect("a hold");
    assert_eq!(held.hold.expect("it").held, "159");
    // From the next version on the account has a contract; its open hold keeps its prices.
    let contract = text("creatify.yaml").replace("film-group:", "acme:");
    customer.0.prices.apply(&contract).await;
    let held = customer.reserve("after", job).await.expect("a hold");
    assert_eq!(held.hold.expect("it").held, "136");
    let part = "url_to_video 330; product_image 1";
    for (hold, charged) in [("earlier", "57"), ("after", "55.5")] {
        assert_eq!(customer.commit(hold, part).await.charged, charged, "{hold}");
    }
    customer.end().await;
}

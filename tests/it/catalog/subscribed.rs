//! The products' sentences on plans, through gRPC and the test clock: what a cycle gives and when, what ends with it, and for what money.

use holdbook::proto::{
    CancelRequest, ChangePlanRequest, CloseAccountRequest, ResumeRequest, SubscriptionState,
    account_service_client::AccountServiceClient,
};

use super::{
    customer::{ACCOUNT, Customer, DAY},
    shop::why,
};

#[tokio::test(flavor = "multi_thread")]
async fn json2video_01_a_cycle_starts_with_its_allowance_and_the_unused_rest_is_forfeited() {
    let customer = Customer::of("json2video", "0").await;
    let begun = customer.subscribe("sub", "starter").await.expect("a plan");
    let it = begun.subscription.expect("it");
    assert_eq!((it.cycle, it.state()), (1, SubscriptionState::Active));
    // With the 10 that welcomed him, which burn first.
    assert_eq!(customer.balance().await.free, "610");
    customer.job("one", "render 110 resolution=hd").await;
    let until = it.until.expect("an end").seconds - it.since.expect("a start").seconds;
    customer.0.advance(until - 1).await;
    assert_eq!(customer.balance().await.free, "500");
    customer.0.advance(1).await;
    assert_eq!(customer.balance().await.free, "600");
    assert_eq!(
        customer.rows("").await,
        [
            "grant issued free 10 ~welcome",
            "grant issued free 600 ~plan:1:sub",
            "reserve free held 10 ~welcome",
            "reserve free held 100 ~plan:1:sub",
            "commit held spent 10 ~welcome",
            "commit held spent 100 ~plan:1:sub",
            "grant_expired free breakage 500 ~plan:1:sub",
            "grant issued free 600 ~plan:2:sub",
        ]
    );
    assert_eq!(customer.bills().await, ["period 1 19.95", "period 2 19.95"]);
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_cycles_that_nobody_looked_at_are_there_at_once_and_in_order() {
    let customer = Customer::of("json2video", "0").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    // Ten years: more than one step.
    customer.0.advance(3653 * DAY).await;
    assert_eq!(customer.balance().await.free, "610");
    let rows = customer.rows("").await;
    assert_eq!(rows.len(), 100, "a page");
    for (at, row) in rows[1..].iter().enumerate() {
        let cycle = at / 2 + 1;
        let expected = match at % 2 {
            0 => format!("grant issued free 600 ~plan:{cycle}:sub"),
            _ => format!("grant_expired free breakage 600 ~plan:{cycle}:sub"),
        };
        assert_eq!(*row, expected);
    }
    let bills = customer.bills().await;
    assert_eq!(bills[99], "period 100 19.95");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_10_a_downgrade_waits_a_cancellation_waits_and_closing_waits_for_both() {
    let customer = Customer::of("json2video", "0").await;
    let begun = customer.subscribe("sub", "business").await.expect("a plan");
    let end = begun.subscription.expect("it").until;
    let change = ChangePlanRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "sub".into(),
        change_id: "down".into(),
        plan: "starter".into(),
        ..Default::default()
    };
    let changed = customer.plans().change_plan(change.clone()).await;
    let changed = changed.expect("a change").into_inner();
    let it = changed.subscription.expect("it");
    assert_eq!(
        (it.plan.as_str(), it.next_plan.as_str()),
        ("business", "starter")
    );
    assert_eq!(it.paid_until, end);
    assert_eq!(changed.change.expect("it").holds_from, end);
    let again = customer.plans().change_plan(change.clone()).await;
    assert!(again.expect("a repeat").into_inner().replayed);
    let cancel = CancelRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "sub".into(),
        change_id: "cancel".into(),
        ..Default::default()
    };
    let cancelled = customer.plans().cancel(cancel).await.expect("cancelled");
    let it = cancelled.into_inner().subscription.expect("it");
    assert_eq!(it.state(), SubscriptionState::Cancelled);
    let close = CloseAccountRequest {
        account_id: ACCOUNT.into(),
        durability: 0,
    };
    let mut accounts = AccountServiceClient::new(customer.0.stack.channel());
    let refused = accounts
        .close_account(close.clone())
        .await
        .expect_err("active");
    assert_eq!(why(&refused).1, "SUBSCRIPTION_ACTIVE");
    let resume = ResumeRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "sub".into(),
        change_id: "resume".into(),
        durability: 0,
    };
    let resumed = customer.plans().resume(resume).await.expect("resumed");
    let it = resumed.into_inner().subscription.expect("it");
    assert_eq!(it.state(), SubscriptionState::Active);
    customer.0.advance(31 * DAY).await;
    assert_eq!(customer.balance().await.free, "610");
    let cancel = CancelRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "sub".into(),
        change_id: "again".into(),
        ..Default::default()
    };
    customer.plans().cancel(cancel).await.expect("cancelled");
    customer.0.advance(31 * DAY).await;
    assert_eq!(customer.balance().await.free, "10");
    accounts.close_account(close).await.expect("closed");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_04_what_is_unused_rolls_over_once_and_burns_first() {
    let customer = Customer::of("studio", "0").await;
    customer.subscribe("sub", "max").await.expect("a plan");
    assert_eq!(
        customer.balance().await.free,
        "0",
        "it waits for its payment"
    );
    customer.paid("sub", 1).await;
    customer.job("one", "image 50 price=2").await;
    assert_eq!(customer.balance().await.free, "300");
    customer.0.advance(30 * DAY).await;
    customer.paid("sub", 2).await;
    assert_eq!(customer.balance().await.free, "700");
    customer.end().await;
}

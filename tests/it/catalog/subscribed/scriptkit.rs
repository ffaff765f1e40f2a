//! Scripts to video: features, storage, years, refunds.

use holdbook::proto::{
    GrantKind, PaidBy, RefundSubscriptionRequest, SubscribeRequest, SubscriptionState,
    change_level_request::Change, purchase_credits_request::What as Buy,
};
use tonic::Code;

use super::refused;
use crate::catalog::{
    customer::{ACCOUNT, Customer, DAY, by_grant},
    shop::{small, violations, why},
};

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_01_plans_and_their_years() {
    for (plan, credits, storage, month, year) in [
        ("starter", "400", "2", "29", "313"),
        ("professional", "1250", "10", "89", "961"),
        ("studio", "3000", "50", "199", "2149"),
    ] {
        let customer = Customer::of("scriptkit", "0").await;
        customer.subscribe("sub", plan).await.expect("a plan");
        assert_eq!(customer.balance().await.free, credits);
        assert_eq!(customer.bills().await, [format!("period 1 {month}")]);
        let all = Change::Allocate(storage.into());
        customer.level("all", "storage", all).await.expect("room");
        let more = Change::Allocate("0.000001".into());
        let more = customer.level("more", "storage", more).await;
        assert_eq!(why(&more.expect_err("full")).1, "CAPACITY_LIMIT");
        customer.cancel("cancel", true).await;
        let request = SubscribeRequest {
            account_id: ACCOUNT.into(),
            subscription_id: "year".into(),
            plan: plan.into(),
            paid_by: PaidBy::Year.into(),
            ..Default::default()
        };
        customer.plans().subscribe(request).await.expect("a year");
        assert_eq!(customer.bills().await[1..], [format!("period 1 {year}")]);
        assert_eq!(customer.balance().await.free, credits);
        customer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_02_nothing_is_carried_and_top_ups_never_expire_and_burn_last() {
    for (pack, credits, price) in [
        ("top_up_100", "100", "10"),
        ("top_up_300", "300", "25"),
        ("top_up_1000", "1000", "75"),
        ("top_up_2500", "2500", "150"),
    ] {
        let customer = Customer::of("scriptkit", "0").await;
        customer.subscribe("sub", "starter").await.expect("a plan");
        let bought = customer.buy("pack", Buy::Pack(pack.into()), "").await;
        let bought = bought.expect("a pack");
        assert_eq!(
            [bought.amount.as_str(), bought.price.as_str()],
            [credits, price]
        );
        assert_eq!(bought.grant.expect("it").expires_at, None);
        let done = customer.job("one", "upscale 1").await;
        assert_eq!(by_grant(&done), ["1 ~plan:1:sub"]);
        // 399 unused carry 0.
        customer.0.advance(31 * DAY).await;
        assert_eq!(customer.kind(GrantKind::Allowance).await, ["400", "400"]);
        customer.change("up", "studio").await.expect("an upgrade");
        customer.0.advance(3000 * DAY).await;
        assert_eq!(customer.kind(GrantKind::TopUp).await, [credits, credits]);
        customer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_04_storage_is_a_capacity() {
    let customer = Customer::of("scriptkit", "0").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    let to = |level: &str| Change::To(level.into());
    customer.level("1", "storage", to("2")).await.expect("full");
    assert_eq!(refused(&customer, "job", "image 1").await, "CAPACITY_LIMIT");
    assert_eq!(customer.balance().await.free, "400");
    // What needs no room is not refused.
    customer
        .change("up", "professional")
        .await
        .expect("an upgrade");
    let free = customer.balance().await.free;
    customer.job("image", "image 1 price=1").await;
    let left = customer.balance().await.free;
    let credits = |text: &str| text.parse::<rust_decimal::Decimal>().expect("credits");
    assert_eq!(credits(&free) - credits(&left), rust_decimal::Decimal::ONE);
    customer
        .level("2", "storage", to("9.5"))
        .await
        .expect("more");
    // Downgrading below use deletes nothing and blocks new generation.
    customer.change("down", "starter").await.expect("scheduled");
    customer.0.advance(31 * DAY).await;
    assert_eq!(
        refused(&customer, "job", "upscale 1").await,
        "CAPACITY_LIMIT"
    );
    let less = Change::Free("7.500001".into());
    customer.level("3", "storage", less).await.expect("freed");
    customer.job("job", "upscale 1").await;
    assert_eq!(customer.balance().await.free, "399");
    // The same change is one; a level is never below nothing.
    let again = customer.level("2", "storage", to("9.5")).await;
    assert_eq!(again.expect("a repeat"), "9.5");
    let below = Change::Free("2".into());
    let below = customer.level("4", "storage", below).await;
    assert_eq!(below.expect_err("below 0").code(), Code::InvalidArgument);
    // A lost account is loaded with its plan and its levels.
    customer.level("5", "storage", to("2")).await.expect("full");
    customer.0.stack.forget().await;
    assert_eq!(
        refused(&customer, "next", "image 1").await,
        "CAPACITY_LIMIT"
    );
    // A change is a repeat also when the catalog no longer knows the level.
    customer.0.prices.apply(&small("1")).await;
    let again = customer.level("5", "storage", to("2")).await;
    assert_eq!(again.expect("a repeat"), "2");
    let new = customer.level("6", "storage", to("1")).await;
    assert_eq!(violations(&new.expect_err("unknown"))[0].0, "capacity");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_05_features_by_plan() {
    let export = "export 1 resolution=720p";
    let scene = "advanced_scene 1";
    for (plan, exports, scenes) in [
        ("starter", false, false),
        ("professional", true, false),
        ("studio", true, true),
    ] {
        let customer = Customer::of("scriptkit", "0").await;
        customer.subscribe("sub", plan).await.expect("a plan");
        for (job, allowed) in [(export, exports), (scene, scenes)] {
            match allowed {
                true => drop(customer.reserve(job, job).await),
                false => assert_eq!(
                    refused(&customer, "job", job).await,
                    "FEATURE_NOT_IN_PLAN",
                    "{plan}: {job}"
                ),
            }
        }
        customer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_06_changes_no_pause_and_data_for_thirty_days() {
    let customer = Customer::of("scriptkit", "0").await;
    let begun = customer.subscribe("sub", "starter").await.expect("a plan");
    let end = begun.subscription.expect("it").until;
    let up = customer.change("up", "studio").await.expect("up");
    let up = up.change.expect("it");
    assert_eq!((up.charge.as_str(), up.credit.as_str()), ("199", "29"));
    let down = customer.change("down", "professional").await.expect("down");
    assert_eq!(down.change.expect("it").holds_from, end);
    customer.cancel("cancel", false).await;
    customer.0.advance(31 * DAY).await;
    let it = customer.subscription().await;
    assert_eq!(it.state(), SubscriptionState::Ended);
    assert_eq!(it.since, end);
    let days = it.keep_data_until.expect("it").seconds - it.since.expect("it").seconds;
    assert_eq!(days, 30 * DAY);
    assert_eq!(
        refused(&customer, "job", "upscale 1").await,
        "PLAN_INACTIVE,INSUFFICIENT_CREDITS"
    );
    // Any time again.
    customer.0.advance(100 * DAY).await;
    customer.subscribe("again", "starter").await.expect("again");
    customer.job("job", "upscale 1").await;
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scriptkit_07_the_first_subscriptions_money_comes_back_within_seven_days() {
    let refund = async |customer: &Customer, id: &str| {
        let request = RefundSubscriptionRequest {
            account_id: ACCOUNT.into(),
            subscription_id: id.into(),
            change_id: "refund".into(),
            durability: 0,
        };
        let answer = customer.plans().refund_subscription(request).await;
        answer.map(|answer| answer.into_inner())
    };
    let customer = Customer::of("scriptkit", "0").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    customer.job("used", "upscale 150").await;
    customer.0.advance(7 * DAY - 1).await;
    let refunded = refund(&customer, "sub").await.expect("in time");
    assert_eq!(refunded.change.expect("it").credit, "29");
    assert_eq!(customer.balance().await.free, "0");
    assert_eq!(
        customer.rows("").await.last().expect("rows"),
        "revoke free issued 250 ~plan:1:sub"
    );
    assert!(refund(&customer, "sub").await.expect("a repeat").replayed);
    customer
        .subscribe("second", "starter")
        .await
        .expect("again");
    let second = refund(&customer, "second").await.expect_err("the second");
    assert_eq!(why(&second).1, "NON_REFUNDABLE");
    let late = Customer::of("scriptkit", "0").await;
    late.subscribe("sub", "starter").await.expect("a plan");
    late.0.advance(7 * DAY).await;
    let refused = refund(&late, "sub").await.expect_err("too late");
    assert_eq!(why(&refused).1, "NON_REFUNDABLE");
    customer.end().await;
    late.end().await;
}

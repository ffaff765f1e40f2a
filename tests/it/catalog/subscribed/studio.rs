//! A studio: rollover, packs, capacities, payments.

use holdbook::proto::{
    GrantKind, PaidBy, SubscribeRequest, SubscriptionState, change_level_request::Change,
    purchase_credits_request::What as Buy,
};

use super::{close, refused};
use crate::catalog::{
    customer::{ACCOUNT, Customer, DAY, by_grant},
    shop::{violations, why},
};

/// 2028-02-29T00:00:00Z.
const LEAP_DAY: i64 = 1_835_395_200;

#[tokio::test(flavor = "multi_thread")]
async fn studio_01_tiers_and_the_number_of_custom_models() {
    for (plan, credits, models) in [
        ("plus", "120", 1),
        ("max", "400", 3),
        ("generative", "900", 10),
        ("team", "6000", 50),
    ] {
        let customer = Customer::of("studio", "0").await;
        customer.0.subscribe(ACCOUNT, plan).await;
        assert_eq!(
            customer.kind(GrantKind::Allowance).await,
            [credits, credits]
        );
        let all = Change::Allocate(models.to_string());
        let level = customer.level("all", "custom_models", all).await;
        assert_eq!(level.expect("room"), models.to_string());
        let one = || Change::Allocate("1".into());
        let more = customer.level("more", "custom_models", one()).await;
        assert_eq!(why(&more.expect_err("full")).1, "CAPACITY_LIMIT");
        assert_eq!(
            refused(&customer, "train", "custom_model 1").await,
            "CAPACITY_LIMIT"
        );
        let less = Change::Free("1".into());
        let level = customer.level("less", "custom_models", less).await;
        assert_eq!(level.expect("freed"), (models - 1).to_string());
        customer
            .reserve("train", "custom_model 1")
            .await
            .expect("room");
        customer.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_03_months_of_30_days_and_years_by_the_calendar() {
    let customer = Customer::of("studio", "0").await;
    customer.subscribe("sub", "max").await.expect("a plan");
    let first = customer.subscription().await;
    let length = |it: &holdbook::proto::Subscription| {
        it.until.expect("it").seconds - it.since.expect("it").seconds
    };
    assert_eq!(length(&first), 30 * DAY);
    customer.0.advance(90 * DAY).await;
    let fourth = customer.subscription().await;
    assert_eq!(fourth.cycle, 4);
    assert_eq!(
        fourth.since.expect("it").seconds,
        first.since.expect("it").seconds + 90 * DAY
    );
    customer.cancel("cancel", true).await;
    // 40 % off 12 times 30; credits still monthly.
    let request = SubscribeRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "year".into(),
        plan: "max".into(),
        paid_by: PaidBy::Year.into(),
        ..Default::default()
    };
    let begun = customer.plans().subscribe(request).await.expect("a year");
    let it = begun.into_inner().subscription.expect("it");
    assert_eq!(it.price, "216");
    let days = (it.paid_until.expect("it").seconds - it.since.expect("it").seconds) / DAY;
    assert!((365..=366).contains(&days), "{days}");
    assert!((28 * DAY..=31 * DAY).contains(&length(&it)));
    customer.paid("year", it.cycle).await;
    assert_eq!(customer.kind(GrantKind::Allowance).await[0], "400");
    customer.0.advance(length(&it)).await;
    // The second month of the year needs no payment of its own; the first month's rest rolled over.
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["400", "400"]);
    assert_eq!(customer.kind(GrantKind::Rollover).await, ["400", "400"]);
    let bills = customer.bills().await;
    assert_eq!(bills.last().expect("one"), "period 1 216");
    // A year from the 29th of February ends with the 28th.
    customer.cancel_of("year", "cancel").await;
    let now = customer.balance().await.as_of.expect("it").seconds;
    customer.0.advance(LEAP_DAY - now).await;
    let leap = SubscribeRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "leap".into(),
        plan: "max".into(),
        paid_by: PaidBy::Year.into(),
        ..Default::default()
    };
    let begun = customer.plans().subscribe(leap).await.expect("a year");
    let it = begun.into_inner().subscription.expect("it");
    assert_eq!(it.paid_until.expect("it").seconds, LEAP_DAY + 365 * DAY);
    customer.end().await;
}

/// The other setting: the same day of each month, the 31st clamped to a shorter month's end, and back.
#[tokio::test(flavor = "multi_thread")]
async fn studio_03_calendar_months_from_the_31st() {
    let customer = Customer::of("json2video", "0").await;
    let now = customer.0.advance(1).await.seconds;
    let january = 1_801_353_600; // 2027-01-31T00:00:00Z
    customer.0.advance(january - now).await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    let mut begun = january;
    for (cycle, days) in [(1, 28), (2, 31), (3, 30), (4, 31), (5, 30)] {
        let it = customer.subscription().await;
        assert_eq!(it.cycle, cycle);
        assert_eq!(it.since.expect("it").seconds, begun);
        assert_eq!(it.until.expect("it").seconds, begun + days * DAY, "{cycle}");
        begun += days * DAY;
        customer.0.advance(days * DAY).await;
    }
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_04_what_is_unused_rolls_over_once_and_burns_first() {
    let customer = Customer::of("studio", "0").await;
    customer.subscribe("sub", "max").await.expect("a plan");
    let waits = customer.balance().await;
    assert_eq!(waits.free, "0", "it waits for its payment");
    customer.paid("sub", 1).await;
    customer.job("first", "image 150 price=2").await;
    customer.0.advance(30 * DAY).await;
    customer.paid("sub", 2).await;
    assert_eq!(customer.balance().await.available, "500");
    let done = customer.job("second", "image 50 price=3").await;
    assert_eq!(
        by_grant(&done),
        ["100 ~rollover:~plan:1:sub", "50 ~plan:2:sub"]
    );
    // 350 of the second month roll; a part of them is left at the third's end, and does not roll again.
    customer.0.advance(30 * DAY).await;
    customer.paid("sub", 3).await;
    assert_eq!(customer.balance().await.available, "750");
    customer.job("third", "image 50 price=2").await;
    customer.0.advance(30 * DAY).await;
    assert_eq!(customer.kind(GrantKind::Rollover).await, ["400", "400"]);
    assert_eq!(
        customer.rows("").await.last().expect("rows"),
        "grant_expired free free 400 ~plan:3:sub"
    );
    // Team's cap: 3,000 of its 6,000; what is cut is breakage.
    let team = Customer::of("studio", "0").await;
    team.0.subscribe(ACCOUNT, "team").await;
    team.0.advance(30 * DAY).await;
    assert_eq!(
        team.rows("").await[1..],
        [
            "grant_expired free free 3000 ~plan:1:sub",
            "grant_expired free breakage 3000 ~plan:1:sub"
        ]
    );
    customer.end().await;
    team.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_05_packs_stack_and_last_until_the_account_is_closed() {
    let customer = Customer::of("studio", "0").await;
    customer.0.subscribe(ACCOUNT, "max").await;
    let pack = || Buy::Pack("pack_100".into());
    customer.buy("pack", pack(), "").await.expect("a pack");
    assert_eq!(customer.balance().await.free, "500");
    customer.0.advance(3650 * DAY).await;
    assert_eq!(customer.kind(GrantKind::TopUp).await, ["100", "100"]);
    customer.cancel("cancel", true).await;
    close(&customer).await.expect("closed");
    assert_eq!(
        customer.rows("").await.last().expect("rows"),
        "account_closed free breakage 100 pack"
    );
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_06_packs_have_the_price_of_the_plan_at_the_purchase() {
    let customer = Customer::of("studio", "0").await;
    customer.0.subscribe(ACCOUNT, "plus").await;
    let (hundred, five) = (Buy::Pack("pack_100".into()), Buy::Pack("pack_500".into()));
    let price = async |id: &str, what: &Buy| {
        let bought = customer.buy(id, what.clone(), "").await;
        bought.expect("a pack").price
    };
    assert_eq!(price("plus-100", &hundred).await, "10");
    assert_eq!(price("plus-500", &five).await, "41");
    customer.change("up", "max").await.expect("an upgrade");
    // 20 % off; with the pack's own 18 % one after the other.
    assert_eq!(price("max-100", &hundred).await, "8");
    assert_eq!(price("max-500", &five).await, "32.8");
    // What was bought keeps its price, however often it is told.
    let again = customer.buy("plus-500", five, "").await.expect("a repeat");
    assert!(again.replayed);
    assert_eq!([again.price, again.amount], ["41", "500"]);
    let other = customer
        .buy("plus-100", Buy::Pack("pack_500".into()), "")
        .await;
    assert_eq!(why(&other.expect_err("another")).1, "ID_REUSED");
    let unknown = customer.buy("new", Buy::Pack("pack_7".into()), "").await;
    let found = violations(&unknown.expect_err("none"));
    assert_eq!(found[0].0, "pack");
    assert!(found[0].1.contains("pack_100, pack_500"), "{found:?}");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_08_up_and_down_within_a_cycle_never_grants_an_allowance_twice() {
    let customer = Customer::of("studio", "0").await;
    customer.0.subscribe(ACCOUNT, "max").await;
    let up = customer.change("up-1", "generative").await.expect("up");
    assert_eq!(up.change.expect("it").granted, "500");
    for round in 0..3 {
        let down = customer.change(&format!("down-{round}"), "max").await;
        assert_eq!(down.expect("scheduled").change.expect("it").granted, "0");
        let up = customer
            .change(&format!("up-again-{round}"), "generative")
            .await;
        assert_eq!(up.expect("no change").change.expect("it").granted, "0");
    }
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["900", "900"]);
    customer.change("down", "max").await.expect("scheduled");
    customer.0.advance(30 * DAY).await;
    customer.paid("sub", 2).await;
    // The new amount; what rolled over keeps its expiry.
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["400", "400"]);
    assert_eq!(customer.kind(GrantKind::Rollover).await, ["900", "900"]);
    customer.0.advance(30 * DAY - 1).await;
    assert_eq!(customer.kind(GrantKind::Rollover).await, ["900", "900"]);
    customer.0.advance(1).await;
    assert_eq!(customer.kind(GrantKind::Rollover).await, ["400", "400"]);
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_09_a_cancelled_plan_holds_to_the_periods_end_and_resuming_grants_nothing_twice() {
    let customer = Customer::of("studio", "0").await;
    customer.0.subscribe(ACCOUNT, "max").await;
    for round in 0..3 {
        customer.cancel(&format!("cancel-{round}"), false).await;
        customer
            .job(&format!("job-{round}"), "image 1 price=2")
            .await;
        customer.resume(&format!("resume-{round}")).await;
    }
    assert_eq!(customer.balance().await.free, "394");
    customer.cancel("cancel", false).await;
    customer.0.advance(30 * DAY - 1).await;
    customer.job("last", "image 1 price=2").await;
    customer.0.advance(1).await;
    assert_eq!(
        customer.subscription().await.state(),
        SubscriptionState::Ended
    );
    assert_eq!(refused(&customer, "late", "image 1").await, "PLAN_INACTIVE");
    assert_eq!(customer.bills().await, ["period 1 30"]);
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_10_credits_come_with_the_payment() {
    let customer = Customer::of("studio", "0").await;
    customer.subscribe("sub", "max").await.expect("a plan");
    assert_eq!(
        refused(&customer, "job", "image 1").await,
        "INSUFFICIENT_CREDITS"
    );
    for _ in 0..2 {
        customer.paid("sub", 1).await;
        assert_eq!(customer.balance().await.free, "400");
    }
    customer.0.advance(30 * DAY).await;
    assert!(customer.subscription().await.awaiting_payment);
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["0", "0"]);
    customer.paid("sub", 2).await;
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["400", "400"]);
    customer.end().await;
}

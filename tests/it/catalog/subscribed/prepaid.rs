//! Plans that are asked for, modes of paying, and purchases.

use holdbook::proto::{GrantKind, SubscribeRequest, purchase_credits_request::What as Buy};

use super::refused;
use crate::catalog::{
    customer::{ACCOUNT, Customer, DAY, by_grant, short_by},
    shop::{Shop, violations, why},
};

#[tokio::test(flavor = "multi_thread")]
async fn creatify_01_without_an_active_plan_nothing_is_reserved_whatever_the_balance() {
    let customer = Customer::of("creatify", "0").await;
    customer.grant(GrantKind::TopUp, "top-up", "1000").await;
    assert_eq!(refused(&customer, "job", "script 1").await, "PLAN_INACTIVE");
    let amount = customer.reserve_amount("job", "1").await;
    assert_eq!(why(&amount.expect_err("no plan")).1, "PLAN_INACTIVE");
    for (plan, credits, price) in [("creator", "500", "99"), ("business", "2000", "299")] {
        let it = customer.subscribe(plan, plan).await.expect("a plan");
        assert_eq!(it.change.expect("it").charge, price);
        assert_eq!(
            customer.kind(GrantKind::Allowance).await,
            [credits, credits]
        );
        customer.job(plan, "script 1").await;
        let request = holdbook::proto::CancelRequest {
            account_id: ACCOUNT.into(),
            subscription_id: plan.into(),
            change_id: "cancel".into(),
            at_once: true,
            durability: 0,
        };
        customer.plans().cancel(request).await.expect("cancelled");
    }
    let enterprise = |credits: Option<&str>, price: Option<&str>| SubscribeRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "custom".into(),
        plan: "enterprise".into(),
        allowance: credits.map(str::to_owned),
        price: price.map(str::to_owned),
        ..Default::default()
    };
    let missing = customer.plans().subscribe(enterprise(None, None)).await;
    let found = violations(&missing.expect_err("custom"));
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["allowance", "price"]);
    let custom = enterprise(Some("12345.5"), Some("4999.99"));
    let it = customer.plans().subscribe(custom).await.expect("custom");
    let it = it.into_inner().subscription.expect("it");
    assert_eq!([it.allowance, it.price], ["12345.5", "4999.99"]);
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_prepaid_01_arrears_take_prepaid_credits_first_and_are_not_left_in_debt() {
    let customer = Customer::fresh("openai-prepaid").await;
    let account = customer.account().await;
    assert_eq!([account.overdraft_limit, account.credit_limit], ["10", "0"]);
    customer.subscribe("sub", "invoiced").await.expect("a plan");
    let account = customer.account().await;
    assert_eq!(
        [account.overdraft_limit, account.credit_limit],
        ["120", "100"]
    );
    customer.grant(GrantKind::TopUp, "prepaid", "5").await;
    let job = "tokens 4000000 model=large direction=input";
    customer.reserve("job", job).await.expect("on the limit");
    let done = customer.commit("job", job).await;
    let said = [&done.charged, &done.overdrawn, &done.absorbed];
    assert_eq!(said, ["5", "5", "0"]);
    // Not back to prepaid while that is owed.
    let back = customer.change("back", "pay_as_you_go").await;
    assert_eq!(why(&back.expect_err("debt is open")).1, "IN_DEBT");
    assert_eq!(customer.subscription().await.plan, "invoiced");
    customer.grant(GrantKind::TopUp, "invoice", "5").await;
    customer
        .change("back", "pay_as_you_go")
        .await
        .expect("settled");
    let account = customer.account().await;
    assert_eq!([account.overdraft_limit, account.credit_limit], ["10", "0"]);
    assert_eq!(
        refused(&customer, "next", job).await,
        "INSUFFICIENT_CREDITS"
    );
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_prepaid_02_purchases_have_a_minimum_and_a_maximum_by_trust() {
    let customer = Customer::fresh("openai-prepaid").await;
    let buy = async |id: &str, amount: &str, tier: &str| {
        customer.buy(id, Buy::Amount(amount.into()), tier).await
    };
    let small = violations(&buy("small", "4.999999", "new").await.expect_err("small"));
    assert_eq!(small, [("amount".into(), "must be at least 5".into())]);
    for (tier, most) in [
        ("new", 50),
        ("tier_1", 100),
        ("tier_2", 500),
        ("tier_5", 10_000),
    ] {
        let above = buy(tier, &format!("{most}.000001"), tier).await;
        let found = violations(&above.expect_err("above"));
        let bound = format!("must be at most {most} in the trust tier {tier}");
        assert_eq!(found, [("amount".into(), bound)]);
        let bought = buy(tier, &most.to_string(), tier).await.expect("the most");
        assert_eq!(
            [bought.amount, bought.price],
            [most.to_string(), most.to_string()]
        );
    }
    let unknown = violations(&buy("x", "5", "vip").await.expect_err("unknown"));
    assert_eq!(unknown[0].0, "trust_tier");
    assert_eq!(customer.balance().await.free, "10650");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_prepaid_03_purchased_credits_expire_after_a_year_and_are_not_refundable() {
    let customer = Customer::fresh("openai-prepaid").await;
    // 2027 to 2028: the 29th of February of the second year is bought on.
    let now = customer.0.advance(1).await.seconds;
    let leap = 1_835_395_200; // 2028-02-29T00:00:00Z
    customer
        .buy("first", Buy::Amount("10".into()), "new")
        .await
        .expect("bought");
    customer.0.advance(leap - now).await;
    assert_eq!(
        customer.balance().await.free,
        "0",
        "more than a year has passed"
    );
    let bought = customer.buy("leap", Buy::Amount("10".into()), "new").await;
    let grant = bought.expect("bought").grant.expect("it");
    let end = 1_866_931_200; // 2029-02-28T00:00:00Z
    assert_eq!(grant.expires_at.expect("it").seconds, end);
    customer.0.advance(30 * DAY).await;
    customer
        .buy("later", Buy::Amount("10".into()), "new")
        .await
        .expect("bought");
    let done = customer
        .job("job", "tokens 4800000 model=large direction=input")
        .await;
    assert_eq!(by_grant(&done), ["10 leap", "2 later"]);
    customer
        .buy("last", Buy::Amount("10".into()), "new")
        .await
        .expect("bought");
    let status = customer.revoke("last").await.expect_err("non-refundable");
    assert_eq!(why(&status).1, "NON_REFUNDABLE");
    // Exclusive: at the instant it is gone.
    let clock = customer.balance().await.as_of.expect("it").seconds;
    customer
        .buy("end", Buy::Amount("5".into()), "new")
        .await
        .expect("bought");
    customer
        .0
        .advance(365 * DAY - (clock - leap - 30 * DAY) - 1)
        .await;
    assert_eq!(customer.balance().await.free, "23");
    customer.0.advance(1).await;
    assert_eq!(customer.balance().await.free, "0");
    let none = customer
        .reserve("none", "tokens 1 model=large direction=input")
        .await;
    assert_eq!(short_by(&none.expect_err("expired")), "0.000003");
    customer.end().await;
}

/// What a plan caps is counted by the hour, day and month of the calendar, with what open holds may still cost.
#[tokio::test(flavor = "multi_thread")]
async fn spend_caps_count_what_is_spent_and_what_is_held_in_each_window() {
    const CAPPED: &str = "catalog: capped
meters:
  job: {unit: second, price: 1}
plans:
  small: {allowance: 1000, spend_caps: {hour: 10, day: 25, month: 40}}
";
    let customer = Customer(Shop::open().await);
    customer.0.prices.apply(CAPPED).await;
    customer.open_account().await;
    customer.subscribe("sub", "small").await.expect("a plan");
    // To the beginning of an hour, at noon of a month's first day.
    let now = customer.0.advance(1).await.seconds;
    let begin = 1_814_443_200; // 2027-07-01T12:00:00Z
    customer.0.advance(begin - now).await;
    let capped = async |hold: &str, job: &str, window: &str| {
        use tonic_types::StatusExt;
        let status = customer.reserve(hold, job).await.expect_err(job);
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "SPEND_CAP");
        assert_eq!(info.metadata["window"], window);
        [
            info.metadata["spent"].clone(),
            info.metadata["held"].clone(),
        ]
    };
    // Held counts as spent, and less than was held is less spent.
    customer.reserve("a", "job 6").await.expect("6 of 10");
    assert_eq!(capped("b", "job 4.000001", "hour").await, ["0", "6"]);
    assert_eq!(customer.commit("a", "job 5").await.charged, "5");
    customer.reserve("b", "job 5").await.expect("10 of 10");
    assert_eq!(capped("c", "job 0.000001", "hour").await, ["5", "5"]);
    customer.release("b").await;
    customer.job("c", "job 5").await;
    // A lost account is loaded with what was spent.
    customer.0.stack.forget().await;
    assert_eq!(capped("d", "job 1", "hour").await, ["10", "0"]);
    customer.0.advance(3599).await;
    assert_eq!(capped("d", "job 1", "hour").await, ["10", "0"]);
    customer.0.advance(1).await;
    customer.job("d", "job 10").await;
    customer.0.advance(3600).await;
    assert_eq!(capped("e", "job 6", "day").await, ["20", "0"]);
    customer.job("e", "job 5").await;
    customer.0.advance(3600).await;
    assert_eq!(capped("f", "job 1", "day").await, ["25", "0"]);
    customer.0.advance(9 * 3600).await;
    customer.job("f", "job 10").await;
    customer.0.advance(3600).await;
    assert_eq!(capped("g", "job 6", "month").await, ["35", "0"]);
    customer.job("g", "job 5").await;
    // A renewal is no new month.
    customer.0.advance(20 * DAY).await;
    assert_eq!(capped("h", "job 1", "month").await, ["40", "0"]);
    let first_of_august = 1_817_078_400; // 2027-08-01T00:00:00Z
    let now = customer.balance().await.as_of.expect("it").seconds;
    customer.0.advance(first_of_august - now - 1).await;
    assert_eq!(capped("h", "job 1", "month").await, ["40", "0"]);
    customer.0.advance(1).await;
    customer.job("h", "job 10").await;
    customer.end().await;
}

//! Video by templates: an allowance that ends with its month, limits by plan, top-ups, changes.

use holdbook::proto::{GrantKind, SubscriptionState};

use super::{close, refused};
use crate::catalog::{
    customer::{Customer, DAY},
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
async fn json2video_04_a_new_account_is_welcomed_once_and_has_the_free_plans_limits() {
    let customer = Customer::of("json2video", "0").await;
    assert_eq!(customer.balance().await.free, "10");
    assert_eq!(customer.rows("").await, ["grant issued free 10 ~welcome"]);
    assert_eq!(customer.bills().await, Vec::<String>::new());
    let long = "render 60.5 resolution=sd";
    assert_eq!(
        refused(&customer, "long", long).await,
        "DURATION_LIMIT,INSUFFICIENT_CREDITS"
    );
    let large = "render 1 resolution=full-hd";
    assert_eq!(refused(&customer, "large", large).await, "RESOLUTION_LIMIT");
    assert_eq!(customer.balance().await.held, "0");
    customer.job("fits", "render 10 resolution=hd").await;
    // Once: neither a cycle nor a subscription welcomes him again.
    customer.0.advance(62 * DAY).await;
    assert_eq!(customer.balance().await.free, "0");
    customer.subscribe("sub", "free").await.expect("a plan");
    assert_eq!(customer.balance().await.free, "10");
    // The free plan's credits come once in a cycle.
    customer.job("all", "render 10 resolution=hd").await;
    customer.cancel("cancel", true).await;
    let again = customer.subscribe("again", "free").await.expect_err("soon");
    assert_eq!(why(&again).1, "PLAN_UNAVAILABLE");
    customer.0.advance(31 * DAY).await;
    customer
        .subscribe("again", "free")
        .await
        .expect("a cycle later");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_05_the_balance_shows_all_at_one_instant() {
    let customer = Customer::of("json2video", "50").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    customer.grant(GrantKind::TopUp, "top-up", "100").await;
    customer.job("one", "render 110 resolution=hd").await;
    customer
        .reserve("two", "render 20 resolution=hd")
        .await
        .expect("a hold");
    let balance = customer.balance().await;
    let shown = [&balance.balance, &balance.held, &balance.debt];
    assert_eq!(shown, ["580", "20", "0"]);
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["600", "480"]);
    assert_eq!(customer.kind(GrantKind::TopUp).await, ["100", "100"]);
    // All of it spent, the allowance is still known.
    customer.job("rest", "render 480 resolution=hd").await;
    customer.commit("two", "render 20 resolution=hd").await;
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["600", "0"]);
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_07_concurrency() {
    let customer = Customer::of("json2video", "0").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    let job = "render 1 resolution=hd";
    for ended in ["committed", "released", "expired"] {
        for hold in ["a", "b"] {
            let hold = format!("{ended}-{hold}");
            customer.reserve(&hold, job).await.expect("one of two");
        }
        let third = format!("{ended}-c");
        assert_eq!(refused(&customer, &third, job).await, "CONCURRENCY_LIMIT");
        match ended {
            "committed" => drop(customer.commit("committed-a", job).await),
            "released" => customer.release("released-a").await,
            _ => drop(customer.0.advance(2 * 3600).await),
        }
        customer.reserve(&third, job).await.expect("after an end");
        for hold in ["a", "b", "c"] {
            customer.release(&format!("{ended}-{hold}")).await;
        }
    }
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_08_too_long_or_too_large_holds_nothing() {
    let customer = Customer::of("json2video", "0").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    let at_the_limit = "render 600 resolution=full-hd; render 1 resolution=instagram-story";
    assert_eq!(
        refused(&customer, "job", at_the_limit).await,
        "INSUFFICIENT_CREDITS"
    );
    let long = "render 600.000001 resolution=sd";
    assert_eq!(refused(&customer, "job", long).await, "DURATION_LIMIT");
    let free = Customer::of("json2video", "0").await;
    for resolution in ["full-hd", "instagram-story"] {
        let large = format!("render 1 resolution={resolution}");
        assert_eq!(refused(&free, "job", &large).await, "RESOLUTION_LIMIT");
    }
    for resolution in ["sd", "hd", "squared"] {
        let job = format!("render 1 resolution={resolution}");
        free.job(resolution, &job).await;
    }
    assert_eq!(customer.balance().await.held, "0");
    assert_eq!(customer.rows("job").await, Vec::<String>::new());
    customer.end().await;
    free.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_09_an_upgrade_is_at_once_and_its_credits_and_money_are_prorated() {
    let customer = Customer::of("json2video", "0").await;
    let begun = customer.subscribe("sub", "starter").await.expect("a plan");
    let it = begun.subscription.expect("it");
    let days = (it.until.expect("it").seconds - it.since.expect("it").seconds) / DAY;
    let long = "render 601 resolution=sd";
    assert_eq!(refused(&customer, "long", long).await, "DURATION_LIMIT");
    // Six days before its end: 6 of the month's days are left.
    customer.0.advance((days - 6) * DAY).await;
    let changed = customer.change("up", "business").await.expect("an upgrade");
    let change = changed.change.expect("it");
    let cents = |price: i64| (2 * price * 6 + days) / (2 * days);
    let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
    let (credit, charge) = (money(cents(1995)), money(cents(7995)));
    let trimmed = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    assert_eq!(change.credit, trimmed(&credit));
    assert_eq!(change.charge, trimmed(&charge));
    // 2,400 more, for what is left of the cycle, down to the micro-credit.
    let more = 2_400_000_000 * 6 / days;
    let granted = format!("{}.{:06}", more / 1_000_000, more % 1_000_000);
    assert_eq!(change.granted, trimmed(&granted));
    // Limits at once.
    customer.job("long", long).await;
    // The same change twice grants once.
    let before = customer.balance().await;
    let again = customer.change("up", "business").await.expect("a repeat");
    assert!(again.replayed);
    assert_eq!(again.change.expect("it"), change);
    let anew = customer
        .change("up-2", "business")
        .await
        .expect("no change");
    assert!(!anew.change.expect("it").changed);
    assert_eq!(customer.balance().await.free, before.free);
    let bills = customer.bills().await;
    assert_eq!(bills[0], "period 1 19.95");
    assert_eq!(
        bills[1],
        format!("change 1 {} -{}", trimmed(&charge), trimmed(&credit))
    );
    customer.0.advance(6 * DAY).await;
    assert_eq!(customer.kind(GrantKind::Allowance).await, ["3000", "3000"]);
    assert_eq!(customer.bills().await[2], "period 2 79.95");
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json2video_10_a_downgrade_waits_a_cancellation_waits_and_closing_waits_for_both() {
    let customer = Customer::of("json2video", "0").await;
    let begun = customer.subscribe("sub", "business").await.expect("a plan");
    let end = begun.subscription.expect("it").until;
    let changed = customer.change("down", "starter").await.expect("a change");
    let it = changed.subscription.expect("it");
    assert_eq!(
        (it.plan.as_str(), it.next_plan.as_str()),
        ("business", "starter")
    );
    assert_eq!(it.paid_until, end);
    assert_eq!(changed.change.expect("it").holds_from, end);
    assert!(
        customer
            .change("down", "starter")
            .await
            .expect("it")
            .replayed
    );
    let it = customer.cancel("cancel", false).await;
    assert_eq!(it.state(), SubscriptionState::Cancelled);
    let active = close(&customer).await.expect_err("active");
    assert_eq!(why(&active).1, "SUBSCRIPTION_ACTIVE");
    let it = customer.resume("resume").await;
    assert_eq!(it.state(), SubscriptionState::Active);
    customer.0.advance(31 * DAY).await;
    assert_eq!(customer.balance().await.free, "610");
    // A change that is taken back does not come.
    customer.change("free", "free").await.expect("a change");
    customer.keep("keep").await;
    customer.0.advance(31 * DAY).await;
    assert_eq!(customer.subscription().await.plan, "starter");
    customer.cancel("again", false).await;
    customer.0.advance(31 * DAY).await;
    assert_eq!(customer.balance().await.free, "10");
    close(&customer).await.expect("closed");
    customer.end().await;
}

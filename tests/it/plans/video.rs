//! json2video: a monthly allowance without rollover; the plans of creatify, and the year of openai-prepaid's purchases.

use holdbook::{
    domain::{credits::Credits, grant::GrantKind, plan::CreditsOnUpgrade},
    plans::{Bill, Command, Done, Ended, PaidBy, Phase, When, Why},
};

use super::{Story, at, credits, money, terms, wish};

const STARTER: (&str, &str, PaidBy) = ("json2video", "starter", PaidBy::Cycle);

fn starter(date: &str) -> Story {
    let (product, plan, paid_by) = STARTER;
    Story::of(product, plan, paid_by, date)
}

fn to(plan: &str) -> Command {
    Command::ChangePlan(terms("json2video", plan, PaidBy::Cycle))
}

#[test]
fn json2video_01_each_cycle_starts_with_its_allowance_and_the_rest_of_the_last_is_forfeited() {
    let mut story = starter("2027-01-31");
    assert_eq!(story.available("2027-01-31"), "600");
    story.account.spend(credits("250"));
    assert_eq!(story.available("2027-02-28T11:59:59.999999Z"), "350");
    assert_eq!(story.available("2027-02-28"), "600");
    assert_eq!(story.account.breakage.to_string(), "350");
    assert_eq!(story.available("2027-03-31"), "600");
    assert_eq!(story.account.breakage.to_string(), "950");
    let grants = story.grants();
    let ids: Vec<_> = grants.iter().map(|grant| grant.grant_id.as_str()).collect();
    assert_eq!(ids, ["~plan:1:sub-1", "~plan:2:sub-1", "~plan:3:sub-1"]);
    assert!(grants.iter().all(|grant| grant.rolls.is_none()));
    assert_eq!(story.charges(), [money("19.95"); 3]);
}

#[test]
fn json2video_02_a_cycles_end_does_not_touch_a_top_up() {
    let mut story = starter("2027-04-01");
    story.account.top_up(credits("100"));
    story.until(at("2027-06-01"));
    assert_eq!(story.account.free_of(GrantKind::TopUp).to_string(), "100");
    assert_eq!(story.account.free().to_string(), "700");
}

#[test]
fn json2video_04_the_free_plan_needs_no_payment() {
    let mut story = Story::of("json2video", "free", PaidBy::Cycle, "2027-04-01");
    assert_eq!(story.available("2027-04-01"), "10");
    assert_eq!(story.available("2027-05-01"), "10");
    assert_eq!(story.bills(), []);
    assert_eq!(story.plans(), [(at("2027-04-01"), "free".to_owned())]);
}

/// April has 30 days; on the 11th, 20 are left: 19.95 x 20 / 30 = 13.30, 79.95 x 20 / 30 = 53.30.
#[test]
fn json2video_09_an_upgrade_is_at_once_and_gives_back_the_days_left() {
    let mut story = starter("2027-04-01");
    story.account.spend(credits("600"));
    story.changed(&to("business"), "2027-04-11");
    assert_eq!(
        story.bills()[1..],
        [Bill::Change {
            cycle: 1,
            credit: money("13.30"),
            charge: money("53.30"),
        }]
    );
    let since = (at("2027-04-11"), "business".to_owned());
    assert_eq!(story.plans()[1..], [since]);
    assert_eq!(story.account.free().to_string(), "1600");
    let more = story.grants().pop().expect("a grant");
    assert_eq!(more.grant_id, "~plan:1+6:sub-1");
    assert_eq!(more.expires_at, at("2027-05-01"));
    story.unchanged(&to("business"), "2027-04-11");
    story.unchanged(&to("business"), "2027-04-12");
    assert_eq!(story.available("2027-05-01"), "3000");
    assert_eq!(story.charges(), [money("19.95"), money("79.95")]);
    assert_eq!(story.it.paid, money("139.90"));
}

#[test]
fn json2video_09_credits_on_upgrade_are_a_setting() {
    for (setting, granted) in [
        (CreditsOnUpgrade::Full, "3000"),
        (CreditsOnUpgrade::Difference, "2400"),
        (CreditsOnUpgrade::ProratedDifference, "1600"),
        (CreditsOnUpgrade::None, "0"),
    ] {
        let mut story = starter("2027-04-01");
        let mut business = terms("json2video", "business", PaidBy::Cycle);
        assert_eq!(
            business.credits_on_upgrade,
            CreditsOnUpgrade::ProratedDifference
        );
        business.credits_on_upgrade = setting;
        let upgrade = Command::ChangePlan(business);
        story.changed(&upgrade, "2027-04-11");
        story.unchanged(&upgrade, "2027-04-11");
        let more = story.account.free() - credits("600");
        assert_eq!(more.to_string(), granted, "{setting:?}");
    }
}

#[test]
fn json2video_10_a_downgrade_is_at_the_periods_end_and_can_be_taken_back() {
    let mut story = Story::of("json2video", "business", PaidBy::Cycle, "2027-04-01");
    story.changed(&to("starter"), "2027-04-11");
    story.unchanged(&to("starter"), "2027-04-12");
    let scheduled = story.it.change.as_ref().map(|terms| terms.plan.as_str());
    assert_eq!(
        (scheduled, story.it.changes_at()),
        (Some("starter"), Some(at("2027-05-01")))
    );
    assert_eq!((story.plans().len(), story.bills().len()), (1, 1));
    story.changed(&Command::CancelScheduledChange, "2027-04-13");
    story.unchanged(&Command::CancelScheduledChange, "2027-04-13");
    assert_eq!(story.available("2027-05-01"), "3000");

    story.changed(&to("starter"), "2027-05-11");
    assert_eq!(story.available("2027-05-31"), "3000");
    assert_eq!(story.available("2027-06-01"), "600");
    let since = (at("2027-06-01"), "starter".to_owned());
    assert_eq!(story.plans()[1..], [since]);
    let charges = ["79.95", "79.95", "19.95"].map(money);
    assert_eq!(story.charges(), charges);
    assert_eq!(story.it.change, None);
}

#[test]
fn json2video_10_a_downgrade_keeps_the_day_of_the_month() {
    let mut story = Story::of("json2video", "business", PaidBy::Cycle, "2027-01-31");
    story.changed(&to("starter"), "2027-02-10");
    story.until(at("2027-03-31"));
    let starts: Vec<_> = story.grants().iter().map(|it| it.starts_at).collect();
    assert_eq!(starts, ["2027-01-31", "2027-02-28", "2027-03-31"].map(at));
}

#[test]
fn json2video_10_a_cancellation_is_at_the_periods_end() {
    let mut story = starter("2027-04-01");
    story.changed(&Command::Cancel(When::PeriodEnd), "2027-04-11");
    story.unchanged(&Command::Cancel(When::PeriodEnd), "2027-04-12");
    assert_eq!(story.it.changes_at(), Some(at("2027-05-01")));
    assert_eq!(story.available("2027-04-30"), "600");
    assert_eq!(story.available("2027-05-01"), "0");
    let ended = Ended {
        at: at("2027-05-01"),
        why: Why::Cancelled,
    };
    assert_eq!(story.it.phase, Phase::Ended(ended));
    assert_eq!(
        story.plans().pop(),
        Some((at("2027-05-01"), "none".to_owned()))
    );
    assert_eq!(story.charges(), [money("19.95")]);
    story.until(at("2028-05-01"));
    assert_eq!(story.grants().len(), 1);
}

/// A command at the very instant of a renewal is one of the new cycle.
#[test]
fn json2video_10_at_the_instant_of_a_renewal_it_is_too_late_for_the_last_cycle() {
    let mut story = Story::of("json2video", "business", PaidBy::Cycle, "2027-04-01");
    story.changed(&Command::Cancel(When::PeriodEnd), "2027-05-01");
    assert_eq!(story.it.changes_at(), Some(at("2027-06-01")));
    assert_eq!(story.charges().len(), 2);
    let last = "2027-05-31T11:59:59.999999Z";
    story.changed(&Command::Resume, last);
    assert_eq!(story.available("2027-06-01"), "3000");
}

/// An upgrade in the last microsecond costs nothing to the cent, and grants what is left of a micro-credit: nothing.
#[test]
fn json2video_09_an_upgrade_at_the_ends_of_a_period_is_all_or_nothing() {
    for (date, credit, granted) in [
        ("2027-04-01", Some(("19.95", "79.95")), "3000"),
        ("2027-05-01T11:59:59.999999Z", None, "600"),
        ("2027-05-01", Some(("19.95", "79.95")), "3000"),
    ] {
        let mut story = starter("2027-04-01");
        story.changed(&to("business"), date);
        let change = credit.map(|(credit, charge)| Bill::Change {
            cycle: if date == "2027-04-01" { 1 } else { 2 },
            credit: money(credit),
            charge: money(charge),
        });
        let told = story
            .bills()
            .into_iter()
            .find(|bill| matches!(bill, Bill::Change { .. }));
        assert_eq!(told, change, "{date}");
        assert_eq!(story.account.free().to_string(), granted, "{date}");
    }
}

#[test]
fn creatify_01_plans_are_monthly_and_none_is_left_after_the_end() {
    for (plan, allowance, price) in [("creator", "500", "99"), ("business", "2000", "299")] {
        let mut story = Story::of("creatify", plan, PaidBy::Cycle, "2027-01-31");
        assert_eq!(story.available("2027-02-27"), allowance);
        assert_eq!(story.available("2027-02-28"), allowance);
        assert_eq!(story.charges(), [money(price), money(price)]);
        story.account.top_up(credits("100"));
        story.changed(&Command::Cancel(When::PeriodEnd), "2027-03-01");
        assert_eq!(story.available("2027-03-31"), "100");
        assert_eq!(
            story.plans().pop(),
            Some((at("2027-03-31"), "none".to_owned()))
        );
    }
}

/// Enterprise: credits and money are agreed with each account.
#[test]
fn creatify_01_an_enterprise_has_what_was_agreed() {
    let mut agreed = terms("creatify", "business", PaidBy::Cycle);
    agreed.plan = "enterprise".to_owned();
    agreed.allowance = credits("12345.5");
    (agreed.price, agreed.list_price) = (money("1500.50"), money("1500.50"));
    let mut story = Story::of("creatify", "business", PaidBy::Cycle, "2027-04-01");
    let upgrade = Command::ChangePlan(agreed.clone());
    assert_eq!(story.does(&upgrade, at("2027-04-16")), Ok(Done::Changed));
    let Some(Bill::Change { credit, charge, .. }) = story.bills().pop() else {
        panic!("no money was told");
    };
    assert_eq!((credit, charge), (money("149.50"), money("750.25")));
    let more = Credits::from_micro((12_345_500_000 - 2_000_000_000) / 2);
    assert_eq!(story.account.free(), credits("2000") + more);
    let story = Story::begin(&wish(agreed), at("2027-04-01"));
    assert_eq!(story.account.free().to_string(), "12345.5");
}

#[test]
fn openai_prepaid_03_purchased_credits_expire_after_one_year() {
    let expires = crate::catalog::product("openai-prepaid")
        .purchases
        .expect("purchases")
        .expires;
    for (bought, expected) in [("2027-03-15", "2028-03-15"), ("2028-02-29", "2029-02-28")] {
        assert_eq!(expires.after(at(bought)), Some(at(expected)));
    }
}

/// The plan of an account that pays as it goes has no credits and no money: nothing is ever told but that it holds.
#[test]
fn openai_prepaid_01_a_plan_without_credits_tells_only_that_it_holds() {
    let mut story = Story::of(
        "openai-prepaid",
        "pay_as_you_go",
        PaidBy::Cycle,
        "2027-04-01",
    );
    story.until(at("2028-04-01"));
    assert_eq!(story.told.len(), 1);
    let invoiced = terms("openai-prepaid", "invoiced", PaidBy::Cycle);
    story.changed(&Command::ChangePlan(invoiced), "2028-04-02");
    assert_eq!(
        story.plans().pop(),
        Some((at("2028-04-02"), "invoiced".to_owned()))
    );
    assert_eq!(story.told.len(), 2);
}

//! studio: 30 days, years, rollover, and credits with the payment.

use holdbook::{
    domain::{
        grant::GrantKind,
        plan::{CreditsOnUpgrade, GrantOn},
    },
    plans::{Bill, Command, Done, PaidBy, Period, Refusal, When},
};

use super::{Story, at, credits, money, terms, wish};

fn studio(plan: &str, date: &str) -> Story {
    Story::of("studio", plan, PaidBy::Cycle, date)
}

fn to(plan: &str) -> Command {
    Command::ChangePlan(terms("studio", plan, PaidBy::Cycle))
}

#[test]
fn studio_01_each_tier_has_its_credits_in_each_cycle() {
    for (plan, allowance) in [
        ("plus", "120"),
        ("max", "400"),
        ("generative", "900"),
        ("team", "6000"),
    ] {
        let mut story = studio(plan, "2027-01-10");
        story.until(at("2027-02-09"));
        let granted: Vec<_> = story
            .grants()
            .iter()
            .map(|it| it.amount.to_string())
            .collect();
        assert_eq!(granted, [allowance; 2]);
    }
}

#[test]
fn studio_03_monthly_plans_renew_every_30_days_from_the_subscribe_instant() {
    let mut story = studio("max", "2027-01-31T08:15:30.123456Z");
    story.until(at("2027-05-30"));
    let starts: Vec<_> = story.grants().iter().map(|it| it.starts_at).collect();
    let expected = ["2027-01-31", "2027-03-02", "2027-04-01", "2027-05-01"];
    assert_eq!(
        starts,
        expected.map(|day| at(&format!("{day}T08:15:30.123456Z")))
    );
}

#[test]
fn studio_03_the_other_setting_clamps_to_the_months_end_and_comes_back() {
    let mut story = Story::of("scriptkit", "starter", PaidBy::Cycle, "2028-01-31");
    story.until(at("2028-05-31"));
    let starts: Vec<_> = story.grants().iter().map(|it| it.starts_at).collect();
    let days = [
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
        "2028-05-31",
    ];
    assert_eq!(starts, days.map(at));
}

/// 30 a month for twelve months, 40 % off: 216.
#[test]
fn studio_03_yearly_plans_renew_on_the_same_day_and_credits_still_come_monthly() {
    let mut story = Story::of("studio", "max", PaidBy::Year, "2028-02-29");
    story.until(at("2029-03-01"));
    assert_eq!(story.charges(), [money("216"), money("216")]);
    let paid = story.bills().into_iter().map(|bill| match bill {
        Bill::Charge { cycle, period, .. } => (cycle, period),
        other => panic!("{other:?}"),
    });
    let year = |from, until| Period {
        from: at(from),
        until: at(until),
    };
    let expected = [
        (1, year("2028-02-29", "2029-02-28")),
        (13, year("2029-02-28", "2030-02-28")),
    ];
    assert_eq!(paid.collect::<Vec<_>>(), expected);
    let grants = story.grants();
    assert_eq!(grants.len(), 13);
    assert!(grants.iter().all(|grant| grant.amount == credits("400")));
    assert_eq!(grants[1].starts_at, at("2028-03-29"));
    assert_eq!(grants[12].starts_at, at("2029-02-28"));
}

#[test]
fn studio_04_unused_credits_roll_over_for_30_days_and_burn_first() {
    let mut story = studio("max", "2027-01-01");
    story.account.spend(credits("300"));
    assert_eq!(story.available("2027-01-31"), "500");
    assert_eq!(
        story.account.free_of(GrantKind::Rollover).to_string(),
        "100"
    );
    story.account.spend(credits("150"));
    assert_eq!(story.account.free_of(GrantKind::Rollover).to_string(), "0");
    assert_eq!(
        story.account.free_of(GrantKind::Allowance).to_string(),
        "350"
    );
    assert_eq!(story.account.breakage.to_string(), "0");
}

#[test]
fn studio_04_rolled_credits_do_not_roll_again() {
    let mut story = studio("max", "2027-01-01");
    story.account.spend(credits("300"));
    assert_eq!(story.available("2027-03-01T11:59:59.999999Z"), "500");
    // The 100 are over after 30 days; of the second cycle 400 are rolled.
    assert_eq!(story.available("2027-03-02"), "800");
    assert_eq!(story.account.breakage.to_string(), "100");
}

#[test]
fn studio_04_a_cap_cuts_what_rolls() {
    let mut story = studio("team", "2027-01-01");
    story.account.spend(credits("1000"));
    assert_eq!(story.available("2027-01-31"), "9000");
    assert_eq!(
        story.account.free_of(GrantKind::Rollover).to_string(),
        "3000"
    );
    assert_eq!(story.account.breakage.to_string(), "2000");
    // Each cycle has the whole cap: of the second, 3,000 roll when those of the first end.
    assert_eq!(story.available("2027-03-02"), "9000");
    assert_eq!(story.account.breakage.to_string(), "8000");
}

/// The cap is of the cycle, however many grants it has: of plus's 120 all may roll, so of the 5,880 more 2,880 may.
#[test]
fn studio_04_a_cap_is_shared_by_the_grants_of_a_cycle() {
    let mut story = studio("plus", "2027-01-01");
    story.changed(&to("team"), "2027-01-02");
    assert_eq!(story.available("2027-01-31"), "9000");
    assert_eq!(
        story.account.free_of(GrantKind::Rollover).to_string(),
        "3000"
    );
    assert_eq!(story.account.breakage.to_string(), "3000");
}

#[test]
fn studio_08_an_upgrade_grants_the_new_credits_right_away() {
    let mut story = studio("max", "2027-01-01");
    story.account.spend(credits("400"));
    story.changed(&to("generative"), "2027-01-31T11:59:59Z");
    assert_eq!(story.account.free().to_string(), "500");
}

#[test]
fn studio_08_down_and_up_within_a_cycle_never_grants_a_full_allowance_twice() {
    let mut story = studio("max", "2027-01-01");
    story.changed(&to("plus"), "2027-01-05");
    // Back to what it has: the downgrade stays scheduled, and is taken back by its own verb.
    story.unchanged(&to("max"), "2027-01-06");
    assert_eq!(
        story.it.change.as_ref().map(|it| it.plan.as_str()),
        Some("plus")
    );
    // Up: the downgrade is forgotten.
    story.changed(&to("generative"), "2027-01-07");
    assert_eq!(story.it.change, None);
    story.changed(&to("max"), "2027-01-08");
    story.unchanged(&to("generative"), "2027-01-09");
    assert_eq!(story.account.granted.to_string(), "900");
    assert_eq!(story.available("2027-01-30"), "900");
    assert_eq!(story.available("2027-01-31"), "1300");
    assert_eq!(
        story.plans().pop().map(|(_, plan)| plan).as_deref(),
        Some("max")
    );
}

/// Neither of two plans of one rank is an upgrade, whatever upgrades grant.
#[test]
fn studio_08_to_and_fro_between_equals_grants_nothing() {
    let mut max = terms("studio", "max", PaidBy::Cycle);
    max.credits_on_upgrade = CreditsOnUpgrade::Full;
    let mut twin = max.clone();
    twin.plan = "max-2".to_owned();
    let mut story = Story::begin(&wish(max.clone()), at("2027-01-01"));
    for (terms, date) in [
        (&twin, "2027-01-02"),
        (&max, "2027-01-03"),
        (&twin, "2027-01-04"),
    ] {
        story.changed(&Command::ChangePlan(terms.clone()), date);
        assert_eq!(story.plans().pop(), Some((at(date), terms.plan.clone())));
    }
    assert_eq!(story.account.granted.to_string(), "400");
    assert_eq!(story.bills().len(), 1);
}

#[test]
fn studio_08_a_downgrade_has_the_new_amount_and_rolled_credits_keep_their_expiry() {
    let mut story = studio("generative", "2027-01-01");
    story.account.spend(credits("800"));
    story.changed(&to("plus"), "2027-01-10");
    assert_eq!(story.available("2027-01-31"), "220");
    let rolled = story
        .account
        .held
        .iter()
        .find(|it| it.kind == GrantKind::Rollover);
    assert_eq!(rolled.and_then(|it| it.expires_at), Some(at("2027-03-02")));
    story.changed(&to("max"), "2027-02-10");
    let rolled = story
        .account
        .held
        .iter()
        .find(|it| it.kind == GrantKind::Rollover);
    assert_eq!(rolled.and_then(|it| it.expires_at), Some(at("2027-03-02")));
}

#[test]
fn studio_09_cancel_keeps_access_to_the_periods_end() {
    let mut story = studio("max", "2027-01-01");
    story.changed(&Command::Cancel(When::PeriodEnd), "2027-01-02");
    assert_eq!(story.available("2027-01-31T11:59:59.999999Z"), "400");
    assert_eq!(story.plans().len(), 1);
    story.until(at("2027-01-31"));
    assert_eq!(
        story.plans().pop(),
        Some((at("2027-01-31"), "none".to_owned()))
    );
}

#[test]
fn studio_09_resuming_inside_the_period_grants_nothing_twice() {
    let mut story = studio("max", "2027-01-01");
    story.changed(&Command::Cancel(When::PeriodEnd), "2027-01-02");
    story.changed(&Command::Resume, "2027-01-20");
    story.unchanged(&Command::Resume, "2027-01-20");
    assert_eq!(story.account.granted.to_string(), "400");
    story.until(at("2027-01-31"));
    assert_eq!(story.account.granted.to_string(), "800");
    assert_eq!(story.charges(), [money("30"); 2]);
}

#[test]
fn studio_10_credits_come_with_the_payment_once() {
    let mut story = Story::begin(
        &wish(terms("studio", "max", PaidBy::Cycle)),
        at("2027-01-01"),
    );
    story.pays = false;
    story.account.spend(credits("400"));
    assert_eq!(story.available("2027-02-03"), "0");
    let early = story.does(&Command::Payment { cycle: 3 }, at("2027-02-03"));
    assert_eq!(early, Err(Refusal::NotBegun { current: 2 }));
    let upgrade = story.does(&to("team"), at("2027-02-03"));
    assert_eq!(upgrade, Err(Refusal::PaymentOutstanding { cycle: 2 }));
    story.changed(&Command::Payment { cycle: 2 }, "2027-02-04");
    story.unchanged(&Command::Payment { cycle: 2 }, "2027-02-05");
    story.unchanged(&Command::Payment { cycle: 1 }, "2027-02-05");
    let paid = story.grants().pop().expect("a grant");
    assert_eq!(
        (paid.starts_at, paid.expires_at),
        (at("2027-02-04"), at("2027-03-02"))
    );
    assert_eq!(story.available("2027-02-05"), "400");
    // The third cycle passes without its payment, which then comes too late; the fourth is paid.
    story.account.spend(credits("400"));
    assert_eq!(story.available("2027-04-01"), "0");
    let late = story.does(&Command::Payment { cycle: 3 }, at("2027-04-02"));
    assert_eq!(late, Err(Refusal::PaidTooLate { cycle: 3 }));
    story.changed(&Command::Payment { cycle: 4 }, "2027-04-02");
    assert_eq!(story.available("2027-04-02"), "400");
    assert_eq!((story.it.paid, story.charges().len()), (money("90"), 4));
}

/// After the end a payment that was told before is a repeat, and one that was not goes back.
#[test]
fn studio_10_a_payment_after_the_end_brings_nothing() {
    let mut story = studio("max", "2027-01-01");
    story.pays = false;
    story.changed(&Command::Cancel(When::Now), "2027-02-01");
    story.unchanged(&Command::Payment { cycle: 1 }, "2027-02-02");
    let late = story.does(&Command::Payment { cycle: 2 }, at("2027-02-02"));
    assert_eq!(late, Err(Refusal::PaidTooLate { cycle: 2 }));
    assert_eq!(story.account.granted.to_string(), "400");
}

#[test]
fn studio_10_or_with_the_renewal() {
    let mut max = terms("studio", "max", PaidBy::Cycle);
    assert_eq!(max.grant_on, GrantOn::Payment);
    max.grant_on = GrantOn::Renewal;
    let mut story = Story::begin(&wish(max), at("2027-01-01"));
    story.pays = false;
    story.account.spend(credits("400"));
    assert_eq!(story.available("2027-01-31"), "400");
    assert_eq!(
        story.does(&Command::Payment { cycle: 2 }, at("2027-02-01")),
        Ok(Done::Unchanged)
    );
    assert_eq!(story.it.paid, money("60"));
}

/// A year's payment that is late brings the credits of the month that it comes in, and those of each month after.
#[test]
fn studio_10_a_years_payment_is_for_twelve_cycles() {
    let story = wish(terms("studio", "max", PaidBy::Year));
    let outcome = holdbook::plans::subscribe(&story, at("2027-01-01")).expect("begun");
    let mut story = Story {
        it: outcome.after,
        account: super::Account::default(),
        told: outcome.effects,
        pays: false,
    };
    assert_eq!(story.available("2027-03-15"), "0");
    story.changed(&Command::Payment { cycle: 1 }, "2027-03-15");
    assert_eq!(story.available("2027-03-15"), "400");
    story.until(at("2027-12-31"));
    let cycles: Vec<_> = story.grants().iter().map(|it| it.cycle).collect();
    assert_eq!(cycles, (3..=12).collect::<Vec<_>>());
}

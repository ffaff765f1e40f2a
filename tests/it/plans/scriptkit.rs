//! scriptkit: no rollover, years rounded to dollars, the end and what comes back.

use holdbook::{
    domain::{
        grant::GrantKind,
        plan::{AfterTrial, GrantOn, Term},
    },
    plans::{
        Bill, Command, Done, Ended, Ending, PaidBy, Phase, Refusal, Subscribe, Trial, What, When,
        Why, act, subscribe,
    },
};
use rust_decimal::Decimal;

use super::{Story, at, credits, money, terms, wish};

fn to(plan: &str) -> Command {
    Command::ChangePlan(terms("scriptkit", plan, PaidBy::Cycle))
}

fn starter(date: &str) -> Story {
    Story::of("scriptkit", "starter", PaidBy::Cycle, date)
}

#[test]
fn scriptkit_01_credits_by_the_month_for_a_months_or_a_years_money() {
    for (plan, allowance, month, year) in [
        ("starter", "400", "29", "313"),
        ("professional", "1250", "89", "961"),
        ("studio", "3000", "199", "2149"),
    ] {
        for (paid_by, charges) in [(PaidBy::Cycle, vec![month; 12]), (PaidBy::Year, vec![year])] {
            let mut story = Story::of("scriptkit", plan, paid_by, "2027-01-15");
            assert_eq!(story.available("2027-12-31"), allowance);
            let charges: Vec<_> = charges.into_iter().map(money).collect();
            assert_eq!(story.charges(), charges);
            let granted: Vec<_> = story.grants().iter().map(|it| it.amount).collect();
            assert_eq!(granted, [credits(allowance); 12]);
        }
    }
}

#[test]
fn scriptkit_02_399_unused_carry_nothing_and_top_ups_stay() {
    let mut story = starter("2027-01-15");
    story.account.top_up(credits("2500"));
    story.account.spend(credits("1"));
    assert_eq!(
        story.account.free_of(GrantKind::Allowance).to_string(),
        "399"
    );
    assert_eq!(story.available("2027-02-15"), "2900");
    assert_eq!(story.account.breakage.to_string(), "399");
    story.changed(&to("studio"), "2027-02-20");
    story.changed(&Command::Cancel(When::PeriodEnd), "2027-02-21");
    assert_eq!(story.available("2027-03-15"), "2500");
}

/// January has 31 days, of which 11 are left: 29 x 11 / 31 = 10.29, 89 x 11 / 31 = 31.58, 850 x 11 / 31 = 301.612903.
#[test]
fn scriptkit_06_an_upgrade_is_prorated_and_a_downgrade_at_the_next_billing_date() {
    let mut story = starter("2027-01-01");
    story.changed(&to("professional"), "2027-01-21");
    let change = Bill::Change {
        cycle: 1,
        credit: money("10.29"),
        charge: money("31.58"),
    };
    assert_eq!(story.bills()[1..], [change]);
    assert_eq!(story.account.free().to_string(), "701.612903");
    story.changed(&to("starter"), "2027-01-22");
    assert_eq!(story.available("2027-01-31"), "701.612903");
    assert_eq!(story.available("2027-02-01"), "400");
    assert_eq!(story.charges(), [money("29"), money("29")]);
}

/// Of a year that is paid by 961, 73 of 365 days are left: 192.20 come back; the credits are those of the month.
#[test]
fn scriptkit_06_a_years_upgrade_is_prorated_by_the_year_and_its_credits_by_the_month() {
    let mut story = Story::of("scriptkit", "professional", PaidBy::Year, "2027-01-01");
    let studio = Command::ChangePlan(terms("scriptkit", "studio", PaidBy::Year));
    story.changed(&studio, "2027-10-20");
    let change = Bill::Change {
        cycle: 1,
        credit: money("192.20"),
        charge: money("429.80"),
    };
    assert_eq!(story.bills()[1..], [change]);
    // 1750 x 12 / 31.
    assert_eq!(story.account.free().to_string(), "1927.419354");
    assert_eq!(story.available("2027-11-01"), "3000");
    story.changed(&to("starter"), "2027-11-02");
    assert_eq!(story.it.changes_at(), Some(at("2028-01-01")));
    assert_eq!(story.available("2027-12-31"), "3000");
    assert_eq!(story.available("2028-01-01"), "400");
}

/// From the month to the year: with the next period, whose first instant is the new anchor.
#[test]
fn scriptkit_06_another_way_of_paying_begins_with_the_next_period() {
    let mut story = starter("2027-01-31");
    let yearly = Command::ChangePlan(terms("scriptkit", "studio", PaidBy::Year));
    story.changed(&yearly, "2027-02-01");
    assert_eq!(story.it.changes_at(), Some(at("2027-02-28")));
    assert_eq!(story.available("2027-02-28"), "3000");
    assert_eq!(story.charges(), [money("29"), money("2149")]);
    story.until(at("2027-03-28"));
    let cycles: Vec<_> = story
        .grants()
        .iter()
        .map(|it| (it.cycle, it.starts_at))
        .collect();
    let expected = [(1, "2027-01-31"), (2, "2027-02-28"), (3, "2027-03-28")];
    assert_eq!(cycles, expected.map(|(cycle, from)| (cycle, at(from))));
}

#[test]
fn scriptkit_06_data_is_kept_30_days_and_one_may_subscribe_again() {
    let mut story = starter("2027-01-01");
    story.changed(&Command::Cancel(When::PeriodEnd), "2027-01-10");
    story.until(at("2027-02-01"));
    let last = story.told.last().map(|effect| effect.what.clone());
    let ended = What::Ended {
        why: Why::Cancelled,
        keep_data_until: Some(at("2027-03-03")),
    };
    assert_eq!(last, Some(ended));
    let over = Refusal::Over {
        at: at("2027-02-01"),
        why: Why::Cancelled,
    };
    for command in [
        to("studio"),
        Command::Resume,
        Command::CancelScheduledChange,
    ] {
        assert_eq!(story.does(&command, at("2027-02-01")), Err(over.clone()));
    }
    story.unchanged(&Command::Cancel(When::PeriodEnd), "2027-02-01");
    let again = Subscribe {
        id: "sub-2".to_owned(),
        first: false,
        ..wish(terms("scriptkit", "starter", PaidBy::Cycle))
    };
    let again = Story::begin(&again, at("2027-02-01"));
    assert_eq!(again.grants()[0].grant_id, "~plan:1:sub-2");
    assert_eq!(again.charges(), [money("29")]);
}

#[test]
fn scriptkit_06_an_end_at_once_ends_the_cycles_credits_and_gives_no_money_back() {
    let mut story = starter("2027-01-01");
    story.account.top_up(credits("100"));
    story.account.spend(credits("150"));
    story.changed(&to("professional"), "2027-01-21");
    story.changed(&Command::Cancel(When::Now), "2027-01-21");
    story.unchanged(&Command::Cancel(When::Now), "2027-01-22");
    assert_eq!(story.account.free().to_string(), "100");
    assert_eq!(story.account.breakage.to_string(), "551.612903");
    assert_eq!(story.bills().len(), 2);
    let ended = Ended {
        at: at("2027-01-21"),
        why: Why::Cancelled,
    };
    assert_eq!(story.it.phase, Phase::Ended(ended));
}

#[test]
fn scriptkit_07_a_refund_within_7_days_revokes_the_cycles_unused_credits() {
    let mut story = starter("2027-01-01");
    story.account.top_up(credits("100"));
    story.account.spend(credits("150"));
    story.changed(&Command::Refund, "2027-01-08T11:59:59.999999Z");
    story.unchanged(&Command::Refund, "2027-01-08T11:59:59.999999Z");
    story.unchanged(&Command::Refund, "2027-03-01");
    assert_eq!(story.account.revoked.to_string(), "250");
    assert_eq!(story.account.free().to_string(), "100");
    let Some(What::End { grants, as_ }) = story
        .told
        .iter()
        .map(|effect| effect.what.clone())
        .find(|what| matches!(what, What::End { .. }))
    else {
        panic!("nothing was revoked");
    };
    assert_eq!(
        (grants, as_),
        (vec!["~plan:1:sub-1".to_owned()], Ending::Revoked)
    );
    assert_eq!(
        story.bills().pop(),
        Some(Bill::Refund {
            amount: money("29")
        })
    );
    assert_eq!(
        story.plans().pop().map(|(_, plan)| plan).as_deref(),
        Some("none")
    );
}

#[test]
fn scriptkit_07_all_that_was_paid_comes_back_also_after_an_upgrade_and_an_end() {
    let mut story = starter("2027-01-01");
    story.changed(&to("professional"), "2027-01-01");
    story.changed(&Command::Cancel(When::Now), "2027-01-03");
    story.changed(&Command::Refund, "2027-01-04");
    assert_eq!(
        story.bills().pop(),
        Some(Bill::Refund {
            amount: money("89")
        })
    );
    let ended = Ended {
        at: at("2027-01-03"),
        why: Why::Refunded,
    };
    assert_eq!(story.it.phase, Phase::Ended(ended));
}

#[test]
fn scriptkit_07_what_is_not_paid_yet_does_not_come_back() {
    let mut agreed = terms("scriptkit", "starter", PaidBy::Cycle);
    agreed.grant_on = GrantOn::Payment;
    let begun = subscribe(&wish(agreed), at("2027-01-01")).expect("begun");
    let refund = |it, date| act(it, &Command::Refund, at(date)).said;
    assert_eq!(
        refund(&begun.after, "2027-01-02"),
        Err(Refusal::NothingPaid)
    );
    let paid = act(
        &begun.after,
        &Command::Payment { cycle: 1 },
        at("2027-01-03"),
    );
    assert_eq!(refund(&paid.after, "2027-01-04"), Ok(Done::Changed));
}

/// From a plan without money the first payment is the upgrade.
#[test]
fn scriptkit_07_after_a_free_plan_the_time_counts_from_the_upgrade() {
    let mut free = terms("scriptkit", "starter", PaidBy::Cycle);
    free.plan = "free".to_owned();
    (free.price, free.list_price) = (Decimal::ZERO, Decimal::ZERO);
    for (date, refused) in [("2027-01-27", None), ("2027-01-28", Some("2027-01-28"))] {
        let mut story = Story::begin(&wish(free.clone()), at("2027-01-01"));
        let nothing = story.does(&Command::Refund, at("2027-01-20"));
        assert_eq!(nothing, Err(Refusal::NothingPaid));
        story.changed(&to("professional"), "2027-01-21");
        let over = refused.map(|over| Refusal::RefundWindowOver { at: at(over) });
        let expected = over.map_or(Ok(Done::Changed), Err);
        assert_eq!(story.does(&Command::Refund, at(date)), expected);
        let back = story
            .bills()
            .into_iter()
            .any(|bill| matches!(bill, Bill::Refund { amount } if amount == money("31.58")));
        assert_eq!(back, refused.is_none());
    }
}

#[test]
fn scriptkit_07_seven_days_are_over_after_seven_days() {
    let mut story = starter("2027-01-01");
    let refused = story.does(&Command::Refund, at("2027-01-08"));
    let over = Refusal::RefundWindowOver {
        at: at("2027-01-08"),
    };
    assert_eq!(refused, Err(over));
    assert_eq!(story.account.free().to_string(), "400");
}

#[test]
fn scriptkit_07_a_second_subscription_does_not_qualify() {
    let second = Subscribe {
        first: false,
        ..wish(terms("scriptkit", "starter", PaidBy::Cycle))
    };
    let mut story = Story::begin(&second, at("2027-01-01"));
    assert_eq!(
        story.does(&Command::Refund, at("2027-01-02")),
        Err(Refusal::NotFirst)
    );
}

/// No product has a trial: professional's terms with one of 14 days and 50 credits.
fn trial(then: AfterTrial) -> Story {
    let mut agreed = terms("scriptkit", "professional", PaidBy::Cycle);
    agreed.trial = Some(Trial {
        lasts: Term::Days(14),
        allowance: credits("50"),
        then,
    });
    let wish = Subscribe {
        trial: true,
        ..wish(agreed)
    };
    Story::begin(&wish, at("2027-01-17"))
}

#[test]
fn a_trial_becomes_the_first_paid_period_which_is_the_anchor() {
    let mut story = trial(AfterTrial::Convert);
    assert_eq!(story.available("2027-01-30"), "50");
    assert_eq!((story.bills(), story.plans().len()), (vec![], 1));
    assert_eq!(story.available("2027-01-31"), "1250");
    assert_eq!(story.account.breakage.to_string(), "50");
    story.until(at("2027-03-31"));
    let starts: Vec<_> = story
        .grants()
        .iter()
        .map(|it| (it.cycle, it.starts_at))
        .collect();
    let expected = [
        (0, "2027-01-17"),
        (1, "2027-01-31"),
        (2, "2027-02-28"),
        (3, "2027-03-31"),
    ];
    assert_eq!(starts, expected.map(|(cycle, from)| (cycle, at(from))));
    assert_eq!(story.charges(), [money("89"); 3]);
}

#[test]
fn a_trial_ends_by_the_plan_or_by_a_cancellation() {
    for (then, cancels, why) in [
        (AfterTrial::End, false, Why::TrialOver),
        (AfterTrial::Convert, true, Why::Cancelled),
        (AfterTrial::End, true, Why::Cancelled),
    ] {
        let mut story = trial(then);
        if cancels {
            story.changed(&Command::Cancel(When::PeriodEnd), "2027-01-18");
        }
        assert_eq!(story.available("2027-01-30"), "50");
        assert_eq!(story.available("2027-01-31"), "0");
        let ended = Ended {
            at: at("2027-01-31"),
            why,
        };
        assert_eq!(story.it.phase, Phase::Ended(ended));
        assert_eq!(story.bills(), []);
    }
}

#[test]
fn another_plan_in_a_trial_holds_at_once_without_money_or_credits() {
    let mut story = trial(AfterTrial::Convert);
    for plan in ["studio", "starter"] {
        story.changed(&to(plan), "2027-01-20");
        let since = (at("2027-01-20"), plan.to_owned());
        assert_eq!(story.plans().pop(), Some(since));
    }
    assert_eq!(
        (story.account.free().to_string(), story.bills()),
        ("50".to_owned(), vec![])
    );
    assert_eq!(story.available("2027-01-31"), "400");
    assert_eq!(story.charges(), [money("29")]);
}

#[test]
fn a_trial_that_is_ended_at_once_ends_its_credits() {
    let mut story = trial(AfterTrial::Convert);
    assert_eq!(
        story.does(&Command::Refund, at("2027-01-18")),
        Err(Refusal::NothingPaid)
    );
    assert_eq!(
        story.does(&Command::Cancel(When::Now), at("2027-01-18")),
        Ok(Done::Changed)
    );
    assert_eq!(story.account.breakage.to_string(), "50");
    story.until(at("2027-03-01"));
    assert_eq!((story.bills(), story.grants().len()), (vec![], 1));
}

/// The time for a refund counts from the first payment, not from the trial.
#[test]
fn a_refund_after_a_trial_counts_from_the_first_payment() {
    let mut story = trial(AfterTrial::Convert);
    story.changed(&Command::Refund, "2027-02-07T11:59:59Z");
    assert_eq!(story.account.revoked.to_string(), "1250");
    let mut story = trial(AfterTrial::Convert);
    let over = Refusal::RefundWindowOver {
        at: at("2027-02-07"),
    };
    assert_eq!(story.does(&Command::Refund, at("2027-02-07")), Err(over));
}

//! Random histories of a subscription: commands and time in any order.

use std::collections::BTreeMap;

use holdbook::{
    domain::{
        account::Micros,
        credits::Credits,
        plan::{AfterTrial, CreditsOnUpgrade, Cycle, DAY, Gives, GrantOn, Term},
    },
    plans::{
        Bill, Command, Effect, PaidBy, Phase, Rollover, Subscribe, Subscription, Terms, Trial,
        What, When, act, due, subscribe,
    },
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Story, at, wish};

/// What is done, each after some time.
#[derive(Clone, Debug)]
enum Deed {
    Change(usize),
    CancelChange,
    Cancel(When),
    Resume,
    Payment(u32),
    Refund,
    Spend(u8),
    Look,
}

fn deeds() -> impl Strategy<Value = Vec<(Micros, Deed)>> {
    let deed = prop_oneof![
        6 => (0_usize..5).prop_map(Deed::Change),
        1 => Just(Deed::CancelChange),
        2 => Just(Deed::Cancel(When::PeriodEnd)),
        3 => Just(Deed::Resume),
        2 => (0_u32..15).prop_map(Deed::Payment),
        3 => any::<u8>().prop_map(Deed::Spend),
        3 => Just(Deed::Look),
    ];
    // Ends are rare, so that most histories are long.
    let deed = prop_oneof![30 => deed, 1 => Just(Deed::Cancel(When::Now)), 1 => Just(Deed::Refund)];
    let days = prop_oneof![
        Just(0),
        Just(1),
        0..DAY,
        (0_i64..70).prop_map(|days| days * DAY),
        0..400 * DAY,
    ];
    prop::collection::vec((days, deed), 1..30)
}

fn plans() -> impl Strategy<Value = Vec<Terms>> {
    let cycle = prop_oneof![
        3 => Just(Cycle::CalendarMonth),
        1 => (1_u32..40).prop_map(Cycle::Days),
    ];
    let trial = (1_u32..40, 0_i64..100, any::<bool>());
    let plan = (
        (1_i64..10_000, 0_i64..30_000, any::<bool>(), any::<bool>()),
        prop::option::of((1_u32..60, 1_i64..3_000)),
        (
            0_usize..4,
            prop::option::of(trial),
            prop::option::of(1_u32..60),
        ),
    );
    let plans = prop::collection::vec(plan, 5);
    (cycle, plans).prop_map(|(cycle, plans)| {
        let plans = plans.into_iter().enumerate();
        plans
            .map(
                |(at, ((allowance, cents, yearly, waits), rolls, (upgrade, trial, refund)))| {
                    Terms {
                        plan: format!("plan-{at}"),
                        version: 1,
                        allowance: Credits::from_micro(allowance * 1_000_001),
                        cycle,
                        paid_by: if yearly { PaidBy::Year } else { PaidBy::Cycle },
                        price: Decimal::new(if yearly { cents * 11 } else { cents }, 2),
                        list_price: Decimal::new(cents, 2),
                        gives: Gives::default(),
                        debt_after: <(Credits, Credits)>::default(),
                        grant_on: if waits {
                            GrantOn::Payment
                        } else {
                            GrantOn::Renewal
                        },
                        rollover: rolls.map(|(days, cap)| Rollover {
                            lasts: Term::Days(days),
                            cap: Some(Credits::from_micro(cap * 1_000_000)),
                        }),
                        credits_on_upgrade: [
                            CreditsOnUpgrade::ProratedDifference,
                            CreditsOnUpgrade::Difference,
                            CreditsOnUpgrade::Full,
                            CreditsOnUpgrade::None,
                        ][upgrade],
                        trial: trial.map(|(days, allowance, ends)| Trial {
                            lasts: Term::Days(days),
                            allowance: Credits::from_micro(allowance * 1_000_000),
                            then: if ends {
                                AfterTrial::End
                            } else {
                                AfterTrial::Convert
                            },
                        }),
                        refund_within: refund.map(Term::Days),
                        retention: None,
                    }
                },
            )
            .collect()
    })
}

/// A start at the end of a month as often as not.
fn starts() -> impl Strategy<Value = Micros> {
    let day = prop_oneof![
        Just("2027-01-31"),
        Just("2028-01-30"),
        Just("2028-02-29"),
        Just("2027-12-31"),
        Just("2027-04-15"),
    ];
    (day, 0..DAY).prop_map(|(day, time)| at(&format!("{day}T00:00:00Z")) + time)
}

fn command(deed: &Deed, plans: &[Terms]) -> Option<Command> {
    Some(match deed {
        Deed::Change(to) => Command::ChangePlan(plans[*to].clone()),
        Deed::CancelChange => Command::CancelScheduledChange,
        Deed::Cancel(when) => Command::Cancel(*when),
        Deed::Resume => Command::Resume,
        Deed::Payment(cycle) => Command::Payment { cycle: *cycle },
        Deed::Refund => Command::Refund,
        Deed::Spend(_) | Deed::Look => return None,
    })
}

fn first(plans: &[Terms]) -> Subscribe {
    Subscribe {
        trial: plans[0].trial.is_some(),
        ..wish(plans[0].clone())
    }
}

/// A history in which each charge is paid at once, up to some time after its last deed.
fn history(
    plans: &[Terms],
    start: Micros,
    deeds: &[(Micros, Deed)],
    mut each: impl FnMut(&Story, Micros),
) -> Story {
    let mut story = Story::begin(&first(plans), start);
    let mut now = start;
    for (later, deed) in deeds {
        now += later;
        story.until(now);
        if let Some(command) = command(deed, plans) {
            let _ = story.does(&command, now);
        }
        if let Deed::Spend(part) = deed {
            let micro = i128::from(story.account.free().micro()) * i128::from(*part) / 255;
            story
                .account
                .spend(Credits::from_micro(i64::try_from(micro).expect("a part")));
        }
        each(&story, now);
    }
    story.until(now + 40 * DAY);
    story
}

/// The time in which each cycle's own grant is spendable, by cycle.
fn allowances(told: &[Effect]) -> BTreeMap<u32, (Micros, Micros)> {
    let mut spans = BTreeMap::new();
    for effect in told {
        match &effect.what {
            What::Grant(grant) if !grant.grant_id.contains('+') => {
                let span = (grant.starts_at, grant.expires_at);
                assert_eq!(spans.insert(grant.cycle, span), None, "one for each cycle");
            }
            What::Grant(more) => {
                let (from, until) = spans[&more.cycle];
                assert!(
                    from <= more.starts_at && more.expires_at == until,
                    "{more:?}"
                );
            }
            What::End { .. } => {
                if let Some(mut last) = spans.last_entry() {
                    last.get_mut().1 = effect.at;
                }
            }
            _ => {}
        }
    }
    spans
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// One cycle's allowance is current at each instant from the first paid one to the end: they follow each other without gap
    /// or double, and the account has it.
    #[test]
    fn each_instant_has_exactly_one_cycles_allowance(
        plans in plans(), start in starts(), deeds in deeds(),
    ) {
        let story = history(&plans, start, &deeds, |story, now| {
            if let Phase::Active(_) = story.it.phase {
                let current = allowances(&story.told);
                let current = current.values().filter(|(from, until)| *from <= now && now < *until);
                assert_eq!(current.count(), 1, "at {now}");
            }
        });
        let spans: Vec<_> = allowances(&story.told).into_iter().collect();
        for pair in spans.windows(2) {
            let ((one, (_, ends)), (next, (starts, _))) = (pair[0], pair[1]);
            prop_assert_eq!((one + 1, ends), (next, starts));
        }
        let paid = story.told.iter().any(|it| matches!(it.what, What::Grant(ref it) if it.cycle == 1));
        if let (true, Phase::Ended(ended)) = (paid, &story.it.phase) {
            prop_assert_eq!(spans.last().map(|(_, (_, until))| *until), Some(ended.at));
        }
    }

    /// A look for each thing due, many looks or one: the same comes of it, told by the same numbers.
    #[test]
    fn one_look_tells_what_many_do(
        plans in plans(), start in starts(), deeds in deeds(), looks in prop::collection::vec(0..100 * DAY, 0..20),
    ) {
        let mut it = subscribe(&first(&plans), start).expect("begun").after;
        let mut now = start;
        for (later, deed) in &deeds {
            now += later;
            let one = due(&it, now);
            let mut told = Vec::new();
            let mut many = it.clone();
            let mut at = now - later;
            for look in &looks {
                at = (at + look).min(now);
                let (after, more) = due(&many, at);
                many = after;
                told.extend(more);
            }
            let (many, more) = due(&many, now);
            told.extend(more);
            prop_assert_eq!(&one, &(many, told));
            prop_assert_eq!(due(&one.0, now), (one.0.clone(), vec![]));
            if let Some(command) = command(deed, &plans) {
                let after_looks = act(&one.0, &command, now);
                let outcome = act(&it, &command, now);
                prop_assert_eq!(&outcome.after, &after_looks.after);
                prop_assert_eq!(&outcome.said, &after_looks.said);
                it = outcome.after;
            } else {
                it = one.0;
            }
        }
    }

    /// Any command once more changes nothing and tells nothing; a refused one is refused for the same.
    #[test]
    fn a_repeated_command_changes_nothing(plans in plans(), start in starts(), deeds in deeds()) {
        let mut it = subscribe(&first(&plans), start).expect("begun").after;
        let mut now = start;
        let mut told = it.effects;
        for (later, deed) in &deeds {
            now += later;
            let Some(command) = command(deed, &plans) else {
                continue;
            };
            let once = act(&it, &command, now);
            for (at, effect) in once.effects.iter().enumerate() {
                prop_assert_eq!(effect.number, told + 1 + u32::try_from(at).expect("few"));
                prop_assert!(effect.at <= now);
            }
            told = once.after.effects;
            let twice = act(&once.after, &command, now);
            prop_assert_eq!(&twice.after, &once.after);
            prop_assert_eq!(twice.effects, vec![]);
            match once.said {
                Ok(_) => prop_assert_eq!(twice.said, Ok(holdbook::plans::Done::Unchanged)),
                refused => prop_assert_eq!(twice.said, refused),
            }
            it = once.after;
        }
    }

    /// Whatever was spent when: of one cycle no more rolls than the largest cap that held in it.
    #[test]
    fn no_more_rolls_than_the_cap(plans in plans(), start in starts(), deeds in deeds()) {
        let mut caps: BTreeMap<u32, Credits> = BTreeMap::new();
        let mut note = |it: &Subscription| {
            let cap = it.terms.rollover.and_then(|rollover| rollover.cap);
            let most = caps.entry(it.cycle).or_default();
            *most = (*most).max(cap.unwrap_or(Credits::ZERO));
        };
        let mut story = history(&plans, start, &deeds, |story, _| note(&story.it));
        story.until(story.account.now + 400 * DAY);
        // Cycles between two deeds begin with their terms and keep them.
        let mut held = None;
        for effect in &story.told {
            match &effect.what {
                What::Plan { plan, .. } => held = plans.iter().find(|terms| terms.plan == *plan),
                What::Grant(grant) => {
                    let rollover = held.and_then(|terms| terms.rollover);
                    let cap = rollover.and_then(|it| it.cap).unwrap_or(Credits::ZERO);
                    let most = caps.entry(grant.cycle).or_default();
                    *most = (*most).max(cap);
                }
                _ => {}
            }
        }
        let mut rolled: BTreeMap<u32, Credits> = BTreeMap::new();
        for (id, _, amount) in &story.account.rolled {
            let cycle = id.split([':', '+']).nth(1).and_then(|text| text.parse().ok()).expect(id);
            *rolled.entry(cycle).or_default() += *amount;
        }
        for (cycle, amount) in rolled {
            let most = caps.get(&cycle).copied();
            prop_assert!(Some(amount) <= most, "cycle {cycle}: {amount} of {most:?}");
        }
    }

    /// What was billed is what the subscription says was paid, and each period costs what its plans cost for their time.
    #[test]
    fn bills_sum_to_what_is_paid(plans in plans(), start in starts(), deeds in deeds()) {
        let story = history(&plans, start, &deeds, |_, _| {});
        let mut paid = Decimal::ZERO;
        for bill in story.bills() {
            match bill {
                Bill::Charge { amount, .. } => paid += amount,
                Bill::Change { credit, charge, .. } => paid += charge - credit,
                Bill::Refund { amount } => {
                    prop_assert_eq!(amount, paid);
                    paid -= amount;
                }
            }
            prop_assert!(paid >= Decimal::ZERO);
        }
        prop_assert_eq!(paid, story.it.paid);
    }

    /// Payments that come late or not at all: no cycle is granted twice, and none that was not paid.
    #[test]
    fn without_payment_nothing_is_given(plans in plans(), start in starts(), deeds in deeds()) {
        let mut plans = plans;
        for terms in &mut plans {
            terms.grant_on = GrantOn::Payment;
            terms.price = terms.price.max(Decimal::ONE);
            terms.trial = None;
        }
        let begun = subscribe(&first(&plans), start).expect("begun");
        let mut story = Story { it: begun.after, account: super::Account::default(), told: begun.effects, pays: false };
        let mut now = start;
        let mut payments = 0;
        for (later, deed) in &deeds {
            now += later;
            if let Some(command) = command(deed, &plans) {
                let was = story.grants().len();
                let said = story.does(&command, now);
                let paid = matches!(command, Command::Payment { .. });
                if paid && said == Ok(holdbook::plans::Done::Changed) {
                    payments += 1;
                }
                if payments == 0 {
                    prop_assert_eq!(was, 0);
                }
            }
            story.until(now);
        }
        let mut ids: Vec<_> = story.grants().into_iter().map(|grant| grant.grant_id).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), all);
        if payments == 0 {
            prop_assert_eq!((all, story.it.paid), (0, Decimal::ZERO));
        }
    }
}

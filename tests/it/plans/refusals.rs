//! What is refused says why, and what is allowed.

use holdbook::plans::{
    Asked, Command, Done, PaidBy, Refusal, Subscribe, Verb, When, Why, act, due, subscribe,
};

use super::{Story, at, terms, wish};

fn max() -> Subscribe {
    wish(terms("studio", "max", PaidBy::Cycle))
}

#[test]
fn a_repeated_subscribe_is_the_one_that_it_made() {
    let first = subscribe(None, &max(), at("2027-01-01"))
        .expect("begun")
        .after;
    // What is due is done, also by a repeat, and also when it is over.
    for date in ["2027-01-01", "2027-02-01", "2028-02-01"] {
        let again = subscribe(Some(&first), &max(), at(date)).expect("a repeat");
        assert_eq!(again.said, Ok(Done::Unchanged));
        assert_eq!((again.after, again.effects), due(&first, at(date)));
    }
    let changed = act(&first, &Command::Payment { cycle: 1 }, at("2027-01-01")).after;
    let changed = act(
        &changed,
        &Command::ChangePlan(terms("studio", "team", PaidBy::Cycle)),
        at("2027-01-02"),
    );
    assert_eq!(changed.said, Ok(Done::Changed));
    let again = subscribe(Some(&changed.after), &max(), at("2027-01-03")).expect("a repeat");
    assert_eq!(
        (again.said, again.after),
        (Ok(Done::Unchanged), changed.after)
    );
}

#[test]
fn an_id_with_another_wish_names_what_differs() {
    let first = subscribe(None, &max(), at("2027-01-01"))
        .expect("begun")
        .after;
    let asked = Asked {
        plan: "max".to_owned(),
        paid_by: PaidBy::Cycle,
        trial: false,
    };
    assert_eq!(first.asked, asked);
    let other = Subscribe {
        trial: true,
        ..wish(terms("studio", "team", PaidBy::Year))
    };
    let refused = subscribe(Some(&first), &other, at("2027-01-01")).expect("known");
    let fields = vec!["plan", "paid_by", "trial"];
    assert_eq!(refused.said, Err(Refusal::IdReused { fields }));
    assert_eq!(refused.after, first);
}

#[test]
fn one_account_has_one_subscription_and_one_trial() {
    let refused = |wish: Subscribe| subscribe(None, &wish, at("2027-01-01")).expect_err("refused");
    let running = Some("sub-0".to_owned());
    let already = refused(Subscribe { running, ..max() });
    assert_eq!(
        already,
        Refusal::AlreadySubscribed {
            subscription: "sub-0".to_owned()
        }
    );
    let none = refused(Subscribe {
        trial: true,
        ..max()
    });
    assert_eq!(
        none,
        Refusal::NoTrial {
            plan: "max".to_owned()
        }
    );
    let used = refused(Subscribe {
        trial: true,
        had_trial: true,
        ..max()
    });
    assert_eq!(used, Refusal::TrialUsed);
}

#[test]
fn a_cancelled_subscription_is_resumed_before_it_changes() {
    let mut story = Story::of("studio", "max", PaidBy::Cycle, "2027-01-01");
    let plus = Command::ChangePlan(terms("studio", "plus", PaidBy::Cycle));
    let team = Command::ChangePlan(terms("studio", "team", PaidBy::Cycle));
    story.changed(&plus, "2027-01-02");
    story.changed(&Command::Cancel(When::PeriodEnd), "2027-01-03");
    let cancelled = Refusal::Cancelled {
        at: at("2027-01-31"),
    };
    assert_eq!(story.does(&team, at("2027-01-04")), Err(cancelled));
    // The scheduled change stands behind the cancellation, and comes back with the subscription.
    story.changed(&Command::Resume, "2027-01-05");
    story.until(at("2027-01-31"));
    assert_eq!(story.it.terms.plan, "plus");
}

/// A refused command leaves what was due done.
#[test]
fn what_is_due_is_done_before_a_refusal() {
    let begun = subscribe(None, &max(), at("2027-01-01"))
        .expect("begun")
        .after;
    let outcome = act(&begun, &Command::Refund, at("2027-03-05"));
    assert_eq!(outcome.said, Err(Refusal::NoRefund));
    assert_eq!(
        (outcome.after, outcome.effects),
        due(&begun, at("2027-03-05"))
    );
}

#[test]
fn every_refusal_says_what_is_allowed() {
    use Verb::{Cancel, ChangePlan, Payment, Resume, Subscribe};
    let text = String::new;
    let (at, cycle, current) = (0, 1, 1);
    let why = Why::Cancelled;
    let rows: [(Refusal, &str, &[Verb], &str); 13] = [
        (
            Refusal::AlreadySubscribed {
                subscription: text(),
            },
            "ALREADY_SUBSCRIBED",
            &[ChangePlan, Cancel],
            "change or cancel that one",
        ),
        (
            Refusal::IdReused {
                fields: vec!["plan", "trial"],
            },
            "ID_REUSED",
            &[Subscribe],
            "with another plan, trial: take a new id",
        ),
        (
            Refusal::NoTrial { plan: text() },
            "NO_TRIAL",
            &[Subscribe],
            "subscribe without one",
        ),
        (
            Refusal::TrialUsed,
            "TRIAL_USED",
            &[Subscribe],
            "subscribe without one",
        ),
        (
            Refusal::Over { at, why },
            "SUBSCRIPTION_OVER",
            &[Subscribe],
            "subscribe again",
        ),
        (
            Refusal::Cancelled { at },
            "SUBSCRIPTION_CANCELLED",
            &[Resume],
            "resume it first",
        ),
        (
            Refusal::PaymentOutstanding { cycle },
            "PAYMENT_OUTSTANDING",
            &[Payment, Cancel],
            "change the plan when it is, or cancel",
        ),
        (
            Refusal::NotBegun { current },
            "PERIOD_NOT_BEGUN",
            &[Payment],
            "tell the payment when it has",
        ),
        (
            Refusal::PaidTooLate { cycle },
            "PAID_TOO_LATE",
            &[],
            "the payment goes back",
        ),
        (Refusal::NoRefund, "NO_REFUND", &[Cancel], "cancel it"),
        (
            Refusal::NotFirst,
            "NOT_FIRST_SUBSCRIPTION",
            &[Cancel],
            "cancel it",
        ),
        (Refusal::NothingPaid, "NOTHING_PAID", &[Cancel], "cancel it"),
        (
            Refusal::RefundWindowOver { at },
            "REFUND_WINDOW_OVER",
            &[Cancel],
            "cancel it",
        ),
    ];
    for (refusal, reason, allowed, says) in rows {
        assert_eq!((refusal.reason(), refusal.allowed()), (reason, allowed));
        assert!(refusal.to_string().ends_with(says), "{refusal}");
    }
}

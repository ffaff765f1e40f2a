//! What is refused says why, and what is allowed.

use holdbook::plans::{Command, PaidBy, Refusal, Subscribe, Verb, When, Why, act, due, subscribe};

use super::{Story, at, terms, wish};

fn max() -> Subscribe {
    wish(terms("studio", "max", PaidBy::Cycle))
}

#[test]
fn one_account_has_one_subscription_and_one_trial() {
    let refused = |wish: Subscribe| subscribe(&wish, at("2027-01-01")).expect_err("refused");
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
    let begun = subscribe(&max(), at("2027-01-01")).expect("begun").after;
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
    let rows: [(Refusal, &str, &[Verb], &str); 14] = [
        (
            Refusal::AlreadySubscribed {
                subscription: text(),
            },
            "ALREADY_SUBSCRIBED",
            &[ChangePlan, Cancel],
            "change or cancel that one",
        ),
        (
            Refusal::NotFound,
            "SUBSCRIPTION_NOT_FOUND",
            &[Subscribe],
            "no subscription of this id",
        ),
        (
            Refusal::TooSoon { at },
            "TOO_SOON",
            &[Subscribe],
            "when its last cycle is over",
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

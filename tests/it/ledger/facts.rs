//! Every fact that an event can be, in one life of an account, and what the tables say after it.

use holdbook::domain::{
    event::{Fact, Move, MoveKind},
    grant::{GrantKind, Rollover},
    hold::HoldState,
};

use super::{
    book::{Book, NEW_YEAR, credits, grant_terms, hold, moved, terms},
    fresh,
};

/// One account through all of them; what it does is right, as Redis would have done it.
pub fn every_fact(book: &mut Book, account: &str) {
    let grant = |no, id: &str, amount: &str, kind| {
        let mut terms = grant_terms(no, id, amount);
        terms.kind = kind;
        terms
    };
    let expires = |no, id: &str, rollover| Fact::GrantExpired {
        no,
        grant_id: id.into(),
        rollover,
    };
    book.created(account)
        .event(account, Fact::AccountUpdated(terms()), vec![]);
    // Grant 1 is spent, expires and rolls over into 2; 3 waits for its start; 4 is revoked while it is pinned.
    let mut plan = grant(1, "plan", "100", GrantKind::Allowance);
    plan.rollover = Some(Rollover {
        duration: 1_000_000,
        cap: Some(credits("10")),
    });
    book.event(
        account,
        Fact::Grant(plan),
        vec![moved(MoveKind::Issue, 1, "100")],
    );
    let made = book.next(account);
    book.reserve(account, "job", 1, "40");
    let mut job = hold("job", made, 1, "40");
    job.op_id = "frame-1".into();
    (job.hold.charged, job.hold.pins[0].amount) = (credits("15"), credits("25"));
    book.event(
        account,
        Fact::Commit(job.clone()),
        vec![moved(MoveKind::BurnPin, 1, "15")],
    );
    let rolled = Move {
        to_grant_no: 2,
        ..moved(MoveKind::Roll, 1, "10")
    };
    let rollover = grant(2, "~rollover:plan", "10", GrantKind::Rollover);
    book.event(
        account,
        expires(1, "plan", Some(rollover)),
        vec![rolled, moved(MoveKind::Lapse, 1, "50")],
    );
    (job.op_id, job.hold.state) = (String::new(), HoldState::Released);
    (job.hold.pins, job.hold.released, job.hold.ended_at) = (vec![], credits("25"), Some(NEW_YEAR));
    book.event(
        account,
        Fact::Release(job),
        vec![moved(MoveKind::ReturnBreak, 1, "25")],
    );
    let mut spring = grant(3, "spring", "20", GrantKind::Promo);
    spring.started = false;
    book.event(account, Fact::Grant(spring), vec![]);
    let started = Fact::GrantStarted {
        no: 3,
        grant_id: "spring".into(),
    };
    book.event(account, started, vec![moved(MoveKind::Issue, 3, "20")]);
    book.grant(account, 4, "pi_4", "30");
    let made = book.next(account);
    book.reserve(account, "late", 4, "30");
    let mut late = hold("late", made, 4, "30");
    (late.op_id, late.hold.expires_at) = ("more-time".into(), NEW_YEAR + 1);
    book.event(account, Fact::Extend(late.clone()), vec![]);
    book.event(
        account,
        Fact::Revoke {
            no: 4,
            grant_id: "pi_4".into(),
        },
        vec![],
    );
    (late.op_id, late.hold.state) = (String::new(), HoldState::Expired);
    (late.hold.pins, late.hold.released, late.hold.ended_at) =
        (vec![], credits("30"), Some(NEW_YEAR + 1));
    book.event(
        account,
        Fact::HoldExpired(late.clone()),
        vec![moved(MoveKind::ReturnIssued, 4, "30")],
    );
    // A late commit takes what is free, then debt, then is absorbed.
    let burnt = [
        moved(MoveKind::BurnFree, 3, "20"),
        moved(MoveKind::BurnFree, 2, "10"),
    ];
    let beyond = [
        moved(MoveKind::Overdraw, 0, "50"),
        moved(MoveKind::Absorb, 0, "5"),
    ];
    (late.hold.late, late.hold.charged) = (true, credits("30"));
    (late.hold.overdrawn, late.hold.absorbed) = (credits("50"), credits("5"));
    book.event(
        account,
        Fact::Commit(late.clone()),
        [burnt, beyond].concat(),
    );
    // A refund goes against the debt, then into a grant of its own; a grant settles the rest.
    (late.op_id, late.hold.refunded) = ("refund-1".into(), credits("60"));
    let refund = Fact::Refund {
        hold: late,
        grant: Some(grant(5, "~refund:16", "10", GrantKind::Refund)),
    };
    let back = [
        moved(MoveKind::Refund, 0, "50"),
        moved(MoveKind::Settle, 0, "50"),
        moved(MoveKind::Refund, 5, "10"),
    ];
    book.event(account, refund, back.to_vec());
    let mut charge = hold("instant", book.next(account), 5, "4");
    (charge.hold.state, charge.hold.charged) = (HoldState::Committed, credits("4"));
    charge.hold.pins.clear();
    book.event(
        account,
        Fact::Charge(charge),
        vec![moved(MoveKind::BurnFree, 5, "4")],
    );
    let mut closed = terms();
    closed.frozen = true;
    book.event(account, Fact::AccountFrozen(closed.clone()), vec![]);
    closed.frozen = false;
    book.event(account, Fact::AccountUnfrozen(closed.clone()), vec![]);
    closed.standing = holdbook::domain::account::Standing::Closed;
    book.event(
        account,
        Fact::AccountClosed(closed),
        vec![moved(MoveKind::Lapse, 5, "6")],
    );
}

const GRANTS: &str =
    "select grant_id, status, free, held, spent, breakage, source_no from grants order by no";
const ACCOUNT: &str = "select standing, frozen, free, held, debt, granted, revoked, absorbed, spent, breakage from accounts";
const HOLDS: &str = "select hold_id, state, late, charged, overdrawn, absorbed, released, refunded from holds order by sequence";

#[tokio::test]
async fn every_fact_has_its_place_in_one_batch_and_in_many() {
    let (whole, each) = (fresh().await, fresh().await);
    let mut book = Book::new(0);
    every_fact(&mut book, "acme");
    let entry = book.entry();
    whole
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, whole.start, std::slice::from_ref(&entry))
        .await
        .unwrap();
    let expected = "\
plan expired 0.000000 0.000000 15.000000 75.000000 -
~rollover:plan closed 0.000000 0.000000 10.000000 0.000000 1
spring closed 0.000000 0.000000 20.000000 0.000000 -
pi_4 revoked 0.000000 0.000000 0.000000 0.000000 -
~refund:16 closed 0.000000 0.000000 -6.000000 6.000000 -";
    assert_eq!(whole.table(GRANTS).await, expected);
    assert_eq!(
        whole.table(ACCOUNT).await,
        "closed f 0.000000 0.000000 0.000000 150.000000 30.000000 5.000000 44.000000 81.000000"
    );
    let expected = "\
job released f 15.000000 0.000000 0.000000 25.000000 0.000000
late expired t 30.000000 50.000000 5.000000 30.000000 60.000000
instant committed f 4.000000 0.000000 0.000000 0.000000 0.000000";
    assert_eq!(whole.table(HOLDS).await, expected);
    // The same events one by one: an entry each, so that each finds only what is in the tables.
    let mut writer = each.ledger.writer().await.unwrap();
    let mut cursor = each.start;
    for event in &entry.events {
        let n = cursor.n + 1;
        let position = holdbook::domain::event::Position {
            n,
            index: 0,
            ..event.position
        };
        let event = holdbook::domain::event::Event {
            position,
            ..event.clone()
        };
        let entry = holdbook::domain::event::Entry {
            n,
            events: vec![event],
            images: vec![],
            ..entry.clone()
        };
        cursor = writer.post(0, cursor, &[entry]).await.unwrap().cursor;
    }
    for query in [GRANTS, ACCOUNT, HOLDS] {
        assert_eq!(each.table(query).await, whole.table(query).await);
    }
    let names = "select string_agg(distinct name, ' ' order by name) from events";
    let all = "account_closed account_created account_frozen account_unfrozen account_updated charge commit extend grant \
        grant_expired grant_started hold_expired refund release reserve revoke";
    assert_eq!(each.table(names).await, all);
}

#[tokio::test]
async fn a_closing_ends_the_grants_that_time_has_not_ended() {
    let fresh = fresh().await;
    let mut book = Book::new(0);
    book.created("acme");
    // Both are spent, and one expires before the closing: there is no event of that, since nothing was left.
    for (no, id, expires_at) in [
        (1, "short", NEW_YEAR + 5_000_000),
        (2, "long", NEW_YEAR + 60_000_000),
    ] {
        let mut terms = grant_terms(no, id, "1");
        terms.expires_at = Some(expires_at);
        book.event(
            "acme",
            Fact::Grant(terms),
            vec![moved(MoveKind::Issue, no, "1")],
        );
        book.reserve("acme", id, no, "1");
        book.commit("acme", id, book.next("acme") - 1, no, "1");
    }
    let mut closed = terms();
    closed.standing = holdbook::domain::account::Standing::Closed;
    let entry = book
        .event("acme", Fact::AccountClosed(closed), vec![])
        .entry();
    fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &[entry])
        .await
        .unwrap();
    let ends = "select grant_id, status, extract(epoch from ended_at - '2026-01-01Z')::integer from grants order by no";
    assert_eq!(fresh.table(ends).await, "short expired 5\nlong closed 8");
}

//! Posting a stream: rows, repeats, the cursor's guard, quarantine.

use holdbook::{
    domain::event::{Fact, MoveKind},
    ledger::{Cursor, LedgerError, Posted},
};

use super::{
    EPOCH, Fresh,
    book::{self, Book, moved},
    fresh,
};

const BOOK: &str = "select account_id, sequence, line, debit, credit, amount, grant_id, grant_kind, hold_id, event \
    from transfers order by account_id, sequence, line";
const TOTALS: &str = "select account_id, sequence, free, held, debt, granted, spent, convert_from(image, 'utf8') \
    from accounts order by 1";
const WAITING: &str =
    "select account_id, n, index, why from quarantine where resolved_at is null order by n, index";
const ALL: &str = "select (select count(*) from events), (select count(*) from transfers), (select count(*) from holds), \
    (select sum(free) from accounts), (select sum(free) from grants), (select sum(n) from partitions)";

fn at(n: u64) -> Cursor {
    Cursor { epoch: EPOCH, n }
}

/// Two accounts: one grants, reserves and commits, the other stays beside it.
fn two_accounts() -> Vec<holdbook::domain::event::Entry> {
    let mut book = Book::new(0);
    let first = book
        .created("acme")
        .grant("acme", 1, "pi_1", "100")
        .created("bolt")
        .entry();
    let second = book
        .reserve("acme", "job-1", 1, "30")
        .grant("bolt", 1, "pi_2", "5")
        .entry();
    let third = book
        .commit("acme", "job-1", 3, 1, "30")
        .reserve("acme", "job-2", 1, "7.5")
        .entry();
    vec![first, second, third]
}

#[tokio::test]
async fn a_batch_becomes_rows_totals_and_a_moved_cursor() {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    let posted = writer.post(0, fresh.start, &two_accounts()).await.unwrap();
    assert_eq!(
        posted,
        Posted {
            cursor: at(3),
            events: 7,
            repeated: 0,
            queued: 0,
            quarantined: vec![]
        }
    );
    assert_eq!(fresh.ledger.cursor(0).await.unwrap(), at(3));
    let expected = "\
acme 2 0 issued free 100.000000 pi_1 top_up - grant
acme 3 0 free held 30.000000 pi_1 top_up job-1 reserve
acme 4 0 held spent 30.000000 pi_1 top_up job-1 commit
acme 5 0 free held 7.500000 pi_1 top_up job-2 reserve
bolt 2 0 issued free 5.000000 pi_2 top_up - grant";
    assert_eq!(fresh.table(BOOK).await, expected);
    let expected = "\
acme 5 62.500000 7.500000 0.000000 100.000000 30.000000 acme at 5
bolt 2 5.000000 0.000000 0.000000 5.000000 0.000000 bolt at 2";
    assert_eq!(fresh.table(TOTALS).await, expected);
    let holds = "select sequence, hold_id, last_sequence, state, held, charged, labels->>'project', \
        convert_from(packed, 'utf8') from holds order by 1";
    let expected = "\
3 job-1 4 committed 0.000000 30.000000 short \"film\" job-1 committed
5 job-2 5 open 7.500000 0.000000 short \"film\" job-2 open";
    assert_eq!(fresh.table(holds).await, expected);
    assert_eq!(
        fresh
            .table("select no, free, held, spent, status from grants where account_id = 'acme'")
            .await,
        "1 62.500000 7.500000 30.000000 active"
    );
}

#[tokio::test]
async fn batches_one_after_another_make_the_same_book_as_one() {
    let (whole, parts) = (fresh().await, fresh().await);
    let entries = two_accounts();
    whole
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, whole.start, &entries)
        .await
        .unwrap();
    let mut cursor = parts.start;
    for entry in entries {
        // A new connection each time remembers no grant.
        let mut writer = holdbook::ledger::Ledger::connect(&parts.url, 1)
            .await
            .unwrap()
            .writer()
            .await
            .unwrap();
        cursor = writer.post(0, cursor, &[entry]).await.unwrap().cursor;
    }
    for query in [
        BOOK,
        TOTALS,
        ALL,
        "select * from holds order by 1, 2",
        "select * from grants order by 1, 2",
    ] {
        assert_eq!(whole.table(query).await, parts.table(query).await);
    }
}

#[tokio::test]
async fn of_two_relays_with_the_same_entries_one_posts_and_the_other_is_overtaken() {
    let fresh = fresh().await;
    let entries = two_accounts();
    let (mut one, mut two) = (
        fresh.ledger.writer().await.unwrap(),
        fresh.ledger.writer().await.unwrap(),
    );
    let (one, two) = tokio::join!(
        one.post(0, fresh.start, &entries),
        two.post(0, fresh.start, &entries)
    );
    let (winner, loser) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(winner.unwrap().events, 7);
    assert!(
        matches!(loser, Err(LedgerError::Overtaken { partition: 0, from }) if from == fresh.start),
        "{loser:?}"
    );
    assert_eq!(
        fresh.table(ALL).await,
        format!("7 5 2 67.500000 67.500000 3")
    );
}

#[tokio::test]
async fn entries_with_a_hole_change_nothing() {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    let entries = two_accounts();
    let holes = [&entries[1..], &[entries[0].clone(), entries[2].clone()]];
    for entries in holes {
        let error = writer.post(0, fresh.start, entries).await.unwrap_err();
        assert!(matches!(error, LedgerError::Gap { .. }), "{error}");
    }
    // Another partition's entries, and another era's.
    assert!(matches!(
        writer.post(1, fresh.start, &entries).await,
        Err(LedgerError::Gap { .. })
    ));
    let later = Cursor {
        epoch: EPOCH + 1,
        n: 0,
    };
    assert!(matches!(
        writer.post(0, later, &entries).await,
        Err(LedgerError::Gap { .. })
    ));
    assert_eq!(fresh.table(ALL).await, "0 0 0 - - 0");
}

#[tokio::test]
async fn a_repeated_delivery_is_skipped_whatever_the_cursor_says() {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    let entries = two_accounts();
    writer.post(0, fresh.start, &entries).await.unwrap();
    let before = fresh.table(ALL).await;
    // The guard is out of the way: what is left are the unique keys.
    fresh
        .owner
        .batch_execute("update partitions set n = 0")
        .await
        .unwrap();
    let posted = writer.post(0, fresh.start, &entries).await.unwrap();
    assert_eq!(
        posted,
        Posted {
            cursor: at(3),
            events: 0,
            repeated: 7,
            queued: 0,
            quarantined: vec![]
        }
    );
    assert_eq!(fresh.table(ALL).await, before);
}

#[tokio::test]
async fn a_deed_done_twice_goes_to_quarantine_with_what_its_account_does_later() {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    writer.post(0, fresh.start, &two_accounts()).await.unwrap();
    let mut book = Book::new(0);
    // The same stream up to here, so that numbers go on.
    book.created("acme")
        .grant("acme", 1, "pi_1", "100")
        .created("bolt")
        .entry();
    book.reserve("acme", "job-1", 1, "30")
        .grant("bolt", 1, "pi_2", "5")
        .entry();
    book.commit("acme", "job-1", 3, 1, "30")
        .reserve("acme", "job-2", 1, "7.5")
        .entry();
    let again = book
        .commit("acme", "job-1", 3, 1, "1")
        .reserve("bolt", "job-3", 1, "1")
        .grant("acme", 2, "pi_3", "4")
        .entry();
    let posted = writer.post(0, at(3), &[again]).await.unwrap();
    assert_eq!(
        posted,
        Posted {
            cursor: at(4),
            events: 1,
            repeated: 0,
            queued: 2,
            quarantined: vec!["acme".into()]
        }
    );
    let waiting = fresh.table(WAITING).await;
    assert!(
        waiting.starts_with(
            "acme 4 0 duplicate key value violates unique constraint \"events_by_deed\""
        ),
        "{waiting}"
    );
    assert!(
        waiting.ends_with("\nacme 4 2 waits behind an earlier event of its account"),
        "{waiting}"
    );
    // Later batches: the account waits on, without being reported again, and its newest image is kept.
    let later = book
        .reserve("acme", "job-4", 1, "2")
        .reserve("bolt", "job-5", 1, "1")
        .entry();
    let posted = writer.post(0, at(4), &[later]).await.unwrap();
    assert_eq!(
        posted,
        Posted {
            cursor: at(5),
            events: 1,
            repeated: 0,
            queued: 1,
            quarantined: vec![]
        }
    );
    let expected = "\
acme 5 62.500000 7.500000 0.000000 100.000000 30.000000 acme at 8
bolt 4 3.000000 2.000000 0.000000 5.000000 0.000000 bolt at 4";
    assert_eq!(fresh.table(TOTALS).await, expected);
}

async fn one_bad(make: impl FnOnce(&mut Book)) -> (Fresh, Posted) {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    let mut book = Book::new(0);
    book.created("acme")
        .grant("acme", 1, "pi_1", "100")
        .created("bolt")
        .grant("bolt", 1, "pi_2", "5");
    let first = book.entry();
    make(&mut book);
    let second = book
        .reserve("acme", "job-1", 1, "1")
        .reserve("bolt", "job-1", 1, "1")
        .entry();
    let posted = writer.post(0, fresh.start, &[first, second]).await.unwrap();
    (fresh, posted)
}

/// Whatever is wrong with it, one account stops and the partition goes on.
async fn only_acme_stops(make: impl FnOnce(&mut Book), why: &str) {
    let (fresh, posted) = one_bad(make).await;
    assert_eq!(
        posted,
        Posted {
            cursor: at(2),
            events: 5,
            repeated: 0,
            queued: 2,
            quarantined: vec!["acme".into()]
        }
    );
    let waiting = fresh.table(WAITING).await;
    assert!(waiting.starts_with(&format!("acme 2 0 {why}")), "{waiting}");
    let totals = fresh
        .table("select account_id, sequence, free, held from accounts order by 1")
        .await;
    assert_eq!(
        totals,
        "acme 2 100.000000 0.000000\nbolt 3 4.000000 1.000000"
    );
    // Its events are as they came.
    let raws = fresh
        .table("select bool_and(length(raw) > 0) from quarantine")
        .await;
    assert_eq!(raws, "t");
}

#[tokio::test]
async fn an_unreadable_event_stops_only_its_account() {
    let unreadable = |book: &mut Book| {
        book.unreadable("acme");
    };
    only_acme_stops(unreadable, "a byte too many").await;
}

#[tokio::test]
async fn an_event_with_an_unknown_grant_stops_only_its_account() {
    let spends_nothing = |book: &mut Book| {
        let hold = book::hold("job-0", 3, 9, "1");
        book.event(
            "acme",
            Fact::Reserve(hold),
            vec![moved(MoveKind::Pin, 9, "1")],
        );
    };
    only_acme_stops(
        spends_nothing,
        "grant number 9, whose credits this event moves, does not exist",
    )
    .await;
}

#[tokio::test]
async fn an_amount_of_nothing_stops_only_its_account() {
    let moves_nothing = |book: &mut Book| {
        let hold = book::hold("job-0", 3, 1, "1");
        book.event(
            "acme",
            Fact::Reserve(hold),
            vec![moved(MoveKind::Pin, 1, "0")],
        );
    };
    only_acme_stops(
        moves_nothing,
        "new row for relation \"transfers\" violates check constraint",
    )
    .await;
}

#[tokio::test]
async fn a_missing_event_stops_only_its_account() {
    let (fresh, posted) = one_bad(|book| {
        // Its place in the stream is lost as well as itself: only the account's own count tells.
        book.unreadable("");
        book.skip("acme");
    })
    .await;
    let mut quarantined = posted.quarantined.clone();
    quarantined.sort();
    assert_eq!(quarantined, ["", "acme"]);
    assert_eq!(
        fresh
            .table("select account_id, why from quarantine order by n, index")
            .await,
        " a byte too many\nacme an account is not where this event follows"
    );
}

#[tokio::test]
async fn a_zero_byte_is_no_reason_to_stop() {
    let fresh = fresh().await;
    let mut book = Book::new(0);
    let entry = book.unreadable("ac\0me").created("bolt").entry();
    let posted = fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &[entry])
        .await
        .unwrap();
    assert_eq!((posted.events, posted.queued), (1, 1));
}

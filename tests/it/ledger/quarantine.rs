//! Out of quarantine: in order, once, and no further than what is right again.

use holdbook::{
    domain::event::{Event, Position},
    ledger::{Cursor, Retried, Writer},
};

use super::{
    EPOCH, Fresh,
    book::{self, Book},
    fresh,
};

const WAITING: &str =
    "select n, index, account_id from quarantine where resolved_at is null order by n, index";

/// What was unreadable when it came, and is not any more: an entry whose first event is put among the bad ones.
fn made_unreadable(book: &mut Book) -> holdbook::domain::event::Entry {
    let mut entry = book.entry();
    let event = entry.events.remove(0);
    let (position, account, raw) = (event.position, event.account, event.raw);
    entry.bad.push(holdbook::domain::event::BadEvent {
        position,
        account,
        raw,
        why: "a newer form".into(),
    });
    entry
}

/// `acme` has an unreadable grant in entry 2, and goes on in entries 2 and 3; `bolt` is beside it.
async fn stuck() -> (Fresh, Writer, Book) {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    let mut book = Book::new(0);
    let first = book.created("acme").created("bolt").entry();
    book.grant("acme", 1, "pi_1", "100")
        .grant("bolt", 1, "pi_2", "5")
        .reserve("acme", "job-1", 1, "30");
    let second = made_unreadable(&mut book);
    let third = book.commit("acme", "job-1", 3, 1, "30").entry();
    let posted = writer
        .post(0, fresh.start, &[first, second, third])
        .await
        .unwrap();
    assert_eq!(
        (posted.events, posted.queued, posted.quarantined),
        (3, 3, vec!["acme".to_owned()])
    );
    (fresh, writer, book)
}

fn still_unreadable(_: Position, _: &[u8]) -> Result<Event, String> {
    Err("a newer form".into())
}

#[tokio::test]
async fn what_waits_is_listed_and_named() {
    let (fresh, _, _) = stuck().await;
    assert_eq!(
        fresh.ledger.quarantined_accounts(0).await.unwrap(),
        ["acme"]
    );
    assert_eq!(fresh.ledger.quarantined_accounts(1).await.unwrap(), [""; 0]);
    let page = fresh.ledger.quarantine(None, 2).await.unwrap();
    let whys: Vec<_> = page
        .rows
        .iter()
        .map(|event| (event.position.n, event.position.index, event.why.as_str()))
        .collect();
    assert_eq!(
        whys,
        [
            (2, 0, "a newer form"),
            (2, 2, "waits behind an earlier event of its account")
        ]
    );
    let rest = fresh.ledger.quarantine(page.next, 2).await.unwrap();
    assert_eq!(
        (rest.rows.len(), rest.rows[0].position.n, rest.next),
        (1, 3, None)
    );
}

#[tokio::test]
async fn a_retry_before_its_time_changes_nothing() {
    let (fresh, mut writer, _) = stuck().await;
    let retried = writer.retry(0, "acme", still_unreadable).await.unwrap();
    let at = Position {
        partition: 0,
        epoch: EPOCH,
        n: 2,
        index: 0,
    };
    assert_eq!(
        retried,
        Retried {
            stuck: Some((at, "a newer form".into())),
            left: 3,
            ..Retried::default()
        }
    );
    assert_eq!(fresh.table(WAITING).await, "2 0 acme\n2 2 acme\n3 0 acme");
}

#[tokio::test]
async fn a_retry_posts_in_order_and_once() {
    let (fresh, mut writer, mut book) = stuck().await;
    let retried = writer.retry(0, "acme", book::decode).await.unwrap();
    assert_eq!(
        retried,
        Retried {
            posted: 3,
            ..Retried::default()
        }
    );
    assert_eq!(fresh.table(WAITING).await, "");
    let account = "select sequence, free, held, spent, convert_from(image, 'utf8') from accounts where account_id = 'acme'";
    assert_eq!(
        fresh.table(account).await,
        "4 70.000000 0.000000 30.000000 acme at 4"
    );
    assert_eq!(
        writer.retry(0, "acme", book::decode).await.unwrap(),
        Retried::default()
    );
    // From here on it is an account like any other.
    let next = book.reserve("acme", "job-2", 1, "1").entry();
    let posted = writer
        .post(0, Cursor { epoch: EPOCH, n: 3 }, &[next])
        .await
        .unwrap();
    assert_eq!((posted.events, posted.queued), (1, 0));
    assert_eq!(
        fresh.table(account).await,
        "5 69.000000 1.000000 30.000000 acme at 5"
    );
}

#[tokio::test]
async fn a_retry_stops_at_the_next_event_that_is_wrong() {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    let mut book = Book::new(0);
    let first = book.created("acme").entry();
    book.grant("acme", 1, "pi_1", "100")
        .grant("acme", 1, "pi_1", "100")
        .reserve("acme", "job-1", 1, "1");
    let second = made_unreadable(&mut book);
    writer.post(0, fresh.start, &[first, second]).await.unwrap();
    let retried = writer.retry(0, "acme", book::decode).await.unwrap();
    assert_eq!((retried.posted, retried.left), (1, 2));
    let (at, why) = retried.stuck.unwrap();
    assert_eq!(at.index, 1);
    assert!(why.contains("duplicate key value"), "{why}");
    assert_eq!(fresh.table(WAITING).await, "2 1 acme\n2 2 acme");
    assert_eq!(fresh.table("select free from accounts").await, "100.000000");
}

#[tokio::test]
async fn a_repeated_delivery_of_what_waits_waits_once() {
    let fresh = fresh().await;
    let mut writer = fresh.ledger.writer().await.unwrap();
    let mut book = Book::new(0);
    let first = book.created("acme").entry();
    let second = made_unreadable(book.grant("acme", 1, "pi_1", "100"));
    let entries = [first, second];
    for _ in 0..2 {
        writer.post(0, fresh.start, &entries).await.unwrap();
        fresh
            .owner
            .batch_execute("update partitions set n = 0")
            .await
            .unwrap();
    }
    // The creation was posted before it was delivered again behind a waiting event: a retry finds it in the book.
    assert_eq!(fresh.table(WAITING).await, "1 0 acme\n2 0 acme");
    let retried = writer.retry(0, "acme", book::decode).await.unwrap();
    assert_eq!(
        retried,
        Retried {
            posted: 1,
            repeated: 1,
            ..Retried::default()
        }
    );
}

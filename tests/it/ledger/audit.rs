//! The ledger's audit: balanced when nothing was touched, and naming the row when something was.

use holdbook::reconcile::{Report, audit_ledger};

use super::{
    Fresh,
    book::{self, Book},
    facts, fresh,
};

async fn filled() -> Fresh {
    let fresh = fresh().await;
    let mut book = Book::new(0);
    let mut entries = vec![
        book.created("acme")
            .grant("acme", 1, "pi_1", "100")
            .reserve("acme", "job-1", 1, "30")
            .entry(),
    ];
    entries.push(
        book.commit("acme", "job-1", 3, 1, "30")
            .reserve("acme", "job-2", 1, "7")
            .created("bolt")
            .entry(),
    );
    facts::every_fact(&mut book, "cole");
    entries.push(book.entry());
    fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &entries)
        .await
        .unwrap();
    fresh
}

async fn audit(fresh: &Fresh) -> Report {
    audit_ledger(&fresh.ledger, book::decode).await.unwrap()
}

/// The lines that an alteration leads to.
async fn after(alteration: &str) -> Vec<String> {
    let fresh = filled().await;
    fresh.owner.batch_execute(alteration).await.unwrap();
    let report = audit(&fresh).await;
    assert!(!report.is_balanced(), "{alteration}");
    report.differences.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn an_untouched_ledger_is_balanced() {
    let fresh = filled().await;
    let report = audit(&fresh).await;
    assert!(report.is_balanced(), "{report}");
    assert_eq!(report.accounts, 3);
    let counted = fresh
        .table("select (select count(*) from events), (select count(*) from transfers)")
        .await;
    assert_eq!(format!("{} {}", report.events, report.transfers), counted);
    assert!(
        report.to_string().ends_with("\naudit: balanced"),
        "{report}"
    );
    assert_eq!(
        serde_json::json!(report)["differences"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn an_altered_transfer_is_named_with_all_that_it_upsets() {
    let found =
        after("update transfers set amount = 31 where account_id = 'acme' and sequence = 4").await;
    assert!(
        found.contains(&"acme: transfer 4/0: amount: expected 30, found 31".into()),
        "{found:#?}"
    );
    assert!(
        found.contains(&"acme: account: spent: expected 31, found 30".into()),
        "{found:#?}"
    );
    assert!(
        found.contains(&"acme: account: held: expected 6, found 7".into()),
        "{found:#?}"
    );
    assert!(
        found.contains(&"acme: grant pi_1: spent: expected 31, found 30".into()),
        "{found:#?}"
    );
    assert!(
        found.contains(&"acme: hold job-1 of event 3: charged: expected 31, found 30".into()),
        "{found:#?}"
    );
}

#[tokio::test]
async fn every_column_of_a_transfer_is_looked_at() {
    for (set, expected) in [
        (
            "debit = 'free'",
            "acme: transfer 4/0: debit: expected held, found free",
        ),
        (
            "credit = 'breakage'",
            "acme: transfer 4/0: credit: expected spent, found breakage",
        ),
        (
            "grant_id = 'pi_9'",
            "acme: transfer 4/0: grant_id: expected pi_1, found pi_9",
        ),
        (
            "grant_kind = 'promo'",
            "acme: transfer 4/0: grant_kind: expected top_up, found promo",
        ),
        (
            "to_grant_no = 1",
            "acme: transfer 4/0: to_grant_no: expected 0, found 1",
        ),
        (
            "hold_id = 'job-9'",
            "acme: transfer 4/0: hold_id: expected job-1, found job-9",
        ),
        (
            "hold_sequence = null",
            "acme: transfer 4/0: hold_sequence: expected 3, found none",
        ),
        (
            "event = 'charge'",
            "acme: transfer 4/0: event: expected commit, found charge",
        ),
        (
            "actor = 'nobody'",
            "acme: transfer 4/0: actor: expected render-farm, found nobody",
        ),
        (
            "occurred_at = occurred_at + interval '1 us'",
            "acme: transfer 4/0: occurred_at: expected 1767225604000000, found 1767225604000001",
        ),
        (
            "line = 1",
            "acme: transfer 4/0: row: expected there, found missing",
        ),
        (
            "sequence = 99",
            "acme: transfer 99/0: event: expected an event, found none",
        ),
        (
            "account_id = 'zoe'",
            "zoe: transfer 4/0: event: expected an event, found none",
        ),
    ] {
        let found = after(&format!(
            "update transfers set {set} where account_id = 'acme' and sequence = 4"
        ))
        .await;
        assert!(found.contains(&expected.into()), "{set}: {found:#?}");
    }
}

#[tokio::test]
async fn a_removed_or_added_row_is_named() {
    for (alteration, expected) in [
        ("delete from transfers where account_id = 'acme' and sequence = 5", "acme: transfer 5/0: row: expected there, found missing"),
        (
            "insert into transfers (account_id, sequence, line, debit, credit, amount, event, actor, occurred_at)
             values ('acme', 1, 0, 'issued', 'free', 9, 'grant', 'me', now())",
            "acme: transfer 1/0: row: expected none: its event has no such line, found there",
        ),
        ("delete from events where account_id = 'acme' and sequence = 4", "acme: account: number of events: expected 5, found 4"),
        ("delete from events where account_id = 'acme' and sequence = 5", "acme: transfer 5/0: event: expected an event, found none"),
        ("delete from accounts where account_id = 'bolt'", "bolt: event 1: account: expected an account, found none"),
        ("delete from grants where account_id = 'acme'", "acme: grant number 1: row: expected a grant, found none"),
    ] {
        let found = after(alteration).await;
        assert!(found.contains(&expected.into()), "{alteration}: {found:#?}");
    }
}

#[tokio::test]
async fn altered_totals_holds_and_events_are_named() {
    for (alteration, expected) in [
        (
            "update accounts set free = free + 1 where account_id = 'acme'",
            "acme: account: free: expected 63, found 64",
        ),
        (
            "update accounts set debt = 2 where account_id = 'acme'",
            "acme: account: free while in debt: expected 0, found 2",
        ),
        (
            "update accounts set sequence = 6 where account_id = 'acme'",
            "acme: account: last event: expected 6, found 5",
        ),
        (
            "update grants set breakage = 1 where account_id = 'acme'",
            "acme: grant pi_1: breakage: expected 0, found 1",
        ),
        (
            "update holds set held = 8 where hold_id = 'job-2'",
            "acme: account: held by open holds: expected 7, found 8",
        ),
        (
            "update holds set state = 'open', held = 1 where hold_id = 'job-1'",
            "acme: hold job-1 of event 3: held: expected 0, found 1",
        ),
        (
            "update events set raw = 'x' where account_id = 'bolt'",
            "bolt: event 1: raw: expected readable, found not one of ours",
        ),
        (
            "update events set deed = 'x' where account_id = 'bolt'",
            "bolt: event 1: deed: expected created, found x",
        ),
    ] {
        let found = after(alteration).await;
        assert!(found.contains(&expected.into()), "{alteration}: {found:#?}");
    }
}

#[tokio::test]
async fn what_waits_in_quarantine_is_a_difference() {
    let fresh = fresh().await;
    let entry = Book::new(0).created("acme").unreadable("acme").entry();
    fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &[entry])
        .await
        .unwrap();
    let report = audit(&fresh).await;
    let lines: Vec<_> = report.differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "acme: event 1700000000000-1 (1) of partition 0: quarantine: expected posted, found a byte too many"
        ]
    );
    assert!(
        report.to_string().ends_with("\naudit: 1 difference"),
        "{report}"
    );
}

#[tokio::test]
async fn pages_do_not_matter() {
    let fresh = fresh().await;
    let mut book = Book::new(0);
    // More accounts and events than a page has.
    for account in 0..450 {
        book.created(&format!("a{account}"))
            .grant(&format!("a{account}"), 1, "pi", "1")
            .reserve(&format!("a{account}"), "job", 1, "1");
    }
    let entry = book.entry();
    fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &[entry])
        .await
        .unwrap();
    let report = audit(&fresh).await;
    assert!(report.is_balanced(), "{report}");
    assert_eq!(
        (report.accounts, report.events, report.transfers),
        (450, 1350, 900)
    );
}

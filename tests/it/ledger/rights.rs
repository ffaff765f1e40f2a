//! What the database itself refuses, and what a start refuses.

use holdbook::ledger::{Ledger, LedgerError, migrate, schema_version};

use super::{EPOCH, book::Book, fresh};
use crate::support;

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let url = support::postgres_url().await;
    let all = usize::try_from(schema_version()).unwrap();
    assert_eq!(migrate(&url).await.unwrap(), all);
    assert_eq!(migrate(&url).await.unwrap(), 0);
    let fresh_url = support::postgres_url().await;
    let (one, two) = tokio::join!(migrate(&fresh_url), migrate(&fresh_url));
    assert_eq!(one.unwrap() + two.unwrap(), all);
}

#[tokio::test]
async fn the_book_is_append_only_for_serving_connections() {
    let fresh = fresh().await;
    let entry = Book::new(0)
        .created("acme")
        .grant("acme", 1, "pi_1", "100")
        .entry();
    fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &[entry])
        .await
        .unwrap();
    fresh
        .owner
        .batch_execute("set role holdbook_service")
        .await
        .unwrap();
    for table in ["transfers", "events"] {
        fresh
            .owner
            .batch_execute(&format!("select count(*) from {table}"))
            .await
            .unwrap();
        for verb in [
            format!("update {table} set actor = 'nobody'"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("alter table {table} disable trigger all"),
            format!("drop table {table}"),
        ] {
            let error = fresh.owner.batch_execute(&verb).await.unwrap_err();
            assert_eq!(
                error.code().map(|code| code.code()),
                Some("42501"),
                "{verb}"
            );
        }
    }
    // Nor may what was in quarantine be altered, only noted as done; nor an account be removed.
    for verb in [
        "update quarantine set raw = ''",
        "delete from quarantine",
        "delete from accounts",
        "delete from partitions",
    ] {
        let error = fresh.owner.batch_execute(verb).await.unwrap_err();
        assert_eq!(
            error.code().map(|code| code.code()),
            Some("42501"),
            "{verb}"
        );
    }
}

#[tokio::test]
async fn serving_connections_take_the_role() {
    let fresh = fresh().await;
    let entry = Book::new(0).created("acme").entry();
    // Without the service's right to write, its connections cannot, whoever logs in.
    fresh
        .owner
        .batch_execute("revoke insert on events from holdbook_service")
        .await
        .unwrap();
    let error = fresh
        .ledger
        .writer()
        .await
        .unwrap()
        .post(0, fresh.start, &[entry])
        .await
        .unwrap_err();
    assert!(
        matches!(&error, LedgerError::Bug(why) if why.contains("permission denied for table events")),
        "{error}"
    );
    fresh
        .owner
        .batch_execute("revoke select on partitions from holdbook_service")
        .await
        .unwrap();
    let error = fresh.ledger.cursor(0).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Bug(why) if why.contains("permission denied for table partitions")),
        "{error}"
    );
}

#[tokio::test]
async fn a_start_refuses_a_ledger_that_is_not_the_one_asked_for() {
    let url = support::postgres_url().await;
    let error = Ledger::connect(&url, 1).await.map(drop).unwrap_err();
    assert!(
        error.to_string().contains("run `holdbook migrate` first"),
        "{error}"
    );
    let fresh = fresh().await;
    assert_eq!(
        fresh.ledger.bootstrap(2, true, EPOCH + 5).await.unwrap()[1].cursor,
        fresh.start
    );
    let error = fresh
        .ledger
        .bootstrap(4, true, EPOCH)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("set up with 2 partitions and the test clock, this start asks for 4"),
        "{error}"
    );
    let error = fresh
        .ledger
        .bootstrap(2, false, EPOCH)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("asks for 2 partitions and the real clock"),
        "{error}"
    );
    fresh
        .owner
        .batch_execute("delete from refinery_schema_history where version > 1")
        .await
        .unwrap();
    let error = Ledger::connect(&fresh.url, 1)
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is at version 1, this program needs"),
        "{error}"
    );
}

#[tokio::test]
async fn a_start_refuses_commits_that_can_be_lost() {
    let fresh = fresh().await;
    let database = fresh.url.rsplit('/').next().unwrap();
    fresh
        .owner
        .batch_execute(&format!(
            "alter database {database} set synchronous_commit = off"
        ))
        .await
        .unwrap();
    let error = Ledger::connect(&fresh.url, 1)
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("synchronous_commit = off"), "{error}");
}

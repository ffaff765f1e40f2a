//! `holdbook audit`, as an operator runs it: balanced, until one row of the book is altered by hand.

use std::process::Output;

use holdbook::cli::scenario;
use tokio_postgres::NoTls;

use crate::support::Stack;

async fn audit(stack: &Stack, more: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_holdbook"))
        .args([
            "audit",
            "--redis-url",
            &stack.redis.url(),
            "--postgres-url",
            &stack.postgres_url,
        ])
        .args(more)
        .output()
        .await
        .expect("the program runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_transfer_is_named() {
    let stack = Stack::start(&[]).await;
    scenario::play(stack.channel(), &mut Vec::new(), false)
        .await
        .expect("the scenario");
    stack.balanced().await;
    let before = audit(&stack, &[]).await;
    let said = String::from_utf8_lossy(&before.stdout);
    assert_eq!(before.status.code(), Some(0), "{said}");
    assert_eq!(said.lines().last(), Some("audit: balanced"), "{said}");

    let (client, connection) = tokio_postgres::connect(&stack.postgres_url, NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let altered = client
        .query_one(
            "update transfers set amount = amount + 1 where (account_id, sequence, line) =
             (select account_id, sequence, line from transfers where event = 'commit' order by 1, 2, 3 limit 1)
             returning account_id, sequence",
            &[],
        )
        .await
        .expect("one row is altered");
    let (account, sequence): (String, i64) = (altered.get(0), altered.get(1));

    let after = audit(&stack, &[]).await;
    let said = String::from_utf8_lossy(&after.stdout);
    assert_eq!(after.status.code(), Some(1), "{said}");
    let named = said
        .lines()
        .any(|line| line.contains(&account) && line.contains(&sequence.to_string()));
    assert!(
        named && !said.contains("audit: balanced"),
        "account {account}, event {sequence}: {said}"
    );
    let json = audit(&stack, &["--output", "json"]).await;
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json.status.code(), Some(1));
    assert!(
        report["differences"]
            .as_array()
            .is_some_and(|list| !list.is_empty()),
        "{report}"
    );
}

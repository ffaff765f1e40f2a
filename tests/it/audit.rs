//! The audits, as an operator meets them: balanced, until one row of the book is altered by hand.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::Output,
    sync::{Arc, Mutex},
    time::Duration,
};

use holdbook::{cli::scenario, ledger::Difference, reconcile::LightAudit, telemetry::Metrics};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_postgres::NoTls;
use tracing::instrument::WithSubscriber;

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

/// Takes what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().expect("no panic"), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One round of the light audit: what differs, and what it logged.
async fn round(audit: &mut LightAudit) -> (Vec<Difference>, String) {
    let (log, mut found) = (Log::default(), Vec::new());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let steps = async {
        loop {
            let looked = audit.step().await.expect("both stores answer");
            if looked.accounts == 0 {
                break;
            }
            found.extend(looked.differences);
        }
    };
    steps.with_subscriber(subscriber).await;
    let log = log.0.lock().expect("no panic").clone();
    (found, String::from_utf8(log).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_light_audit_counts_and_names_what_was_altered() {
    let stack = Stack::start(&["--audit-pause=0s"]).await;
    scenario::play(stack.channel(), &mut Vec::new(), false)
        .await
        .expect("the scenario");
    stack.balanced().await;
    let metrics = Metrics::local().expect("metrics");
    let (holds, ledger) = (stack.service.holds(), stack.service.ledger());
    let mut audit = LightAudit::new(holds.clone(), ledger.clone(), metrics.instruments());
    assert_eq!(round(&mut audit).await, (Vec::new(), String::new()));

    let (client, connection) = tokio_postgres::connect(&stack.postgres_url, NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let sql = "update transfers set amount = amount + 1 where (account_id, sequence, line) =
        (select account_id, sequence, line from transfers where event = 'commit' order by 1, 2, 3 limit 1) returning account_id";
    let account: String = client.query_one(sql, &[]).await.expect("a row").get(0);
    let (found, log) = round(&mut audit).await;
    assert!(!found.is_empty() && found.iter().all(|row| row.account == account));
    assert!(found.iter().any(|row| row.column == "spent"), "{found:?}");
    assert_eq!(log.lines().count(), found.len(), "{log}");
    for difference in &found {
        let line = log
            .lines()
            .find(|line| line.contains(&difference.to_string()));
        assert!(line.is_some_and(|line| line.contains("ERROR")), "{log}");
    }

    // The ledger agrees with itself, and not with Redis.
    let sql = "update accounts set max_open_holds = max_open_holds + 1 where account_id = $1";
    client.execute(sql, &[&account]).await.expect("one row");
    let (both, _) = round(&mut audit).await;
    let of_redis: Vec<_> = both.iter().filter(|row| !found.contains(row)).collect();
    assert_eq!(of_redis.len(), 1, "{both:?}");
    assert_eq!(of_redis[0].row, "account in Redis");
    let text = metrics.text().expect("text");
    let counted = format!(
        "holdbook_audit_differences_total {}",
        found.len() + both.len()
    );
    assert!(
        text.lines().any(|line| line == counted),
        "{counted}: {text}"
    );
}

/// It runs with the service, by itself.
#[tokio::test(flavor = "multi_thread")]
async fn serve_audits_all_the_time() {
    let stack = Stack::start(&["--audit-pause=1ms"]).await;
    scenario::play(stack.channel(), &mut Vec::new(), false)
        .await
        .expect("the scenario");
    let audited = async { while !has_audited(stack.service.admin_address()).await {} };
    tokio::time::timeout(Duration::from_secs(60), audited)
        .await
        .expect("the audit runs");
}

async fn has_audited(admin: SocketAddr) -> bool {
    let mut admin = TcpStream::connect(admin).await.expect("the admin port");
    let get = b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    admin.write_all(get).await.expect("sent");
    let mut text = String::new();
    admin.read_to_string(&mut text).await.expect("answered");
    assert!(
        text.contains("holdbook_audit_differences_total 0"),
        "{text}"
    );
    let audited = text
        .lines()
        .find_map(|line| line.strip_prefix("holdbook_audit_accounts_total "));
    audited.is_some_and(|count| count != "0")
}

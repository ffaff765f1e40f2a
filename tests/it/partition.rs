//! `holdbook partition`, as an operator runs it: beside a service that serves, and when there is none.

use std::process::Output;

use holdbook::{
    dev::RedisServer,
    proto::{Durability, ReserveRequest, metering_service_client::MeteringServiceClient},
};
use serde_json::Value;
use tokio::sync::watch;
use tonic::Code;

use crate::support::{Stack, fund, redis_says};

const ACCOUNT: &str = "acme";

/// Runs the program on these stores.
async fn partition(redis: &RedisServer, postgres_url: &str, arguments: &[&str]) -> (i32, String) {
    let output: Output = tokio::process::Command::new(env!("CARGO_BIN_EXE_holdbook"))
        .arg("partition")
        .args(arguments)
        .args(["--redis-url", &redis.url(), "--postgres-url", postgres_url])
        .output()
        .await
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    (
        output.status.code().expect("it ends by itself"),
        told + &error,
    )
}

/// The exit code of `status`, and each partition.
async fn status(redis: &RedisServer, postgres_url: &str) -> (i32, Vec<Value>) {
    let (code, said) = partition(redis, postgres_url, &["status", "--output", "json"]).await;
    let json: Value = serde_json::from_str(&said).expect("JSON");
    let rows = json["partitions"].as_array().expect("partitions").clone();
    (code, rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_what_is_open_and_recover_opens_it() {
    let stack = Stack::start(&["--partitions=2"]).await;
    fund(&stack.channel(), ACCOUNT, "100000").await;
    stack.balanced().await;
    let (code, rows) = status(&stack.redis, &stack.postgres_url).await;
    assert_eq!((code, rows.len()), (0, 2), "{rows:?}");
    for row in &rows {
        assert_eq!([&row["open"], &row["same_server"]], [true, true], "{row}");
        let cursor = format!("{}-{}", row["epoch"], row["n"]);
        assert_eq!((&row["cursor"], &row["lag"]), (&cursor.into(), &0.into()));
        assert!(row["recovered_at"].is_string(), "the first start: {row}");
    }
    let (_, table) = partition(&stack.redis, &stack.postgres_url, &["status"]).await;
    for word in ["same server", "behind a gap", "yes"] {
        assert!(table.contains(word), "{table}");
    }

    stack.redis_says("FLUSHALL").await;
    let Stack {
        redis,
        postgres_url,
        service,
    } = stack;
    // Recovered by the service or not, then by nobody.
    service.stop().await.expect("a graceful stop");
    redis_says(redis.url(), "FLUSHALL").await;
    let (code, lost) = status(&redis, &postgres_url).await;
    assert_eq!(code, 1);
    for row in &lost {
        let shown = ["open", "same_server", "n", "lag"].map(|name| &row[name]);
        let expected = [false.into(), true.into(), Value::Null, Value::Null];
        assert_eq!(shown, expected.each_ref(), "{row}");
    }

    let right = ["recover", "--partitions=2"];
    let (code, said) = partition(&redis, &postgres_url, &[&right[..], &["7"]].concat()).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no partition 7: there are 2"), "{said}");
    let (code, said) = partition(&redis, &postgres_url, &["recover", "--partitions=8"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("2 partitions"), "another count: {said}");
    let (code, said) = partition(&redis, &postgres_url, &[&right[..], &["1"]].concat()).await;
    assert_eq!((code, said.lines().count()), (0, 1), "{said}");
    assert!(said.starts_with("partition 1: open at era "), "{said}");
    let (code, rows) = status(&redis, &postgres_url).await;
    assert_eq!(
        (code, &rows[0]["open"], &rows[1]["open"]),
        (1, &false.into(), &true.into())
    );
    assert_ne!(rows[1]["epoch"], lost[1]["epoch"]);
    let (code, said) = partition(&redis, &postgres_url, &right).await;
    assert_eq!((code, said.lines().count()), (0, 2), "{said}");
    let (code, _) = status(&redis, &postgres_url).await;
    assert_eq!(code, 0);
    let stack = Stack::start_on(redis, postgres_url, &["--partitions=2"]).await;
    stack.balanced().await;
}

/// Beside a service under load: its calls wait for the new era, and all that was acknowledged is kept.
#[tokio::test(flavor = "multi_thread")]
async fn recover_while_serving_loses_nothing() {
    const PART: i64 = 60;
    let stack = Stack::start(&["--partitions=1"]).await;
    fund(&stack.channel(), ACCOUNT, "100000").await;
    let (held, mut seen) = watch::channel(0_i64);
    let mut metering = MeteringServiceClient::new(stack.channel());
    let caller = tokio::spawn(async move {
        while *held.borrow() < 3 * PART {
            let reserve = ReserveRequest {
                account_id: ACCOUNT.into(),
                hold_id: format!("frame-{}", *held.borrow()),
                amount: "2".into(),
                durability: Durability::Applied.into(),
                ..Default::default()
            };
            match metering.reserve(reserve).await {
                Ok(_) => held.send_modify(|held| *held += 1),
                Err(refused) => assert_eq!(refused.code(), Code::Unavailable, "{refused}"),
            }
        }
        held
    });
    let mut eras = vec![stack.service.holds().era(0).epoch];
    for part in 1..=2 {
        seen.wait_for(|held| *held >= part * PART)
            .await
            .expect("answers");
        let recover = ["recover", "0", "--partitions=1"];
        let (code, said) = partition(&stack.redis, &stack.postgres_url, &recover).await;
        assert_eq!(code, 0, "{said}");
        let (code, rows) = status(&stack.redis, &stack.postgres_url).await;
        assert_eq!(code, 0, "{rows:?}");
        eras.push(rows[0]["epoch"].as_u64().expect("a number"));
    }
    assert!(eras.is_sorted_by(|old, new| old < new), "{eras:?}");
    let held = *caller.await.expect("the caller").borrow();
    stack.balanced().await;
    let (client, connection) = tokio_postgres::connect(&stack.postgres_url, tokio_postgres::NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let sql = "select count(*), coalesce(sum(held), 0)::bigint from holds where state = 'open'";
    let row = client.query_one(sql, &[]).await.expect("a row");
    let found: [i64; 2] = [row.get(0), row.get(1)];
    assert_eq!(found, [held, 2 * held], "what was acknowledged, once");
}

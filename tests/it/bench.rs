//! `holdbook bench`, as one who measures meets it: every way of loading a service, and a ledger that lies is found out.

use std::process::Output;

use serde_json::Value;
use tokio_postgres::NoTls;

use crate::support::{Stack, scratch};

async fn json(stack: &Stack, more: &[&str]) -> Value {
    let more: Vec<_> = more.iter().copied().chain(["--output", "json"]).collect();
    report(&bench(stack, &more).await)
}

async fn bench(stack: &Stack, more: &[&str]) -> Output {
    let server = format!("http://{}", stack.address());
    tokio::process::Command::new(env!("CARGO_BIN_EXE_holdbook"))
        .args(["bench", "--server", &server, "--accounts", "20"])
        .args(["--duration", "1s", "--warm-up", "200ms"])
        .args(["--connections", "2"])
        .args(more)
        .output()
        .await
        .expect("the program runs")
}

fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    serde_json::from_str(&said).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_loading_is_accounted_for() {
    let stack = Stack::start(&[]).await;
    let svg = scratch("bench").join("latency.svg");
    std::fs::create_dir_all(svg.parent().expect("a folder")).expect("a folder");
    let closed = ["--in-flight", "8", "--svg", svg.to_str().expect("a path")];
    let closed = json(&stack, &closed).await;
    assert!(closed["operations"].as_u64() > Some(0), "{closed}");
    assert_eq!(
        (&closed["differences"], &closed["accounts_compared"]),
        (&0.into(), &20.into())
    );
    let times = &closed["microseconds"]["turn"];
    assert!(
        times["p50"].as_u64() <= times["p99"].as_u64()
            && times["p99"].as_u64() <= times["max"].as_u64()
    );
    let drawn = std::fs::read_to_string(&svg).expect("a drawing");
    assert_eq!(drawn.matches("<polyline").count(), 3);
    // Begun on time: as many turns as the rate says, whatever they take.
    let paced = [
        "--rate",
        "40",
        "--over",
        "stream",
        "--spread",
        "zipf",
        "--releases",
        "50",
    ];
    let paced = json(&stack, &paced).await;
    assert_eq!(paced["operations"], 80, "{paced}");
    assert_eq!(
        (&paced["failed"], &paced["differences"]),
        (&serde_json::json!({}), &0.into())
    );
    // What is only released is looked for, too: that nothing was charged.
    let released = ["--rate", "20", "--releases", "100"];
    let released = json(&stack, &released).await;
    assert!(
        released["accounts_compared"].as_u64() > Some(0),
        "{released}"
    );
    assert_eq!(released["accounts_left_out"], 0);
    let hot = json(&stack, &["--spread", "hot", "--in-flight", "4"]).await;
    assert_eq!(hot["accounts_compared"], 1);
    // What nobody sells fails, and is told.
    let unsold = json(
        &stack,
        &["--usage", "render 1", "--in-flight", "1", "--rate", "10"],
    )
    .await;
    assert_eq!(unsold["operations"], 0);
    assert!(
        unsold["failed"]["CATALOG_NOT_FOUND"].as_u64() > Some(0),
        "{unsold}"
    );
    stack.balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_says_something_else_fails_it() {
    let stack = Stack::start(&[]).await;
    let (client, connection) = tokio_postgres::connect(&stack.postgres_url, NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    client
        .batch_execute(
            "create function lies() returns trigger language plpgsql as $$ begin
                if new.debit = 'held' and new.credit = 'spent' then new.amount := new.amount + 0.1; end if;
                return new;
            end $$;
            create trigger here before insert on transfers for each row execute function lies()",
        )
        .await
        .expect("a trigger");
    let output = bench(&stack, &["--rate", "20", "--spread", "hot"]).await;
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{said}\n{errors}");
    assert!(said.contains("by the ledger"), "{said}");
    assert!(
        errors.contains("bench: 1 accounts differ from the ledger"),
        "{errors}"
    );
}

//! One event that the ledger cannot take: its account freezes, everybody else goes on, and a retry makes it whole again.
//!
//! With the whole service: Redis, relay, ledger.

use std::time::Duration;

use holdbook::{
    proto::{
        AccountState, CommitRequest, CreateAccountRequest, Durability, GetAccountRequest,
        GrantCreditsRequest, GrantKind, ReserveRequest,
        account_service_client::AccountServiceClient, commit_request::What,
        grant_service_client::GrantServiceClient, metering_service_client::MeteringServiceClient,
    },
    reconcile,
};
use tonic::Code;

use crate::support::Stack;

async fn state(stack: &Stack) -> AccountState {
    let request = GetAccountRequest {
        account_id: "acme".into(),
    };
    let answer = AccountServiceClient::new(stack.channel())
        .get_account(request)
        .await
        .unwrap()
        .into_inner();
    answer.account.unwrap().state()
}

/// Asks until it is so; each question is a call, and the whole has a limit.
async fn becomes(stack: &Stack, wanted: AccountState) {
    let asked = async { while state(stack).await != wanted {} };
    tokio::time::timeout(Duration::from_secs(30), asked)
        .await
        .expect("the account changes its state");
}

async fn grant(stack: &Stack, account: &str, grant_id: &str, durability: Durability) {
    let request = GrantCreditsRequest {
        account_id: account.into(),
        grant_id: grant_id.into(),
        kind: GrantKind::TopUp.into(),
        amount: "100".into(),
        durability: durability.into(),
        ..Default::default()
    };
    let reached = GrantServiceClient::new(stack.channel())
        .grant_credits(request)
        .await
        .unwrap()
        .into_inner()
        .durability();
    assert_eq!(reached, durability);
}

async fn reserve(
    stack: &Stack,
    account: &str,
    durability: Durability,
) -> Result<Durability, tonic::Status> {
    let request = ReserveRequest {
        account_id: account.into(),
        hold_id: format!("job-{durability:?}"),
        amount: "10".into(),
        durability: durability.into(),
        ..Default::default()
    };
    MeteringServiceClient::new(stack.channel())
        .reserve(request)
        .await
        .map(|answer| answer.into_inner().durability())
}

#[tokio::test]
async fn one_bad_event_freezes_one_account_and_a_retry_mends_it() {
    let stack = Stack::start(&[]).await;
    for account in ["acme", "bolt"] {
        let request = CreateAccountRequest {
            account_id: account.into(),
            ..Default::default()
        };
        AccountServiceClient::new(stack.channel())
            .create_account(request)
            .await
            .unwrap();
        grant(&stack, account, "invoice-1", Durability::Ledger).await;
    }
    reserve(&stack, "acme", Durability::Ledger).await.unwrap();
    let (owner, connection) = tokio_postgres::connect(&stack.postgres_url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    // The ledger believes that this grant was given already, by an event that Redis knows nothing of.
    let forged = "insert into events (partition, epoch, n, index, account_id, sequence, deed, name, actor, occurred_at, raw) \
        values (0, 1, 1, 0, 'acme', 999, 'g/invoice-2', 'grant', 'somebody', now(), '')";
    owner.batch_execute(forged).await.unwrap();
    grant(&stack, "acme", "invoice-2", Durability::Applied).await;
    becomes(&stack, AccountState::Frozen).await;
    // What is open goes on and queues behind it; nothing new comes in.
    let commit = CommitRequest {
        account_id: "acme".into(),
        hold_id: "job-Ledger".into(),
        what: Some(What::Amount("4".into())),
        ..Default::default()
    };
    MeteringServiceClient::new(stack.channel())
        .commit(commit)
        .await
        .unwrap();
    let refused = reserve(&stack, "acme", Durability::Applied)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    // Everybody else goes on, up to the ledger.
    assert_eq!(
        reserve(&stack, "bolt", Durability::Ledger).await.unwrap(),
        Durability::Ledger
    );
    stack.drain().await;
    let (holds, ledger) = (stack.service.holds(), stack.service.ledger());
    let memory = stack.service.memory();
    let still = reconcile::retry(holds, ledger, memory, "acme")
        .await
        .unwrap();
    // The grant, the freezing and the commit.
    assert_eq!((still.posted, still.left), (0, 3), "{still:?}");
    owner
        .batch_execute("delete from events where sequence = 999")
        .await
        .unwrap();
    // As an operator does it.
    let listed = operator(&["list", "--postgres-url", &stack.postgres_url]).await;
    assert_eq!(listed.lines().last(), Some("quarantine: 3 events wait"));
    let (redis, postgres) = (stack.redis.url(), stack.postgres_url.as_str());
    let mended = operator(&[
        "retry",
        "acme",
        "--redis-url",
        &redis,
        "--postgres-url",
        postgres,
    ])
    .await;
    assert_eq!(mended.lines().last(), Some("posted 3, still waiting 0"));
    becomes(&stack, AccountState::Active).await;
    reserve(&stack, "acme", Durability::Applied).await.unwrap();
    stack.balanced().await;
}

async fn operator(args: &[&str]) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_holdbook"))
        .arg("quarantine")
        .args(args)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

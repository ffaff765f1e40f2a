//! Postgres is gone: holds go on, entries wait in the stream up to its bounds, and everything is posted when it is back.

use std::time::Duration;

use holdbook::proto::{
    CommitRequest, CreateAccountRequest, Durability, GrantCreditsRequest, GrantKind,
    ReleaseRequest, ReserveRequest, account_service_client::AccountServiceClient,
    commit_request::What, grant_service_client::GrantServiceClient,
    metering_service_client::MeteringServiceClient,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{self, Stack};

const ACCOUNT: &str = "acme";

/// Behind with entries, not with events: each call here is a batch of its own.
const BOUNDS: [&str; 4] = [
    "--partitions=1",
    "--backlog-soft=6",
    "--backlog-hard=9",
    "--ledger-wait=200ms",
];

fn reserve(hold: usize, durability: Durability) -> ReserveRequest {
    ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: format!("frame-{hold}"),
        amount: "2".into(),
        durability: durability.into(),
        ..Default::default()
    }
}

fn is_backpressure(refused: &Status) {
    let details = refused.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    assert_eq!(
        (refused.code(), reason.as_deref()),
        (Code::Unavailable, Some("BACKPRESSURE")),
        "{refused}"
    );
    assert!(
        details
            .retry_info()
            .is_some_and(|retry| retry.retry_delay.is_some()),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_holds_go_on_up_to_the_bounds() {
    let mut postgres = support::own_postgres("gone").await;
    let stack = Stack::start_on(support::redis().await, postgres.url(), &BOUNDS).await;
    let mut metering = MeteringServiceClient::new(stack.channel());
    support::fund(&stack.channel(), ACCOUNT, "100").await;
    let sure = metering
        .reserve(reserve(0, Durability::Ledger))
        .await
        .expect("a hold")
        .into_inner();
    assert_eq!(sure.durability(), Durability::Ledger);
    stack.drain().await;

    postgres.kill().await.expect("killed");
    for hold in 1..=6 {
        let answer = metering
            .reserve(reserve(hold, Durability::Ledger))
            .await
            .expect("holds go on")
            .into_inner();
        assert_eq!(
            answer.durability(),
            Durability::Applied,
            "the effect exists, the ledger does not have it"
        );
    }
    is_backpressure(
        &metering
            .reserve(reserve(7, Durability::Applied))
            .await
            .expect_err("the soft bound"),
    );
    for hold in 1..=3 {
        let commit = CommitRequest {
            account_id: ACCOUNT.into(),
            hold_id: format!("frame-{hold}"),
            what: Some(What::Amount("1".into())),
            ..Default::default()
        };
        metering
            .commit(commit)
            .await
            .expect("commits go on to the hard bound");
    }
    let release = ReleaseRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-4".into(),
        durability: 0,
    };
    is_backpressure(
        &metering
            .release(release.clone())
            .await
            .expect_err("the hard bound"),
    );

    postgres.restart().await.expect("Postgres comes back");
    stack.drain().await;
    // Redis hears of it a moment after the ledger has it; until then callers are told to try again.
    let mut released = metering.release(release.clone()).await;
    while let Err(refused) = &released {
        is_backpressure(refused);
        released = metering.release(release.clone()).await;
    }
    metering
        .reserve(reserve(7, Durability::Applied))
        .await
        .expect("reserves go on again");
    stack.balanced().await;
    stack.service.stop().await.expect("a graceful stop");
    tokio::time::timeout(Duration::from_secs(30), postgres.stop())
        .await
        .expect("in time")
        .expect("stopped");
}

/// Entries gather while nobody waits for them; whoever waits is not kept waiting for the others.
#[tokio::test(flavor = "multi_thread")]
async fn entries_that_are_waited_for_do_not_gather() {
    let stack = Stack::start(&["--partitions=1", "--relay-gather=10s", "--ledger-wait=5s"]).await;
    let account = CreateAccountRequest {
        account_id: ACCOUNT.into(),
        ..Default::default()
    };
    AccountServiceClient::new(stack.channel())
        .create_account(account)
        .await
        .expect("an account");
    for name in ["topup-1", "topup-2", "topup-3"] {
        let grant = GrantCreditsRequest {
            account_id: ACCOUNT.into(),
            grant_id: name.into(),
            kind: GrantKind::TopUp.into(),
            amount: "100".into(),
            durability: Durability::Ledger.into(),
            ..Default::default()
        };
        let granted = GrantServiceClient::new(stack.channel())
            .grant_credits(grant)
            .await
            .expect("a grant")
            .into_inner();
        assert_eq!(granted.durability(), Durability::Ledger);
    }
    stack.balanced().await;
}

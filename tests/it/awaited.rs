//! Between a roll-back and its replays "not found" is no last word: whoever acknowledged it may be cut off and come back.

use holdbook::proto::{
    CommitRequest, CreateAccountRequest, GetBalanceRequest, RefundRequest, ReleaseRequest,
    ReserveRequest, account_service_client::AccountServiceClient, commit_request::What,
    metering_service_client::MeteringServiceClient,
};
use tokio_postgres::NoTls;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{Stack, fund};

const ACCOUNT: &str = "acme";

fn what(status: &Status) -> (Code, String) {
    let info = status.get_details_error_info();
    (status.code(), info.expect("a reason").reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_unknown_while_a_process_may_replay_it() {
    let stack = Stack::start(&["--partitions=1"]).await;
    let (ledger, connection) = tokio_postgres::connect(&stack.postgres_url, NoTls)
        .await
        .expect("Postgres answers");
    tokio::spawn(connection);
    let channel = stack.channel();
    let mut accounts = AccountServiceClient::new(channel.clone());
    let mut metering = MeteringServiceClient::new(channel);
    let account = CreateAccountRequest {
        account_id: ACCOUNT.into(),
        ..Default::default()
    };
    accounts.create_account(account).await.expect("an account");

    let mut other = metering.clone();
    let mut release = async || {
        let request = ReleaseRequest {
            account_id: ACCOUNT.into(),
            hold_id: "frame-1".into(),
            ..Default::default()
        };
        what(&metering.release(request).await.expect_err("no such hold"))
    };
    let reserve = ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-2".into(),
        amount: "0".into(),
        ..Default::default()
    };
    other.reserve(reserve).await.expect("a hold");
    let mut refund = async || {
        let request = RefundRequest {
            account_id: ACCOUNT.into(),
            hold_id: "frame-2".into(),
            refund_id: "sorry".into(),
            amount: "1".into(),
            ..Default::default()
        };
        what(&other.refund(request).await.expect_err("no such charge"))
    };
    let mut balance = async || {
        let account_id = "nobody".into();
        let asked = accounts.get_balance(GetBalanceRequest { account_id }).await;
        what(&asked.expect_err("no such account"))
    };
    let seen =
        "insert into heartbeats (process, partition, epoch) values (gen_random_uuid(), 0, 1)";
    ledger.batch_execute(seen).await.expect("another process");
    let recovering = (Code::Unavailable, "PARTITION_RECOVERING".to_owned());
    assert_eq!(release().await, recovering);
    assert_eq!(refund().await, recovering);
    assert_eq!(balance().await, recovering);

    let gone = "update heartbeats set seen_at = now() - interval '1 hour' where epoch = 1";
    ledger.batch_execute(gone).await.expect("it died");
    assert_eq!(
        release().await,
        (Code::NotFound, "HOLD_NOT_FOUND".to_owned())
    );
    assert_eq!(
        refund().await,
        (Code::FailedPrecondition, "ABOVE_HOLD".to_owned())
    );
    assert_eq!(
        balance().await,
        (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned())
    );
}

/// What the other process replays between a refusal and the question whether anybody may yet replay: the refusal must not stand.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_before_the_last_replay_is_no_last_word() {
    let stack = Stack::start(&["--partitions=1"]).await;
    let connect = async || {
        let (ledger, connection) = tokio_postgres::connect(&stack.postgres_url, NoTls)
            .await
            .expect("Postgres answers");
        tokio::spawn(connection);
        ledger
    };
    let (other, watch) = (connect().await, connect().await);
    let mut metering = MeteringServiceClient::new(stack.channel());
    fund(&stack.channel(), ACCOUNT, "1").await;
    let reserve = ReserveRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-1".into(),
        amount: "1".into(),
        ..Default::default()
    };
    metering.reserve(reserve).await.expect("a hold");

    // It has not said yet that it has nothing left to replay, and whoever asks has to wait.
    let says =
        "insert into heartbeats (process, partition, epoch) values (gen_random_uuid(), 0, 1);
        begin; lock table heartbeats in access exclusive mode;
        update heartbeats set epoch = 9223372036854775807 where epoch = 1";
    other.batch_execute(says).await.expect("another process");
    let refund = RefundRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-1".into(),
        refund_id: "sorry".into(),
        amount: "1".into(),
        ..Default::default()
    };
    let mut client = metering.clone();
    let asked = tokio::spawn(async move { client.refund(refund).await });
    let waiting = "select from pg_stat_activity
        where wait_event_type = 'Lock' and query like 'select exists (select from heartbeats%'";
    while watch.query(waiting, &[]).await.expect("rows").is_empty() {
        assert!(!asked.is_finished(), "the refund was not asked about");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The commit is what it replays.
    let commit = CommitRequest {
        account_id: ACCOUNT.into(),
        hold_id: "frame-1".into(),
        what: Some(What::AllHeld(true)),
        ..Default::default()
    };
    metering.commit(commit).await.expect("a charge");
    other.batch_execute("commit").await.expect("it is done");
    let refunded = asked.await.expect("it ends");
    refunded.expect("there is something to refund by now");
}

//! Between a roll-back and its replays "not found" is no last word: whoever acknowledged it may be cut off and come back.

use holdbook::proto::{
    CreateAccountRequest, GetBalanceRequest, RefundRequest, ReleaseRequest, ReserveRequest,
    account_service_client::AccountServiceClient, metering_service_client::MeteringServiceClient,
};
use tokio_postgres::NoTls;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::Stack;

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

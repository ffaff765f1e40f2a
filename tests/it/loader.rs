//! The loader of the benches makes true ledgers: the audit finds nothing, and the service answers what the stories say.

#[path = "../../benches/loader/mod.rs"]
mod made;

use holdbook::{
    proto::{
        GetBalanceRequest, RefundRequest, ReserveRequest,
        account_service_client::AccountServiceClient,
        metering_service_client::MeteringServiceClient,
    },
    reconcile,
};
use made::{Patterns, Story, account_id};

use crate::support::{Stack, redis};

const ACCOUNTS: u64 = 20_000;

/// A prime, so that all stories and partitions are met.
const STRIDE: usize = 499;

#[tokio::test(flavor = "multi_thread")]
async fn a_made_ledger_is_a_true_one() {
    let Stack {
        redis: first,
        postgres_url,
        service,
    } = Stack::start(&[]).await;
    let channel = crate::support::channel_to(service.address());
    let patterns = Patterns::record(&channel, service.holds())
        .await
        .expect("the service takes every story");
    service.stop().await.expect("the ledger has them");
    drop(first);

    let ledger = holdbook::ledger::Ledger::connect(&postgres_url, 2)
        .await
        .expect("Postgres answers");
    let loaded = made::load(&ledger, patterns, ACCOUNTS, |_| {})
        .await
        .expect("the ledger takes every copy");
    // Of twenty accounts twelve have one event, six two, one four and one five.
    assert_eq!(
        (loaded.accounts, loaded.events),
        (ACCOUNTS, ACCOUNTS / 20 * 33)
    );

    let stack = Stack::start_on(redis().await, postgres_url, &[]).await;
    let (holds, ledger) = (stack.service.holds(), stack.service.ledger());
    let report = reconcile::audit(holds, ledger)
        .await
        .expect("both stores answer");
    assert!(report.is_balanced(), "{report}");
    for number in (0..ACCOUNTS).step_by(STRIDE) {
        answers(&stack, number).await;
    }
    refunds_a_debtor(&stack).await;
    stack.balanced().await;
}

/// What it spent comes back to the grant that it is from: so its spent grants were copied, too.
async fn refunds_a_debtor(stack: &Stack) {
    let debtor = (0..ACCOUNTS).find(|number| Story::of(*number) == Story::Debtor);
    let refund = RefundRequest {
        account_id: account_id(debtor.expect("some account has every story")),
        hold_id: "job-1".into(),
        refund_id: "all".into(),
        amount: "3".into(),
        ..Default::default()
    };
    let mut metering = MeteringServiceClient::new(stack.channel());
    let refunded = metering.refund(refund).await.expect("an answer");
    let refunded = refunded.into_inner();
    let grants: Vec<_> = refunded
        .refunded_to
        .iter()
        .map(|to| (&*to.grant_id, &*to.amount))
        .collect();
    assert_eq!(
        (&*refunded.debt_reduced, grants),
        ("2", vec![("topup", "1")])
    );
}

/// The first look at an account, then a job as large as all that it has.
async fn answers(stack: &Stack, number: u64) {
    let account = account_id(number);
    let expected = Story::of(number).expected();
    let (free, debt) = (expected.free, expected.debt);
    let request = GetBalanceRequest {
        account_id: account.clone(),
    };
    let mut accounts = AccountServiceClient::new(stack.channel());
    let found = accounts.get_balance(request).await.expect("an answer");
    let found = found.into_inner().balance.expect("a balance");
    assert_eq!((&*found.free, &*found.debt), (free, debt), "{account}");

    let reserve = ReserveRequest {
        account_id: account.clone(),
        hold_id: "all".into(),
        amount: free.into(),
        ..Default::default()
    };
    let mut metering = MeteringServiceClient::new(stack.channel());
    let reserved = metering.reserve(reserve).await;
    assert_eq!(reserved.is_ok(), debt == "0", "{account}: {reserved:?}");
}

//! The products' sentences on plans, through gRPC and the test clock: what a cycle gives and when, what ends with it, and for what money.

mod prepaid;
mod scriptkit;
mod studio;
mod video;

use holdbook::proto::{CloseAccountRequest, account_service_client::AccountServiceClient};

use super::customer::{ACCOUNT, Customer};

/// Why a reserve is refused: all reasons.
pub async fn refused(customer: &Customer, hold: &str, job: &str) -> String {
    use tonic_types::StatusExt;
    let status = customer.reserve(hold, job).await.expect_err(job);
    let info = status.get_details_error_info().expect("a reason");
    let all = info.metadata.get("reasons").cloned();
    all.unwrap_or(info.reason)
}

pub async fn close(customer: &Customer) -> Result<(), tonic::Status> {
    let close = CloseAccountRequest {
        account_id: ACCOUNT.into(),
        durability: 0,
    };
    let mut accounts = AccountServiceClient::new(customer.0.stack.channel());
    accounts.close_account(close).await.map(drop)
}

//! `holdbook account`: accounts, their balances and ledger rows.

mod args;

use tonic::Status;

pub use self::args::AccountCommand;
use super::{
    client::Services,
    show::{self, Record, Value},
    values::PageArgs,
};
use crate::proto::{
    ChangeLevelRequest, CloseAccountRequest, CreateAccountRequest, GetAccountRequest,
    GetBalanceRequest, ListTransfersRequest, UpdateAccountRequest,
};

/// Sends it.
pub async fn run(services: &Services, command: AccountCommand) -> Result<Record, Status> {
    let mut client = services.account.clone();
    Ok(match command {
        AccountCommand::Create(args) => {
            let request = CreateAccountRequest::from(args);
            client.create_account(request).await?.into_inner().into()
        }
        AccountCommand::Get { account } => {
            let request = GetAccountRequest {
                account_id: account,
            };
            client.get_account(request).await?.into_inner().into()
        }
        AccountCommand::Update(args) => {
            let request = UpdateAccountRequest::from(args);
            client.update_account(request).await?.into_inner().into()
        }
        AccountCommand::Close {
            account,
            durability,
        } => {
            let request = CloseAccountRequest {
                account_id: account,
                durability: durability.proto(),
            };
            client.close_account(request).await?.into_inner().into()
        }
        AccountCommand::Balance { account } => {
            let request = GetBalanceRequest {
                account_id: account,
            };
            client.get_balance(request).await?.into_inner().into()
        }
        AccountCommand::Level(args) => {
            let request = ChangeLevelRequest::from(args);
            client.change_level(request).await?.into_inner().into()
        }
        AccountCommand::Transfers(args) => {
            let (filter, page) = args.request();
            transfers(services, filter, &page).await?
        }
    })
}

async fn transfers(
    services: &Services,
    filter: ListTransfersRequest,
    page: &PageArgs,
) -> Result<Record, Status> {
    let (rows, token) = page
        .fetch(async |page_size, page_token| {
            let request = ListTransfersRequest {
                page_size,
                page_token,
                ..filter.clone()
            };
            let answer = services
                .account
                .clone()
                .list_transfers(request)
                .await?
                .into_inner();
            Ok((answer.transfers, answer.next_page_token))
        })
        .await?;
    Ok(Record::of([
        ("transfers", show::transfers(&rows)),
        ("next_page_token", Value::text(&token)),
    ]))
}

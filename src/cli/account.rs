//! `holdbook account`: accounts, their balances and ledger rows.

use clap::Subcommand;
use tonic::Status;

use super::{
    client::Services,
    show::{self, Record, Value},
    values::{DurabilityArgs, PageArgs, instant},
};
use crate::proto::{
    AccountState, CloseAccountRequest, CreateAccountRequest, GetAccountRequest, GetBalanceRequest,
    ListTransfersRequest, UpdateAccountRequest,
};

/// What to do with an account.
#[derive(Clone, Debug, Subcommand)]
pub enum AccountCommand {
    /// Create an account
    #[command(
        after_help = "Example: an account that may owe up to 50 credits and run 8 jobs at once
  holdbook account create acme --overdraft-limit 50 --max-open-holds 8

Sent again with the same limits it answers the same account; with others it is refused (ID_REUSED)."
    )]
    Create {
        /// Its id, never used again: 1 to 64 of A-Z a-z 0-9 . _ -
        account: String,
        /// The most debt that a commit may make [default: 0]
        #[arg(long, value_name = "CREDITS")]
        overdraft_limit: Option<String>,
        /// How far a reserve may go beyond the credits, at most the overdraft limit [default: 0]
        #[arg(long, value_name = "CREDITS")]
        credit_limit: Option<String>,
        /// The most holds open at once; 0 is no limit
        #[arg(long, default_value_t = 0, value_name = "N")]
        max_open_holds: u32,
        /// How much the answer waits for.
        #[command(flatten)]
        durability: DurabilityArgs,
    },
    /// Show an account and its balance
    #[command(after_help = "Example:\n  holdbook account get acme --output json")]
    Get {
        /// The account
        account: String,
    },
    /// Change the limits or the state of an account
    #[command(after_help = "Examples: no new work for now, and back
  holdbook account update acme --state suspended
  holdbook account update acme --state active --overdraft-limit 20")]
    Update {
        /// The account
        account: String,
        /// The most debt that a commit may make
        #[arg(long, value_name = "CREDITS")]
        overdraft_limit: Option<String>,
        /// How far a reserve may go beyond the credits
        #[arg(long, value_name = "CREDITS")]
        credit_limit: Option<String>,
        /// The most holds open at once; 0 is no limit
        #[arg(long, value_name = "N")]
        max_open_holds: Option<u32>,
        /// Its new state
        #[arg(long)]
        state: Option<AccountState>,
        /// Only if the account still has this etag (see `account get`)
        #[arg(long, default_value = "", hide_default_value = true)]
        etag: String,
        /// How much the answer waits for.
        #[command(flatten)]
        durability: DurabilityArgs,
    },
    /// Close an account for ever: what is free becomes breakage, debt stays
    #[command(after_help = "Example:\n  holdbook account close acme")]
    Close {
        /// The account
        account: String,
        /// How much the answer waits for.
        #[command(flatten)]
        durability: DurabilityArgs,
    },
    /// Show what is free, held and owed
    #[command(after_help = "Example: what a reserve may take now, for a script
  holdbook account balance acme --output json | jq -r .balance.available")]
    Balance {
        /// The account
        account: String,
    },
    /// List the rows of the ledger, oldest first
    #[command(after_help = "Examples: all that one hold moved; everything of a month
  holdbook account transfers acme --hold frame-0001
  holdbook account transfers acme --from 2026-11-01T00:00:00Z --before 2026-12-01T00:00:00Z --all")]
    Transfers {
        /// The account
        account: String,
        /// Only those of this hold
        #[arg(long, default_value = "", hide_default_value = true)]
        hold: String,
        /// Only those of or into this grant
        #[arg(long, default_value = "", hide_default_value = true)]
        grant: String,
        /// Only those that occurred at or after
        #[arg(long, value_name = "INSTANT", value_parser = instant)]
        from: Option<prost_types::Timestamp>,
        /// Only those that occurred before
        #[arg(long, value_name = "INSTANT", value_parser = instant)]
        before: Option<prost_types::Timestamp>,
        /// Which part of the list.
        #[command(flatten)]
        page: PageArgs,
    },
}

/// Sends it.
pub async fn run(services: &Services, command: AccountCommand) -> Result<Record, Status> {
    let mut client = services.account.clone();
    match command {
        AccountCommand::Create {
            account,
            overdraft_limit,
            credit_limit,
            max_open_holds,
            durability,
        } => {
            let request = CreateAccountRequest {
                account_id: account,
                overdraft_limit,
                credit_limit,
                max_open_holds,
                durability: durability.proto(),
            };
            let answer = client.create_account(request).await?.into_inner();
            Ok(Record::of([
                ("replayed", Value::Flag(answer.replayed)),
                ("durability", Value::word(answer.durability())),
                ("account", show::account(answer.account)),
                ("balance", show::balance(answer.balance)),
            ]))
        }
        AccountCommand::Get { account } => {
            let request = GetAccountRequest {
                account_id: account,
            };
            let answer = client.get_account(request).await?.into_inner();
            Ok(Record::of([
                ("account", show::account(answer.account)),
                ("balance", show::balance(answer.balance)),
            ]))
        }
        AccountCommand::Update {
            account,
            overdraft_limit,
            credit_limit,
            max_open_holds,
            state,
            etag,
            durability,
        } => {
            let request = UpdateAccountRequest {
                account_id: account,
                overdraft_limit,
                credit_limit,
                max_open_holds,
                state: state.unwrap_or_default().into(),
                etag,
                durability: durability.proto(),
            };
            let answer = client.update_account(request).await?.into_inner();
            Ok(Record::of([
                ("durability", Value::word(answer.durability())),
                ("account", show::account(answer.account)),
                ("balance", show::balance(answer.balance)),
            ]))
        }
        AccountCommand::Close {
            account,
            durability,
        } => {
            let request = CloseAccountRequest {
                account_id: account,
                durability: durability.proto(),
            };
            let answer = client.close_account(request).await?.into_inner();
            Ok(Record::of([
                ("breakage", Value::credits(&answer.breakage)),
                ("lapsed", Value::credits(&answer.lapsed)),
                ("replayed", Value::Flag(answer.replayed)),
                ("durability", Value::word(answer.durability())),
                ("account", show::account(answer.account)),
                ("balance", show::balance(answer.balance)),
            ]))
        }
        AccountCommand::Balance { account } => {
            let request = GetBalanceRequest {
                account_id: account,
            };
            let answer = client.get_balance(request).await?.into_inner();
            Ok(Record::of([("balance", show::balance(answer.balance))]))
        }
        AccountCommand::Transfers {
            account,
            hold,
            grant,
            from,
            before,
            page,
        } => {
            let filter = ListTransfersRequest {
                account_id: account,
                hold_id: hold,
                grant_id: grant,
                occurred_from: from,
                occurred_before: before,
                ..Default::default()
            };
            transfers(services, filter, &page).await
        }
    }
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

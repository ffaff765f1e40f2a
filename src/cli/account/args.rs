//! The arguments of `holdbook account`.

use clap::{Args, Subcommand};

use super::super::values::{DurabilityArgs, PageArgs, instant};
use crate::proto::{
    AccountState, ChangeLevelRequest, CreateAccountRequest, ListTransfersRequest,
    UpdateAccountRequest, change_level_request::Change,
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
    Create(CreateArgs),
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
    Update(UpdateArgs),
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
    /// Report a level that the plan bounds, such as what is stored, or change it
    #[command(after_help = "Examples: it is so much now; room taken; room given back
  holdbook account level acme storage --id scan_81 --to 7.5
  holdbook account level acme storage --id file_9 --allocate 0.25
  holdbook account level acme storage --id file_9_gone --free 0.25")]
    Level(LevelArgs),
    /// List the rows of the ledger, oldest first
    #[command(after_help = "Examples: all that one hold moved; everything of a month
  holdbook account transfers acme --hold frame-0001
  holdbook account transfers acme --from 2026-11-01T00:00:00Z --before 2026-12-01T00:00:00Z --all")]
    Transfers(TransfersArgs),
}

/// A level, and what becomes of it.
#[derive(Args, Clone, Debug)]
pub struct LevelArgs {
    /// The account
    account: String,
    /// One of the catalog's capacities
    capacity: String,
    /// Your id of the change, unique per account for ever
    #[arg(long, value_name = "CHANGE")]
    id: String,
    /// It is so much now
    #[arg(long, value_name = "QUANTITY", conflicts_with_all = ["allocate", "free"], required_unless_present_any = ["allocate", "free"])]
    to: Option<String>,
    /// So much more; refused where there is no room for it
    #[arg(long, value_name = "QUANTITY", conflicts_with = "free")]
    allocate: Option<String>,
    /// So much less
    #[arg(long, value_name = "QUANTITY")]
    free: Option<String>,
    /// How much the answer waits for.
    #[command(flatten)]
    durability: DurabilityArgs,
}

impl From<LevelArgs> for ChangeLevelRequest {
    fn from(args: LevelArgs) -> Self {
        let to = args.to.map(Change::To);
        let allocate = args.allocate.map(Change::Allocate);
        Self {
            account_id: args.account,
            change_id: args.id,
            capacity: args.capacity,
            change: to.or(allocate).or(args.free.map(Change::Free)),
            durability: args.durability.proto(),
        }
    }
}

/// An account to make.
#[derive(Args, Clone, Debug)]
pub struct CreateArgs {
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
}

/// What to change.
#[derive(Args, Clone, Debug)]
pub struct UpdateArgs {
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
}

/// Which rows.
#[derive(Args, Clone, Debug)]
pub struct TransfersArgs {
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
}

impl From<CreateArgs> for CreateAccountRequest {
    fn from(args: CreateArgs) -> Self {
        Self {
            account_id: args.account,
            overdraft_limit: args.overdraft_limit,
            credit_limit: args.credit_limit,
            max_open_holds: args.max_open_holds,
            durability: args.durability.proto(),
        }
    }
}

impl From<UpdateArgs> for UpdateAccountRequest {
    fn from(args: UpdateArgs) -> Self {
        Self {
            account_id: args.account,
            overdraft_limit: args.overdraft_limit,
            credit_limit: args.credit_limit,
            max_open_holds: args.max_open_holds,
            state: args.state.unwrap_or_default().into(),
            etag: args.etag,
            durability: args.durability.proto(),
        }
    }
}

impl TransfersArgs {
    /// The rows without their pages, and the pages.
    pub fn request(self) -> (ListTransfersRequest, PageArgs) {
        let filter = ListTransfersRequest {
            account_id: self.account,
            hold_id: self.hold,
            grant_id: self.grant,
            occurred_from: self.from,
            occurred_before: self.before,
            ..Default::default()
        };
        (filter, self.page)
    }
}

//! The arguments of `holdbook hold`.

use clap::{Args, Subcommand};

use super::super::values::{DurabilityArgs, PageArgs, duration, instant, item, label};
use crate::proto::{HoldState, Overage, UsageItem};

/// A hold.
#[derive(Args, Clone, Debug)]
pub struct HoldId {
    /// The account
    pub account: String,
    /// Your id of the job, unique per account
    pub hold: String,
}

/// What to do with holds.
#[derive(Clone, Debug, Subcommand)]
pub enum HoldCommand {
    /// Set credits aside for a job, all or nothing
    #[command(
        after_help = "Examples: 30 credits for ten minutes; only ask whether it would pass
  holdbook hold reserve acme frame-0001 --amount 30 --ttl 10m --label project=moon
  holdbook hold reserve acme frame-0001 --amount 30 --validate-only

By what the job will do, as in the catalog: 45 seconds in full HD
  holdbook hold reserve acme frame-0001 --usage 'render 45 resolution=full-hd'"
    )]
    Reserve(ReserveArgs),
    /// Give a hold more time, and more credits if you like
    #[command(after_help = "Example: ten more minutes from now and 5 more credits
  holdbook hold extend acme frame-0001 --id again-1 --ttl 10m --amount 5")]
    Extend(ExtendArgs),
    /// Charge what the job used and end the hold
    #[command(
        after_help = "Examples: the job used 25; a part of it, the hold stays open
  holdbook hold commit acme frame-0001 --amount 25
  holdbook hold commit acme frame-0001 --amount 4 --keep-open --commit-id tile-17
  holdbook hold commit acme frame-0001 --usage 'render 44.2 resolution=full-hd'

More than was set aside takes free credits, then debt up to the overdraft limit; the rest is absorbed."
    )]
    Commit(CommitArgs),
    /// Give the hold's credits back; safe to send after any end
    #[command(after_help = "Example:\n  holdbook hold release acme frame-0001")]
    Release {
        /// Which hold.
        #[command(flatten)]
        of: HoldId,
        /// How much the answer waits for.
        #[command(flatten)]
        durability: DurabilityArgs,
    },
    /// Reserve and commit in one step, for instant work
    #[command(after_help = "Example:\n  holdbook hold charge acme thumbnail-9 --amount 0.25")]
    Charge(ChargeArgs),
    /// Give back what a hold was charged
    #[command(
        after_help = "Example:\n  holdbook hold refund acme frame-0001 --id ticket-4711 --amount 10"
    )]
    Refund(RefundArgs),
    /// Show a hold as it stands now
    #[command(after_help = "Example:\n  holdbook hold get acme frame-0001")]
    Get {
        /// Which hold.
        #[command(flatten)]
        of: HoldId,
    },
    /// List the holds of an account, newest first
    #[command(
        after_help = "Example: what is running\n  holdbook hold list acme --state open --all"
    )]
    List(ListArgs),
}

/// A hold to make.
#[derive(Args, Clone, Debug)]
pub struct ReserveArgs {
    #[command(flatten)]
    pub(super) of: HoldId,
    /// Credits to set aside
    #[arg(
        long,
        value_name = "CREDITS",
        required_unless_present = "usage",
        conflicts_with = "usage"
    )]
    pub(super) amount: Option<String>,
    /// What the job will do, as 'render 45 resolution=hd', priced by the catalog; can be given 100 times
    #[arg(long, value_name = "ITEM", value_parser = item)]
    pub(super) usage: Vec<UsageItem>,
    /// How long the hold lives, from now [default: the server's]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) ttl: Option<prost_types::Duration>,
    /// What a commit above the hold does [default: allow]
    #[arg(long)]
    pub(super) overage: Option<Overage>,
    /// The most that all commits of the hold may come to [default: no bound]
    #[arg(long, value_name = "CREDITS")]
    pub(super) max_commit: Option<String>,
    /// A label of your own; can be given 16 times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(super) labels: Vec<(String, String)>,
    /// Check and answer as if, and do nothing
    #[arg(long)]
    pub(super) validate_only: bool,
    #[command(flatten)]
    pub(super) durability: DurabilityArgs,
}

/// More time, and credits.
#[derive(Args, Clone, Debug)]
pub struct ExtendArgs {
    /// Which hold.
    #[command(flatten)]
    pub(super) of: HoldId,
    /// Your id of this extension, unique per hold
    #[arg(long, value_name = "ID")]
    pub(super) id: String,
    /// How long the hold lives, from now
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) ttl: prost_types::Duration,
    /// Credits to add
    #[arg(long, value_name = "CREDITS")]
    pub(super) amount: Option<String>,
    /// How much the answer waits for.
    #[command(flatten)]
    pub(super) durability: DurabilityArgs,
}

/// What a job used.
#[derive(Args, Clone, Debug)]
pub struct CommitArgs {
    /// Which hold.
    #[command(flatten)]
    pub(super) of: HoldId,
    /// Credits; 0 charges nothing
    #[arg(
        long,
        value_name = "CREDITS",
        required_unless_present_any = ["all_held", "usage"],
        conflicts_with_all = ["all_held", "usage"]
    )]
    pub(super) amount: Option<String>,
    /// What the job did, as 'render 45 resolution=hd', priced by the catalog; price=2 where the run came to it
    #[arg(long, value_name = "ITEM", value_parser = item, conflicts_with = "all_held")]
    pub(super) usage: Vec<UsageItem>,
    /// Charge all that the hold sets aside
    #[arg(long)]
    pub(super) all_held: bool,
    /// Charge a part; the hold stays open
    #[arg(long, requires = "commit_id")]
    pub(super) keep_open: bool,
    /// Your id of this commit, unique per hold
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(super) commit_id: String,
    /// How much the answer waits for.
    #[command(flatten)]
    pub(super) durability: DurabilityArgs,
}

/// Instant work.
#[derive(Args, Clone, Debug)]
pub struct ChargeArgs {
    /// Which hold.
    #[command(flatten)]
    pub(super) of: HoldId,
    /// Credits
    #[arg(long, value_name = "CREDITS")]
    pub(super) amount: String,
    /// A label of your own; can be given 16 times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(super) labels: Vec<(String, String)>,
    /// How much the answer waits for.
    #[command(flatten)]
    pub(super) durability: DurabilityArgs,
}

/// What to give back.
#[derive(Args, Clone, Debug)]
pub struct RefundArgs {
    /// Which hold.
    #[command(flatten)]
    pub(super) of: HoldId,
    /// Your id of this refund, unique per hold
    #[arg(long, value_name = "ID")]
    pub(super) id: String,
    /// Credits, more than 0
    #[arg(long, value_name = "CREDITS")]
    pub(super) amount: String,
    /// How much the answer waits for.
    #[command(flatten)]
    pub(super) durability: DurabilityArgs,
}

/// Which holds.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// The account
    pub(super) account: String,
    /// Only holds in this state
    #[arg(long)]
    pub(super) state: Option<HoldState>,
    /// Only holds created at or after
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) from: Option<prost_types::Timestamp>,
    /// Only holds created before
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) before: Option<prost_types::Timestamp>,
    /// Which part of the list.
    #[command(flatten)]
    pub(super) page: PageArgs,
}

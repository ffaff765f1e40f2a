//! The arguments of `holdbook hold` as requests.

use super::args::{ChargeArgs, CommitArgs, ExtendArgs, ListArgs, RefundArgs, ReserveArgs};
use crate::{
    cli::values::PageArgs,
    proto::{
        ChargeRequest, CommitRequest, ExtendRequest, ListHoldsRequest, RefundRequest,
        ReserveRequest, Usage, UsageItem, commit_request::What,
    },
};

fn usage(items: Vec<UsageItem>) -> Option<Usage> {
    (!items.is_empty()).then_some(Usage { items })
}

impl From<ReserveArgs> for ReserveRequest {
    fn from(args: ReserveArgs) -> Self {
        Self {
            account_id: args.of.account,
            hold_id: args.of.hold,
            amount: args.amount.unwrap_or_default(),
            usage: usage(args.usage),
            ttl: args.ttl,
            overage: args.overage.unwrap_or_default().into(),
            max_commit: args.max_commit,
            labels: args.labels.into_iter().collect(),
            validate_only: args.validate_only,
            durability: args.durability.proto(),
        }
    }
}

impl From<ExtendArgs> for ExtendRequest {
    fn from(args: ExtendArgs) -> Self {
        Self {
            account_id: args.of.account,
            hold_id: args.of.hold,
            extend_id: args.id,
            ttl: Some(args.ttl),
            amount: args.amount,
            durability: args.durability.proto(),
        }
    }
}

impl From<CommitArgs> for CommitRequest {
    fn from(args: CommitArgs) -> Self {
        let all_held = args.all_held.then_some(What::AllHeld(true));
        Self {
            account_id: args.of.account,
            hold_id: args.of.hold,
            what: args
                .amount
                .map(What::Amount)
                .or(usage(args.usage).map(What::Usage))
                .or(all_held),
            r#final: args.keep_open.then_some(false),
            commit_id: args.commit_id,
            durability: args.durability.proto(),
        }
    }
}

impl From<ChargeArgs> for ChargeRequest {
    fn from(args: ChargeArgs) -> Self {
        Self {
            account_id: args.of.account,
            hold_id: args.of.hold,
            amount: args.amount,
            labels: args.labels.into_iter().collect(),
            durability: args.durability.proto(),
        }
    }
}

impl From<RefundArgs> for RefundRequest {
    fn from(args: RefundArgs) -> Self {
        Self {
            account_id: args.of.account,
            hold_id: args.of.hold,
            refund_id: args.id,
            amount: args.amount,
            durability: args.durability.proto(),
        }
    }
}

impl ListArgs {
    /// The holds without their pages, and the pages.
    pub fn request(self) -> (ListHoldsRequest, PageArgs) {
        let filter = ListHoldsRequest {
            account_id: self.account,
            state: self.state.unwrap_or_default().into(),
            created_from: self.from,
            created_before: self.before,
            ..Default::default()
        };
        (filter, self.page)
    }
}

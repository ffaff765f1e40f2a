//! `holdbook hold`: reserve before a job, commit what it used, or release.

mod args;

use tonic::Status;

pub use self::args::{HoldCommand, HoldId, ReserveArgs};
use super::{
    client::Services,
    show::{self, Record, Value},
    values::PageArgs,
};
use crate::proto::{
    ChargeRequest, CommitRequest, ExtendRequest, GetHoldRequest, ListHoldsRequest, RefundRequest,
    ReleaseRequest, ReserveRequest, commit_request::What,
};

/// Sends it.
pub async fn run(services: &Services, command: HoldCommand) -> Result<Record, Status> {
    match command {
        HoldCommand::Reserve(args) => reserve(services, args).await,
        HoldCommand::Extend {
            of,
            id,
            ttl,
            amount,
            durability,
        } => {
            let request = ExtendRequest {
                account_id: of.account,
                hold_id: of.hold,
                extend_id: id,
                ttl: Some(ttl),
                amount,
                durability: durability.proto(),
            };
            extend(services, request).await
        }
        HoldCommand::Commit {
            of,
            amount,
            all_held,
            keep_open,
            commit_id,
            durability,
        } => {
            let request = CommitRequest {
                account_id: of.account,
                hold_id: of.hold,
                what: amount
                    .map(What::Amount)
                    .or(all_held.then_some(What::AllHeld(true))),
                r#final: keep_open.then_some(false),
                commit_id,
                durability: durability.proto(),
            };
            commit(services, request).await
        }
        HoldCommand::Release { of, durability } => {
            let request = ReleaseRequest {
                account_id: of.account,
                hold_id: of.hold,
                durability: durability.proto(),
            };
            release(services, request).await
        }
        HoldCommand::Charge {
            of,
            amount,
            labels,
            durability,
        } => {
            let request = ChargeRequest {
                account_id: of.account,
                hold_id: of.hold,
                amount,
                labels: labels.into_iter().collect(),
                durability: durability.proto(),
            };
            charge(services, request).await
        }
        HoldCommand::Refund {
            of,
            id,
            amount,
            durability,
        } => {
            let request = RefundRequest {
                account_id: of.account,
                hold_id: of.hold,
                refund_id: id,
                amount,
                durability: durability.proto(),
            };
            refund(services, request).await
        }
        HoldCommand::Get { of } => get(services, of).await,
        HoldCommand::List {
            account,
            state,
            from,
            before,
            page,
        } => {
            let filter = ListHoldsRequest {
                account_id: account,
                state: state.unwrap_or_default().into(),
                created_from: from,
                created_before: before,
                ..Default::default()
            };
            list(services, filter, &page).await
        }
    }
}

async fn reserve(services: &Services, args: ReserveArgs) -> Result<Record, Status> {
    let request = ReserveRequest {
        account_id: args.of.account,
        hold_id: args.of.hold,
        amount: args.amount,
        ttl: args.ttl,
        overage: args.overage.unwrap_or_default().into(),
        max_commit: args.max_commit,
        labels: args.labels.into_iter().collect(),
        validate_only: args.validate_only,
        durability: args.durability.proto(),
    };
    let answer = services
        .metering
        .clone()
        .reserve(request)
        .await?
        .into_inner();
    Ok(Record::of([
        ("promised", Value::credits(&answer.promised)),
        ("replayed", Value::Flag(answer.replayed)),
        ("durability", Value::word(answer.durability())),
        ("hold", show::hold(answer.hold)),
        ("pinned", show::amounts(&answer.pinned)),
        ("balance", show::balance(answer.balance)),
    ]))
}

async fn extend(services: &Services, request: ExtendRequest) -> Result<Record, Status> {
    let answer = services
        .metering
        .clone()
        .extend(request)
        .await?
        .into_inner();
    Ok(Record::of([
        ("promised", Value::credits(&answer.promised)),
        ("expires_at", Value::instant(answer.expires_at)),
        ("replayed", Value::Flag(answer.replayed)),
        ("durability", Value::word(answer.durability())),
        ("hold", show::hold(answer.hold)),
        ("pinned", show::amounts(&answer.pinned)),
        ("balance", show::balance(answer.balance)),
    ]))
}

async fn commit(services: &Services, request: CommitRequest) -> Result<Record, Status> {
    let answer = services
        .metering
        .clone()
        .commit(request)
        .await?
        .into_inner();
    Ok(Record::of([
        ("charged", Value::credits(&answer.charged)),
        ("overdrawn", Value::credits(&answer.overdrawn)),
        ("absorbed", Value::credits(&answer.absorbed)),
        ("released", Value::credits(&answer.released)),
        ("late", Value::Flag(answer.late)),
        ("replayed", Value::Flag(answer.replayed)),
        ("durability", Value::word(answer.durability())),
        ("charged_by_grant", show::amounts(&answer.charged_by_grant)),
        ("hold", show::hold(answer.hold)),
        ("balance", show::balance(answer.balance)),
    ]))
}

async fn release(services: &Services, request: ReleaseRequest) -> Result<Record, Status> {
    let answer = services
        .metering
        .clone()
        .release(request)
        .await?
        .into_inner();
    Ok(Record::of([
        ("released", Value::credits(&answer.released)),
        ("replayed", Value::Flag(answer.replayed)),
        ("durability", Value::word(answer.durability())),
        ("hold", show::hold(answer.hold)),
        ("balance", show::balance(answer.balance)),
    ]))
}

async fn charge(services: &Services, request: ChargeRequest) -> Result<Record, Status> {
    let answer = services
        .metering
        .clone()
        .charge(request)
        .await?
        .into_inner();
    Ok(Record::of([
        ("charged", Value::credits(&answer.charged)),
        ("overdrawn", Value::credits(&answer.overdrawn)),
        ("replayed", Value::Flag(answer.replayed)),
        ("durability", Value::word(answer.durability())),
        ("charged_by_grant", show::amounts(&answer.charged_by_grant)),
        ("hold", show::hold(answer.hold)),
        ("balance", show::balance(answer.balance)),
    ]))
}

async fn refund(services: &Services, request: RefundRequest) -> Result<Record, Status> {
    let answer = services
        .metering
        .clone()
        .refund(request)
        .await?
        .into_inner();
    Ok(Record::of([
        ("debt_reduced", Value::credits(&answer.debt_reduced)),
        ("replayed", Value::Flag(answer.replayed)),
        ("durability", Value::word(answer.durability())),
        ("refunded_to", show::amounts(&answer.refunded_to)),
        ("hold", show::hold(answer.hold)),
        ("balance", show::balance(answer.balance)),
    ]))
}

async fn get(services: &Services, of: HoldId) -> Result<Record, Status> {
    let request = GetHoldRequest {
        account_id: of.account,
        hold_id: of.hold,
    };
    let answer = services
        .metering
        .clone()
        .get_hold(request)
        .await?
        .into_inner();
    Ok(Record::of([
        ("hold", show::hold(answer.hold)),
        ("pinned", show::amounts(&answer.pinned)),
        ("balance", show::balance(answer.balance)),
    ]))
}

async fn list(
    services: &Services,
    filter: ListHoldsRequest,
    page: &PageArgs,
) -> Result<Record, Status> {
    let (rows, token) = page
        .fetch(async |page_size, page_token| {
            let request = ListHoldsRequest {
                page_size,
                page_token,
                ..filter.clone()
            };
            let answer = services
                .metering
                .clone()
                .list_holds(request)
                .await?
                .into_inner();
            Ok((answer.holds, answer.next_page_token))
        })
        .await?;
    Ok(Record::of([
        ("holds", show::holds(&rows)),
        ("next_page_token", Value::text(&token)),
    ]))
}

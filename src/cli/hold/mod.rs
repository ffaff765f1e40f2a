//! `holdbook hold`: reserve before a job, commit what it used, or release.

mod args;
mod requests;

use tonic::Status;

pub use self::args::HoldCommand;
use super::{
    client::Services,
    show::{self, Record, Value},
    values::PageArgs,
};
use crate::proto::{
    ChargeRequest, CommitRequest, ExtendRequest, GetHoldRequest, ListHoldsRequest, RefundRequest,
    ReleaseRequest, ReserveRequest,
};

/// Sends it.
pub async fn run(services: &Services, command: HoldCommand) -> Result<Record, Status> {
    let mut client = services.metering.clone();
    Ok(match command {
        HoldCommand::Reserve(args) => {
            let request = ReserveRequest::from(args);
            client.reserve(request).await?.into_inner().into()
        }
        HoldCommand::Extend(args) => {
            let request = ExtendRequest::from(args);
            client.extend(request).await?.into_inner().into()
        }
        HoldCommand::Commit(args) => {
            let request = CommitRequest::from(args);
            client.commit(request).await?.into_inner().into()
        }
        HoldCommand::Release { of, durability } => {
            let request = ReleaseRequest {
                account_id: of.account,
                hold_id: of.hold,
                durability: durability.proto(),
            };
            client.release(request).await?.into_inner().into()
        }
        HoldCommand::Charge(args) => {
            let request = ChargeRequest::from(args);
            client.charge(request).await?.into_inner().into()
        }
        HoldCommand::Refund(args) => {
            let request = RefundRequest::from(args);
            client.refund(request).await?.into_inner().into()
        }
        HoldCommand::Get { of } => {
            let request = GetHoldRequest {
                account_id: of.account,
                hold_id: of.hold,
            };
            client.get_hold(request).await?.into_inner().into()
        }
        HoldCommand::List(args) => {
            let (filter, page) = args.request();
            list(services, filter, &page).await?
        }
    })
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

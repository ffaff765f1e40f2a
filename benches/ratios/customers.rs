//! The accounts that are metered, and the calls that meter them.

use std::{collections::HashMap, ops::Range};

use holdbook::proto::{
    ApplyCatalogRequest, CommitRequest, CreateAccountRequest, Durability, GrantCreditsRequest,
    GrantKind, ReserveRequest, SubscribeRequest, Usage, UsageItem,
    account_service_client::AccountServiceClient, commit_request::What,
    grant_service_client::GrantServiceClient, pricing_service_client::PricingServiceClient,
    subscription_service_client::SubscriptionServiceClient,
};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::Outcome;

pub const ACCOUNTS: usize = 10_000;
/// Accounts in the making at once: each grant waits for the ledger once, so many wait together.
const MAKERS: usize = 256;

pub fn account_id(number: usize) -> String {
    format!("bench-{number}")
}

/// One that has a plan with limits.
fn subscriber_id(number: usize) -> String {
    format!("plan-{number}")
}

/// Makes all accounts, each with a small allowance that the run uses up and a top-up that it does not; and as many that have a plan.
pub async fn create(channels: &[Channel]) -> Outcome<()> {
    create_all(channels, 0..ACCOUNTS, true).await
}

/// Those of some numbers, without a plan.
pub async fn create_plain(channels: &[Channel], numbers: Range<usize>) -> Outcome<()> {
    create_all(channels, numbers, false).await
}

async fn create_all(channels: &[Channel], numbers: Range<usize>, plans: bool) -> Outcome<()> {
    let mut makers = JoinSet::new();
    for first in 0..MAKERS {
        let channel = channels[first % channels.len()].clone();
        let mine = numbers.clone().skip(first).step_by(MAKERS);
        makers.spawn(async move {
            for number in mine {
                create_one(channel.clone(), account_id(number)).await?;
                if plans {
                    create_one(channel.clone(), subscriber_id(number)).await?;
                    subscribe(channel.clone(), subscriber_id(number)).await?;
                }
            }
            Outcome::Ok(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made??;
    }
    Ok(())
}

async fn create_one(channel: Channel, account_id: String) -> Outcome<()> {
    let mut accounts = AccountServiceClient::new(channel.clone());
    accounts
        .create_account(CreateAccountRequest {
            account_id: account_id.clone(),
            overdraft_limit: Some("50".into()),
            durability: Durability::Applied.into(),
            ..CreateAccountRequest::default()
        })
        .await?;
    let mut grants = GrantServiceClient::new(channel);
    for (grant_id, kind, amount) in [
        ("allowance", GrantKind::Allowance, "25"),
        ("topup", GrantKind::TopUp, "1000000"),
    ] {
        grants
            .grant_credits(GrantCreditsRequest {
                account_id: account_id.clone(),
                grant_id: grant_id.into(),
                kind: kind.into(),
                amount: amount.into(),
                durability: Durability::Applied.into(),
                ..GrantCreditsRequest::default()
            })
            .await?;
    }
    Ok(())
}

async fn subscribe(channel: Channel, account_id: String) -> Outcome<()> {
    let request = SubscribeRequest {
        account_id,
        subscription_id: "sub".into(),
        plan: "pro".into(),
        durability: Durability::Applied.into(),
        ..SubscribeRequest::default()
    };
    SubscriptionServiceClient::new(channel)
        .subscribe(request)
        .await?;
    Ok(())
}

/// The job of a number: on an account that looks drawn by lot, under a hold id that no other job has.
pub fn reserve(phase: &str, number: u64) -> ReserveRequest {
    ReserveRequest {
        account_id: account_id(spread(number)),
        hold_id: hold_id(phase, number),
        amount: "1.5".into(),
        labels: HashMap::from([
            ("project".to_owned(), "feature-film".to_owned()),
            ("node".to_owned(), format!("node-{}", number % 64)),
        ]),
        ..ReserveRequest::default()
    }
}

/// As the five products sell: what it does is priced by the length and the resolution, and a plan says what it may be.
const CATALOG: &str = "catalog: bench
features: [editor]
capacities: {storage: gigabyte}
resolutions: [[sd], [hd], [full-hd]]
meters:
  render:
    unit: second
    rounding: exact
    limited_by: [duration, resolution]
    features: [editor]
    capacities: [storage]
    attributes: {resolution: [hd, full-hd]}
    prices:
      - {when: {resolution: hd}, price: 0.5}
      - {when: {resolution: full-hd}, price: 1}
plans:
  pro:
    allowance: 25
    limits: {concurrency: 1000, duration: 1h, resolution: full-hd}
    features: [editor]
    capacities: {storage: 10}
";

/// Applies the catalog that the calls by usage are priced by.
pub async fn sell(channel: Channel) -> Outcome<()> {
    let request = ApplyCatalogRequest {
        yaml: CATALOG.to_owned(),
        ..ApplyCatalogRequest::default()
    };
    PricingServiceClient::new(channel)
        .apply_catalog(request)
        .await?;
    Ok(())
}

fn seconds(quantity: &str) -> Option<Usage> {
    let item = UsageItem {
        meter: "render".to_owned(),
        quantity: quantity.to_owned(),
        attributes: HashMap::from([("resolution".to_owned(), "full-hd".to_owned())]),
        ..UsageItem::default()
    };
    Some(Usage { items: vec![item] })
}

/// The same job by what it will do.
pub fn reserve_by_usage(phase: &str, number: u64) -> ReserveRequest {
    ReserveRequest {
        account_id: subscriber_id(spread(number)),
        amount: String::new(),
        usage: seconds("1.5"),
        ..reserve(phase, number)
    }
}

/// Its end by what it did.
pub fn commit_by_usage(phase: &str, number: u64) -> CommitRequest {
    CommitRequest {
        account_id: subscriber_id(spread(number)),
        what: seconds("1.25").map(What::Usage),
        ..commit(phase, number)
    }
}

/// The end of the same job, a little under its hold.
pub fn commit(phase: &str, number: u64) -> CommitRequest {
    CommitRequest {
        account_id: account_id(spread(number)),
        hold_id: hold_id(phase, number),
        what: Some(What::Amount("1.25".into())),
        ..CommitRequest::default()
    }
}

pub fn hold_id(phase: &str, number: u64) -> String {
    format!("{phase}-{number:08}")
}

/// A multiplier without a common factor with the count visits every account before one comes twice.
pub fn spread(number: u64) -> usize {
    const STRIDE: u64 = 7919;
    usize::try_from(number.wrapping_mul(STRIDE) % ACCOUNTS as u64).unwrap_or_default()
}

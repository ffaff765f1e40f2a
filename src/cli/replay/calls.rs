//! A call of the simulation as a request, and its answer as far as it is compared.
//!
//! A call whose outcome is unknown or that found the service busy is sent again, which rule I1 makes safe.

use std::time::Duration;

use rust_decimal::Decimal;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    super::{client::Services, totals::amount},
    simulation::{Call, OVERDRAFT_LIMIT, TOP_UP},
};
use crate::proto::{
    Balance, CommitRequest, CreateAccountRequest, Durability, GrantCreditsRequest, GrantKind,
    ReleaseRequest, ReserveRequest, commit_request::What,
};

/// Long enough that no hold ends by time; the server's default maximum.
const TTL: prost_types::Duration = prost_types::Duration {
    seconds: 24 * 60 * 60,
    nanos: 0,
};
const SENDS_MAX: u32 = 30;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

/// An answer as far as it is compared.
#[derive(Debug)]
pub struct Answer {
    /// What the amounts are.
    pub what: &'static str,
    /// What the call did.
    pub amounts: Vec<Decimal>,
    /// The balance now.
    pub balance: Balance,
    /// It had been sent before.
    pub replayed: bool,
}

/// Creates the account; true when it was there already.
pub async fn create(services: &Services, account_id: &str) -> Result<bool, Status> {
    let request = CreateAccountRequest {
        account_id: account_id.to_owned(),
        overdraft_limit: Some(OVERDRAFT_LIMIT.to_string()),
        durability: Durability::Applied.into(),
        ..Default::default()
    };
    let answer = services.account.clone().create_account(request).await?;
    Ok(answer.into_inner().replayed)
}

/// Sends a call.
pub async fn send(services: &Services, account_id: &str, call: &Call) -> Result<Answer, Status> {
    let account_id = account_id.to_owned();
    match call {
        Call::Grant(number) => grant(services, account_id, *number).await,
        Call::Reserve(hold_id, credits, _) => {
            reserve(services, account_id, hold_id, *credits).await
        }
        Call::Commit(hold_id, credits, _) => commit(services, account_id, hold_id, *credits).await,
        Call::Release(hold_id, _) => release(services, account_id, hold_id).await,
    }
}

async fn grant(services: &Services, account_id: String, number: usize) -> Result<Answer, Status> {
    let request = GrantCreditsRequest {
        grant_id: format!("topup-{account_id}-{number}"),
        account_id,
        kind: GrantKind::TopUp.into(),
        amount: TOP_UP.to_string(),
        durability: Durability::Applied.into(),
        ..Default::default()
    };
    let answer = services
        .grant
        .clone()
        .grant_credits(request)
        .await?
        .into_inner();
    Ok(Answer {
        what: "amount",
        amounts: vec![amount(&answer.grant.unwrap_or_default().amount)?],
        balance: answer.balance.unwrap_or_default(),
        replayed: answer.replayed,
    })
}

async fn reserve(
    services: &Services,
    account_id: String,
    hold_id: &str,
    credits: Decimal,
) -> Result<Answer, Status> {
    let request = ReserveRequest {
        account_id,
        hold_id: hold_id.to_owned(),
        amount: credits.normalize().to_string(),
        ttl: Some(TTL),
        ..Default::default()
    };
    let answer = services
        .metering
        .clone()
        .reserve(request)
        .await?
        .into_inner();
    let mut pinned = Decimal::ZERO;
    for part in &answer.pinned {
        pinned += amount(&part.amount)?;
    }
    Ok(Answer {
        what: "pinned",
        amounts: vec![pinned],
        balance: answer.balance.unwrap_or_default(),
        replayed: answer.replayed,
    })
}

async fn commit(
    services: &Services,
    account_id: String,
    hold_id: &str,
    credits: Decimal,
) -> Result<Answer, Status> {
    let request = CommitRequest {
        account_id,
        hold_id: hold_id.to_owned(),
        what: Some(What::Amount(credits.normalize().to_string())),
        ..Default::default()
    };
    let answer = services
        .metering
        .clone()
        .commit(request)
        .await?
        .into_inner();
    Ok(Answer {
        what: "charged, overdrawn, absorbed",
        amounts: vec![
            amount(&answer.charged)?,
            amount(&answer.overdrawn)?,
            amount(&answer.absorbed)?,
        ],
        balance: answer.balance.unwrap_or_default(),
        replayed: answer.replayed,
    })
}

async fn release(services: &Services, account_id: String, hold_id: &str) -> Result<Answer, Status> {
    let request = ReleaseRequest {
        account_id,
        hold_id: hold_id.to_owned(),
        ..Default::default()
    };
    let answer = services
        .metering
        .clone()
        .release(request)
        .await?
        .into_inner();
    Ok(Answer {
        what: "released",
        amounts: vec![amount(&answer.released)?],
        balance: answer.balance.unwrap_or_default(),
        replayed: answer.replayed,
    })
}

/// Sends until the service decides, within a bound, waiting as long as it asks to.
pub async fn again<T>(send: impl AsyncFn() -> Result<T, Status>) -> Result<T, Status> {
    let mut sends = 1;
    loop {
        match send().await {
            Err(status) if sends < SENDS_MAX && is_unknown(status.code()) => {
                let asked = status
                    .get_details_retry_info()
                    .and_then(|retry| retry.retry_delay);
                tokio::time::sleep(asked.unwrap_or(RETRY_AFTER_MAX).min(RETRY_AFTER_MAX)).await;
                sends += 1;
            }
            decided => return decided,
        }
    }
}

fn is_unknown(code: Code) -> bool {
    // `Unknown` and `Cancelled` are what the client says of a broken connection and of its own time-out.
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
    )
}

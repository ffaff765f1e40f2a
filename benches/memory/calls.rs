//! The calls on made accounts, each checked against what the loader put there.

use std::time::{Duration, Instant};

use holdbook::proto::{
    Balance, Durability, GetBalanceRequest, ReleaseRequest, ReserveRequest,
    account_service_client::AccountServiceClient, metering_service_client::MeteringServiceClient,
};
use rust_decimal::Decimal;
use tokio::task::JoinSet;
use tonic::{Code, transport::Channel};

use super::{
    Outcome,
    loader::{Story, account_id},
};

/// Callers at once.
const IN_FLIGHT: usize = 64;
/// What a job takes.
const JOB: &str = "0.5";

/// Runs a call for each number, many at once. A call that fails, or is answered wrongly, ends the run.
pub async fn each<F>(
    channels: &[Channel],
    numbers: impl Iterator<Item = u64>,
    call: impl Fn(Channel, u64) -> F + Clone + Send + 'static,
) -> Outcome<()>
where
    F: Future<Output = Outcome<()>> + Send,
{
    let mut shares = vec![Vec::new(); IN_FLIGHT];
    for (at, number) in numbers.enumerate() {
        shares[at % IN_FLIGHT].push(number);
    }
    let mut callers = JoinSet::new();
    for (at, share) in shares.into_iter().enumerate() {
        let (channel, call) = (channels[at % channels.len()].clone(), call.clone());
        callers.spawn(async move {
            for number in share {
                call(channel.clone(), number).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Looks at an account; says how long that took.
pub async fn look(channel: Channel, number: u64) -> Outcome<Duration> {
    let request = GetBalanceRequest {
        account_id: account_id(number),
    };
    let started = Instant::now();
    let mut accounts = AccountServiceClient::new(channel);
    let answer = accounts.get_balance(request).await?.into_inner();
    let took = started.elapsed();
    check(number, answer.balance.as_ref(), "0")?;
    Ok(took)
}

/// Reserves on an account, which is refused where there are no credits, and leaves the hold open.
pub async fn reserve(channel: Channel, number: u64, run: &str) -> Outcome<()> {
    let request = ReserveRequest {
        account_id: account_id(number),
        hold_id: run.into(),
        amount: JOB.into(),
        ..ReserveRequest::default()
    };
    let answer = MeteringServiceClient::new(channel).reserve(request).await;
    match answer {
        Ok(answer) if has_credits(number) => {
            check(number, answer.into_inner().balance.as_ref(), JOB)
        }
        Err(refused) if refused.code() == Code::ResourceExhausted && !has_credits(number) => Ok(()),
        other => Err(format!("a reserve on {}: {other:?}", account_id(number)).into()),
    }
}

/// Ends what [`reserve`] began.
pub async fn release(channel: Channel, number: u64, run: &str) -> Outcome<()> {
    if !has_credits(number) {
        return Ok(());
    }
    let request = ReleaseRequest {
        account_id: account_id(number),
        hold_id: run.into(),
        durability: Durability::Applied.into(),
    };
    let answer = MeteringServiceClient::new(channel).release(request).await?;
    check(number, answer.into_inner().balance.as_ref(), "0")
}

fn has_credits(number: u64) -> bool {
    Story::of(number).expected().free != "0"
}

/// What the loader put there, less what is held.
fn check(number: u64, found: Option<&Balance>, held: &str) -> Outcome<()> {
    let expected = Story::of(number).expected();
    let (free, debt): (Decimal, Decimal) = (expected.free.parse()?, expected.debt.parse()?);
    let held: Decimal = held.parse()?;
    let found = found.ok_or("an answer without a balance")?;
    let amounts: [Decimal; 3] = [
        found.free.parse()?,
        found.held.parse()?,
        found.debt.parse()?,
    ];
    if amounts == [free - held, held, debt] {
        Ok(())
    } else {
        Err(format!(
            "{}: free, held and debt are {amounts:?}",
            account_id(number)
        )
        .into())
    }
}

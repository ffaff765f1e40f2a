//! Sends an account's calls in order and compares each answer with the simulation.
//!
//! A call whose outcome is unknown or that found the service busy is sent again, which rule I1 makes safe.

use std::time::Duration;

use indicatif::ProgressBar;
use rust_decimal::Decimal;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    super::{
        client::Services,
        refusal::Refusal,
        totals::{Totals, amount},
    },
    ReplayError,
    report::Difference,
    simulation::{Call, OVERDRAFT_LIMIT, Plan, Refused, Step, TOP_UP},
};
use crate::proto::{
    Balance, CommitRequest, CreateAccountRequest, Durability, GetBalanceRequest,
    GrantCreditsRequest, GrantKind, ReleaseRequest, ReserveRequest, commit_request::What,
};

/// Long enough that no hold ends by time; the server's default maximum.
const TTL: prost_types::Duration = prost_types::Duration {
    seconds: 24 * 60 * 60,
    nanos: 0,
};
const SENDS_MAX: u32 = 30;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

/// What the answers said.
#[derive(Debug, Default)]
pub struct Played {
    /// Calls answered, a retried one counted once.
    pub calls: usize,
    /// Of them, those answered as repeats.
    pub replayed: usize,
    /// Sum of the grants' amounts.
    pub granted: Decimal,
    /// Sum of what the commits charged, overdrew and absorbed.
    pub spent: Decimal,
    /// Sum of what the commits absorbed.
    pub absorbed: Decimal,
    /// Where an answer left the simulation; the account's calls end there.
    pub difference: Option<Difference>,
}

/// An answer as far as it is compared.
struct Answer {
    what: &'static str,
    amounts: Vec<Decimal>,
    balance: Balance,
    replayed: bool,
}

/// Plays an account.
pub async fn play(
    services: &Services,
    plan: &Plan,
    bar: &ProgressBar,
) -> Result<Played, ReplayError> {
    let account_id = &plan.account_id;
    let mut played = Played::default();
    let created = again(async || create(services, account_id).await)
        .await
        .map_err(|status| ReplayError::call(account_id, "CreateAccount", status))?;
    played.calls += 1;
    played.replayed += usize::from(created);
    bar.inc(1);
    for step in &plan.steps {
        let answer = again(async || send(services, account_id, &step.call).await).await;
        bar.inc(1);
        played.calls += 1;
        if let Some((what, computed, got)) = check(&mut played, step, answer)
            .map_err(|status| ReplayError::call(account_id, name(&step.call), status))?
        {
            played.difference = Some(Difference {
                account: account_id.clone(),
                what: format!("{}: {what}", name(&step.call)),
                computed,
                source: "service",
                got,
            });
            break;
        }
    }
    Ok(played)
}

/// The service's totals: free, held and debt as it knows them, the others as its answers added up.
pub async fn balance(services: &Services, plan: &Plan, played: &Played) -> Result<Totals, Status> {
    let request = GetBalanceRequest {
        account_id: plan.account_id.clone(),
    };
    let answer =
        again(async || services.account.clone().get_balance(request.clone()).await).await?;
    let balance = answer.into_inner().balance.unwrap_or_default();
    let [free, held, debt] = of_balance(&balance)?;
    Ok(Totals {
        granted: played.granted,
        spent: played.spent,
        absorbed: played.absorbed,
        debt,
        free,
        held,
        breakage: Decimal::ZERO,
    })
}

type Deviation = Option<(&'static str, String, String)>;

/// Compares an answer with its step; a status that is no refusal of the rules comes back as the error.
fn check(
    played: &mut Played,
    step: &Step,
    answer: Result<Answer, Status>,
) -> Result<Deviation, Status> {
    let expected = match &step.call {
        Call::Reserve(_, _, Some(Refused::InDebt)) => Some("IN_DEBT"),
        Call::Reserve(_, _, Some(Refused::InsufficientCredits)) => Some("INSUFFICIENT_CREDITS"),
        _ => None,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(status) => {
            let refusal = Refusal::from(status.clone());
            let Some(reason) = refusal
                .reason
                .filter(|_| status.code() != Code::Unavailable)
            else {
                return Err(status);
            };
            let computed =
                expected.map_or_else(|| "done".to_owned(), |reason| format!("refused: {reason}"));
            let got = format!("refused: {reason}");
            return Ok((computed != got).then_some(("outcome", computed, got)));
        }
    };
    played.replayed += usize::from(answer.replayed);
    if let (Some(reason), false) = (expected, answer.replayed) {
        return Ok(Some((
            "outcome",
            format!("refused: {reason}"),
            "done".to_owned(),
        )));
    }
    let computed = match &step.call {
        Call::Grant(_) => {
            played.granted += answer.amounts.iter().sum::<Decimal>();
            vec![TOP_UP]
        }
        Call::Reserve(_, amount, _) => vec![*amount],
        Call::Commit(_, _, parts) => {
            played.spent += answer.amounts.iter().sum::<Decimal>();
            played.absorbed += answer.amounts.last().copied().unwrap_or_default();
            parts.to_vec()
        }
        Call::Release(_, pins) => vec![*pins],
    };
    if computed != answer.amounts {
        return Ok(Some((
            answer.what,
            words(&computed),
            words(&answer.amounts),
        )));
    }
    // A repeat carries the balance of now, which is that of the end.
    let after = of_balance(&answer.balance)?;
    if !answer.replayed && after != step.after {
        return Ok(Some((
            "free, held, debt after it",
            words(&step.after),
            words(&after),
        )));
    }
    Ok(None)
}

async fn create(services: &Services, account_id: &str) -> Result<bool, Status> {
    let request = CreateAccountRequest {
        account_id: account_id.to_owned(),
        overdraft_limit: Some(OVERDRAFT_LIMIT.to_string()),
        durability: Durability::Applied.into(),
        ..Default::default()
    };
    let answer = services.account.clone().create_account(request).await?;
    Ok(answer.into_inner().replayed)
}

async fn send(services: &Services, account_id: &str, call: &Call) -> Result<Answer, Status> {
    let account_id = account_id.to_owned();
    let mut metering = services.metering.clone();
    let (what, amounts, balance, replayed) = match call {
        Call::Grant(number) => {
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
            let amounts = vec![amount(&answer.grant.unwrap_or_default().amount)?];
            ("amount", amounts, answer.balance, answer.replayed)
        }
        Call::Reserve(hold_id, credits, _) => {
            let request = ReserveRequest {
                account_id,
                hold_id: hold_id.clone(),
                amount: credits.normalize().to_string(),
                ttl: Some(TTL),
                ..Default::default()
            };
            let answer = metering.reserve(request).await?.into_inner();
            let mut pinned = Decimal::ZERO;
            for part in &answer.pinned {
                pinned += amount(&part.amount)?;
            }
            ("pinned", vec![pinned], answer.balance, answer.replayed)
        }
        Call::Commit(hold_id, credits, _) => {
            let request = CommitRequest {
                account_id,
                hold_id: hold_id.clone(),
                what: Some(What::Amount(credits.normalize().to_string())),
                ..Default::default()
            };
            let answer = metering.commit(request).await?.into_inner();
            let parts = [&answer.charged, &answer.overdrawn, &answer.absorbed];
            let amounts = parts
                .into_iter()
                .map(|part| amount(part))
                .collect::<Result<_, _>>()?;
            (
                "charged, overdrawn, absorbed",
                amounts,
                answer.balance,
                answer.replayed,
            )
        }
        Call::Release(hold_id, _) => {
            let request = ReleaseRequest {
                account_id,
                hold_id: hold_id.clone(),
                ..Default::default()
            };
            let answer = metering.release(request).await?.into_inner();
            (
                "released",
                vec![amount(&answer.released)?],
                answer.balance,
                answer.replayed,
            )
        }
    };
    Ok(Answer {
        what,
        amounts,
        balance: balance.unwrap_or_default(),
        replayed,
    })
}

/// Sends until the service decides, within a bound, waiting as long as it asks to.
async fn again<T>(send: impl AsyncFn() -> Result<T, Status>) -> Result<T, Status> {
    let mut sends = 1;
    loop {
        match send().await {
            Err(status) if status.code() == Code::Unavailable && sends < SENDS_MAX => {
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

fn of_balance(balance: &Balance) -> Result<[Decimal; 3], Status> {
    Ok([
        amount(&balance.free)?,
        amount(&balance.held)?,
        amount(&balance.debt)?,
    ])
}

fn name(call: &Call) -> String {
    match call {
        Call::Grant(number) => format!("grant {number}"),
        Call::Reserve(hold_id, ..) => format!("reserve {hold_id}"),
        Call::Commit(hold_id, ..) => format!("commit {hold_id}"),
        Call::Release(hold_id, _) => format!("release {hold_id}"),
    }
}

fn words(amounts: &[Decimal]) -> String {
    let words: Vec<String> = amounts
        .iter()
        .map(|amount| amount.normalize().to_string())
        .collect();
    words.join(", ")
}

//! Plays an account's calls in order and compares each answer with the simulation.

use indicatif::ProgressBar;
use rust_decimal::Decimal;
use tonic::{Code, Status};

use super::{
    super::{
        client::Services,
        refusal::Refusal,
        totals::{Totals, amount},
    },
    ReplayError,
    calls::{Answer, again, create, send},
    report::Difference,
    simulation::{Call, Plan, Refused, Step, TOP_UP},
};
use crate::proto::{Balance, GetBalanceRequest};

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

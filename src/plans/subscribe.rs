//! How a subscription begins.

use rust_decimal::Decimal;

use super::{
    Done, Grant, Outcome, Phase, Refusal, Subscription, Terms, What,
    subscription::{Step, grant_id},
};
use crate::domain::{account::Micros, credits::Credits, plan::AfterTrial};

/// The wish for a subscription, and what the account has behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Its id, the caller's.
    pub id: String,
    /// What is agreed.
    pub terms: Terms,
    /// With the plan's trial.
    pub trial: bool,
    /// The account's subscription that is not over.
    pub running: Option<String>,
    /// No subscription of the account was paid for before.
    pub first: bool,
    /// The account had a trial before.
    pub had_trial: bool,
}

/// Begins a subscription.
///
/// # Errors
/// Why there is none.
pub fn subscribe(wish: &Subscribe, now: Micros) -> Result<Outcome, Refusal> {
    if let Some(subscription) = wish.running.clone() {
        return Err(Refusal::AlreadySubscribed { subscription });
    }
    let trial = match (wish.trial, wish.terms.trial) {
        (false, _) => None,
        (true, _) if wish.had_trial => return Err(Refusal::TrialUsed),
        (true, None) => {
            return Err(Refusal::NoTrial {
                plan: wish.terms.plan.clone(),
            });
        }
        (true, trial) => trial,
    };
    let until = trial.map(|trial| trial.lasts.after(now).unwrap_or(Micros::MAX));
    let mut step = Step::new(Subscription {
        id: wish.id.clone(),
        first: wish.first,
        terms: wish.terms.clone(),
        change: None,
        cancelled: false,
        phase: Phase::Trial {
            from: now,
            until: until.unwrap_or(now),
            then: trial.map_or(AfterTrial::Convert, |trial| trial.then),
            grant: None,
        },
        cycle: 0,
        paid_since: None,
        paid: Decimal::ZERO,
        unpaid: Vec::new(),
        effects: 0,
    });
    step.tell_plan(now);
    match (trial, until) {
        (Some(trial), Some(until)) => step.try_out(trial.allowance, now, until),
        _ => step.anchor(now),
    }
    Ok(step.said(Ok(Done::Changed)))
}

impl Step {
    /// The trial's credits, which never roll.
    fn try_out(&mut self, amount: Credits, now: Micros, until: Micros) {
        if amount == Credits::ZERO {
            return;
        }
        let id = grant_id(&self.it.id, 0, None);
        if let Phase::Trial { grant, .. } = &mut self.it.phase {
            *grant = Some(id.clone());
        }
        let grant = Grant {
            grant_id: id,
            cycle: 0,
            amount,
            starts_at: now,
            expires_at: until,
            rolls: None,
        };
        self.tell(now, What::Grant(grant));
    }
}

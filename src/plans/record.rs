//! All that an account's subscriptions come to: the latest, what those before it settle, and the calls that made it what it is.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    Bill, Command, Done, Effect, Outcome, Phase, Refusal, Subscribe, Subscription, Terms, What,
    Why, act, subscribe, subscription::Step,
};
use crate::domain::{account::Micros, credits::Credits};

/// So many calls are remembered here, the latest last; of those before only the ledger knows.
pub const CALLS_KEPT: usize = 16;

/// What is kept of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Steps so far: who changes it says which it has seen.
    pub revision: u32,
    /// Subscriptions so far.
    pub subscribed: u32,
    /// One of them had a trial.
    pub had_trial: bool,
    /// One of those before the latest was paid for.
    pub paid_before: bool,
    /// When the cycle of a free plan ends that was cancelled within it: its credits come once in a cycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_until: Option<Micros>,
    /// The latest, also when it is over.
    pub latest: Option<Subscription>,
    /// The latest calls.
    pub calls: Vec<Call>,
}

/// A call that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The subscription.
    pub subscription_id: String,
    /// Its own id; empty for the one that made the subscription.
    pub call_id: String,
    /// What was sent.
    pub sent: BTreeMap<String, String>,
    /// What it came to.
    pub answer: Answer,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// It changed something.
    pub changed: bool,
    /// When it was done.
    pub at: Micros,
    /// When what it asks for holds, if that is known.
    pub holds_from: Option<Micros>,
    /// Credits that it granted.
    pub granted: Credits,
    /// Money to take by it.
    pub charge: Decimal,
    /// Money to give back by it.
    pub credit: Decimal,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The subscription.
    pub subscription_id: String,
    /// Its own id; empty for one that makes a subscription.
    pub call_id: String,
    /// What was sent, by the names of the fields, for comparison.
    pub sent: BTreeMap<String, String>,
    /// What is wanted.
    pub wanted: Wanted,
    /// When it was done, for who must do it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Micros>,
}

/// What a call wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// A subscription.
    Subscribe {
        /// What is agreed.
        terms: Box<Terms>,
        /// With the plan's trial.
        trial: bool,
    },
    /// A change of it.
    Command(Box<Command>),
}

impl Wanted {
    /// It is another plan for the same subscription.
    #[must_use]
    pub fn is_change_of_plan(&self) -> bool {
        matches!(self, Self::Command(command) if matches!(**command, Command::ChangePlan(_)))
    }
}

/// A record after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// It.
    pub after: Record,
    /// What others have to do, in order.
    pub effects: Vec<Effect>,
}

impl Record {
    /// When time changes it next.
    #[must_use]
    pub fn next_due(&self) -> Option<Micros> {
        self.latest.as_ref().and_then(Subscription::next_due)
    }

    /// The terms that hold: none without a subscription that goes on.
    #[must_use]
    pub fn terms(&self) -> Option<&Terms> {
        let latest = self.latest.as_ref()?;
        (!matches!(latest.phase, Phase::Ended(_))).then_some(&latest.terms)
    }

    /// What is due at an instant, at most so many ends of cycles and trials.
    #[must_use]
    pub fn due(&self, now: Micros, most: usize) -> Taken {
        let mut after = self.clone();
        let Some(latest) = after.latest.take() else {
            return Taken {
                after,
                effects: Vec::new(),
            };
        };
        let mut step = Step::new(latest);
        step.some_due(now, most);
        after.latest = Some(step.it);
        after.revision += 1;
        Taken {
            after,
            effects: step.effects,
        }
    }

    /// The call that was done under an order's ids, as far as it is remembered here.
    #[must_use]
    pub fn call(&self, order: &Order) -> Option<&Call> {
        self.find(&order.subscription_id, &order.call_id)
    }

    /// The same by the two ids.
    #[must_use]
    pub fn find(&self, subscription_id: &str, call_id: &str) -> Option<&Call> {
        let same =
            |call: &&Call| call.subscription_id == subscription_id && call.call_id == call_id;
        self.calls.iter().rev().find(same)
    }

    /// Whether all calls that were ever done are remembered here.
    #[must_use]
    pub fn knows_all(&self) -> bool {
        self.calls.len() < CALLS_KEPT
    }

    /// Does what a call wants. What is due is done before.
    ///
    /// # Errors
    /// Why not. Nothing is remembered then.
    pub fn take(&self, order: &Order, now: Micros) -> Result<Taken, Refusal> {
        let mut after = self.clone();
        let outcome = match (&order.wanted, &self.latest) {
            (Wanted::Subscribe { terms, trial }, latest) => {
                let over = |it: &&Subscription| matches!(it.phase, Phase::Ended(_));
                let running = latest.as_ref().filter(|it| !over(it));
                after.paid_before |= latest.as_ref().is_some_and(was_paid);
                after.had_trial |= *trial;
                after.subscribed += 1;
                let wait = self.free_until.filter(|at| terms.is_free() && now < *at);
                if let (None, Some(at)) = (running, wait) {
                    return Err(Refusal::TooSoon { at });
                }
                let wish = Subscribe {
                    id: order.subscription_id.clone(),
                    terms: (**terms).clone(),
                    trial: *trial,
                    running: running.map(|it| it.id.clone()),
                    first: !after.paid_before,
                    had_trial: self.had_trial,
                };
                subscribe(&wish, now)?
            }
            (Wanted::Command(command), Some(latest)) if latest.id == order.subscription_id => {
                act(latest, command, now)
            }
            (Wanted::Command(_), _) => return Err(Refusal::NotFound),
        };
        let Outcome {
            after: latest,
            effects,
            said,
        } = outcome;
        let answer = answer(&latest, order, said?, &effects, now);
        after.calls.push(Call {
            subscription_id: order.subscription_id.clone(),
            call_id: order.call_id.clone(),
            sent: order.sent.clone(),
            answer,
        });
        let more = after.calls.len().saturating_sub(CALLS_KEPT);
        after.calls.drain(..more);
        if let Some(until) = free_cycle(self.latest.as_ref()) {
            after.free_until = Some(until).filter(|_| matches!(latest.phase, Phase::Ended(_)));
        }
        after.latest = Some(latest);
        after.revision += 1;
        Ok(Taken { after, effects })
    }
}

/// Money has come in for it, also if it went back.
fn was_paid(it: &Subscription) -> bool {
    let refunded = matches!(it.phase, Phase::Ended(ended) if ended.why == Why::Refunded);
    it.paid > Decimal::ZERO || refunded
}

/// The end of the cycle of a free plan that goes on.
fn free_cycle(latest: Option<&Subscription>) -> Option<Micros> {
    let latest = latest.filter(|it| it.terms.is_free())?;
    match latest.phase {
        Phase::Active(_) => latest.next_due(),
        Phase::Trial { .. } | Phase::Ended(_) => None,
    }
}

fn answer(
    after: &Subscription,
    order: &Order,
    done: Done,
    effects: &[Effect],
    now: Micros,
) -> Answer {
    let mut answer = Answer {
        changed: done == Done::Changed,
        at: now,
        holds_from: holds_from(after, order, now),
        granted: Credits::ZERO,
        charge: Decimal::ZERO,
        credit: Decimal::ZERO,
    };
    for effect in effects {
        match &effect.what {
            What::Grant(grant) => answer.granted += grant.amount,
            What::Bill(Bill::Charge { amount, .. }) => answer.charge += amount,
            What::Bill(Bill::Change { credit, charge, .. }) => {
                answer.charge += charge;
                answer.credit += credit;
            }
            What::Bill(Bill::Refund { amount }) => answer.credit += amount,
            What::Plan { .. } | What::End { .. } | What::Ended { .. } => {}
        }
    }
    answer
}

/// What is scheduled holds from the end of the trial or the paid period, all else from now.
fn holds_from(after: &Subscription, order: &Order, now: Micros) -> Option<Micros> {
    let Wanted::Command(command) = &order.wanted else {
        return Some(now);
    };
    let later = match &**command {
        Command::ChangePlan(terms) => after.change.as_ref() == Some(terms),
        Command::Cancel(_) => !matches!(after.phase, Phase::Ended(_)),
        _ => false,
    };
    if later { after.changes_at() } else { Some(now) }
}

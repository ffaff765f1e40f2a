//! A subscription as it stands between two steps.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Bill, Effect, Grant, Refusal, Rhythm, Rolls, Terms, What};
use crate::domain::{
    account::Micros,
    credits::Credits,
    plan::{AfterTrial, GrantOn},
};

/// A subscription. A plain value: whoever keeps it may write all fields as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id, never used again.
    pub id: String,
    /// No subscription of the account was paid for before.
    pub first: bool,
    /// What holds now.
    pub terms: Terms,
    /// What holds from the end of the paid period.
    pub change: Option<Terms>,
    /// It ends with the trial or the paid period.
    pub cancelled: bool,
    /// Where it stands.
    pub phase: Phase,
    /// Its latest cycle, from 1; 0: none yet.
    pub cycle: u32,
    /// When its first paid period began.
    pub paid_since: Option<Micros>,
    /// What was paid, net.
    pub paid: Decimal,
    /// First cycles of paid periods that ended without their payment.
    pub unpaid: Vec<u32>,
    /// Effects so far.
    pub effects: u32,
}

/// Where a subscription stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing is paid yet.
    Trial {
        /// The beginning of it.
        from: Micros,
        /// The end of it.
        until: Micros,
        /// What follows.
        then: AfterTrial,
        /// Its grant.
        grant: Option<String>,
    },
    /// In a cycle.
    Active(Running),
    /// Over.
    Ended(Ended),
}

/// The current cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its bounds and those of all after it.
    pub rhythm: Rhythm,
    /// The paid period's payment has come in, or is not waited for.
    pub settled: bool,
    /// The ids of its grants.
    pub grants: Vec<String>,
    /// How much of its grants may roll at most: what is left of the cap for one more is the cap less this.
    pub rollable: Credits,
}

/// The end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Micros,
    /// Why.
    pub why: Why,
}

/// Why a subscription is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// It was cancelled.
    Cancelled,
    /// Its trial did not go on.
    TrialOver,
    /// Its money went back.
    Refunded,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It changed something.
    Changed,
    /// What it asks for stood already.
    Unchanged,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The subscription afterwards, also when the command was refused: what was due stays done.
    pub after: Subscription,
    /// What others have to do, in order.
    pub effects: Vec<Effect>,
    /// Of the command itself.
    pub said: Result<Done, Refusal>,
}

impl Subscription {
    /// When time changes it next.
    #[must_use]
    pub fn next_due(&self) -> Option<Micros> {
        let next = match &self.phase {
            Phase::Trial { until, .. } => *until,
            Phase::Active(running) => running.rhythm.cycle(self.cycle).until,
            Phase::Ended(_) => return None,
        };
        (next < Micros::MAX).then_some(next)
    }

    /// When a cancellation or a scheduled change takes effect: the end of the trial or of the paid period.
    #[must_use]
    pub fn changes_at(&self) -> Option<Micros> {
        match &self.phase {
            Phase::Trial { until, .. } => Some(*until),
            Phase::Active(running) => Some(running.rhythm.paid(self.cycle).until),
            Phase::Ended(_) => None,
        }
    }
}

/// A subscription in the middle of a step, and what the step has told so far.
pub(super) struct Step {
    pub(super) it: Subscription,
    pub(super) effects: Vec<Effect>,
}

impl Step {
    pub(super) fn new(it: Subscription) -> Self {
        Self {
            it,
            effects: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, at: Micros, what: What) {
        self.it.effects += 1;
        self.effects.push(Effect {
            number: self.it.effects,
            at,
            what,
        });
    }

    pub(super) fn tell_plan(&mut self, at: Micros) {
        let (plan, version) = (self.it.terms.plan.clone(), self.it.terms.version);
        self.tell(at, What::Plan { plan, version });
    }

    /// Credits of the current cycle; none are no grant (A4). Of an upgrade there may be several in one.
    pub(super) fn grant(
        &mut self,
        running: &mut Running,
        amount: Credits,
        upgrade: bool,
        at: Micros,
    ) {
        if amount == Credits::ZERO {
            return;
        }
        let until = running.rhythm.cycle(self.it.cycle).until;
        let grant = Grant {
            grant_id: grant_id(
                &self.it.id,
                self.it.cycle,
                upgrade.then_some(self.it.effects + 1),
            ),
            cycle: self.it.cycle,
            amount,
            starts_at: at,
            expires_at: until,
            rolls: rolls(&self.it.terms, running, amount, until),
        };
        running.grants.push(grant.grant_id.clone());
        self.tell(at, What::Grant(grant));
    }

    /// A paid period begins, by which the money is told and, where it is not waited for, counted.
    pub(super) fn charge(&mut self, running: &mut Running, at: Micros) {
        let amount = self.it.terms.price;
        if amount.is_zero() {
            running.settled = true;
            return;
        }
        self.it.paid_since.get_or_insert(at);
        running.settled = self.it.terms.grant_on == GrantOn::Renewal;
        if running.settled {
            self.it.paid += amount;
        }
        let bill = Bill::Charge {
            cycle: self.it.cycle,
            period: running.rhythm.paid(self.it.cycle),
            amount,
        };
        self.tell(at, What::Bill(bill));
    }

    /// The subscription is over.
    pub(super) fn end(&mut self, at: Micros, why: Why) {
        if let Phase::Active(running) = &self.it.phase
            && !running.settled
        {
            self.it.unpaid.push(running.rhythm.paid_from(self.it.cycle));
        }
        let keep_data_until = self.it.terms.retention.and_then(|term| term.after(at));
        self.it.change = None;
        self.it.phase = Phase::Ended(Ended { at, why });
        self.tell(
            at,
            What::Ended {
                why,
                keep_data_until,
            },
        );
    }

    pub(super) fn said(self, said: Result<Done, Refusal>) -> Outcome {
        Outcome {
            after: self.it,
            effects: self.effects,
            said,
        }
    }
}

/// The trial is cycle 0. The subscription's id stands last, since it may have any sign in it.
pub(super) fn grant_id(subscription: &str, cycle: u32, upgrade: Option<u32>) -> String {
    match upgrade {
        None => format!("~plan:{cycle}:{subscription}"),
        Some(effect) => format!("~plan:{cycle}+{effect}:{subscription}"),
    }
}

/// The cap is of the cycle: a second grant of it may roll what the first leaves of the cap.
fn rolls(terms: &Terms, running: &mut Running, amount: Credits, until: Micros) -> Option<Rolls> {
    let rollover = terms.rollover?;
    let cap = rollover
        .cap
        .map(|cap| (cap - running.rollable).max(Credits::ZERO));
    if cap == Some(Credits::ZERO) {
        return None;
    }
    running.rollable += cap.map_or(amount, |cap| cap.min(amount));
    Some(Rolls {
        until: rollover.lasts.after(until),
        cap,
    })
}

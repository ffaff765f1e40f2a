//! What time does: cycles follow each other, trials and subscriptions end.

use super::{Effect, Phase, Rhythm, Running, Subscription, Why, subscription::Step};
use crate::domain::{account::Micros, credits::Credits, plan::AfterTrial};

/// All that is due at an instant, each at its own, in order. However many looks it takes, what comes of it is the same.
#[must_use]
pub fn due(before: &Subscription, now: Micros) -> (Subscription, Vec<Effect>) {
    let mut step = Step::new(before.clone());
    step.due(now);
    (step.it, step.effects)
}

impl Step {
    /// All that is due.
    pub(super) fn due(&mut self, now: Micros) {
        self.some_due(now, usize::MAX);
    }

    /// What is due, at most so many ends of cycles and trials.
    pub(super) fn some_due(&mut self, now: Micros, most: usize) {
        for _ in 0..most {
            let Some(at) = self.it.next_due().filter(|at| *at <= now) else {
                return;
            };
            match self.it.phase.clone() {
                Phase::Trial { then, .. } => self.trial_ends(then, at),
                Phase::Active(running) => self.cycle_ends(running, at),
                Phase::Ended(_) => return,
            }
        }
    }

    fn trial_ends(&mut self, then: AfterTrial, at: Micros) {
        match then {
            _ if self.it.cancelled => self.end(at, Why::Cancelled),
            AfterTrial::End => self.end(at, Why::TrialOver),
            AfterTrial::Convert => self.anchor(at),
        }
    }

    fn cycle_ends(&mut self, mut running: Running, at: Micros) {
        let paid_on = running.rhythm.paid_from(self.it.cycle + 1) == self.it.cycle + 1;
        if !paid_on {
            self.it.cycle += 1;
            self.begin(running, at);
            return;
        }
        if self.it.cancelled {
            self.end(at, Why::Cancelled);
            return;
        }
        if !running.settled {
            self.it.unpaid.push(running.rhythm.paid_from(self.it.cycle));
        }
        if let Some(terms) = self.it.change.take() {
            let same = terms.cycles() == self.it.terms.cycles();
            self.it.terms = terms;
            self.tell_plan(at);
            if !same {
                self.anchor(at);
                return;
            }
        }
        self.it.cycle += 1;
        self.charge(&mut running, at);
        self.begin(running, at);
    }

    /// A first cycle, from which all after it are counted.
    pub(super) fn anchor(&mut self, at: Micros) {
        self.it.cycle += 1;
        let (cycle, paid_together) = self.it.terms.cycles();
        let mut running = Running {
            rhythm: Rhythm {
                anchor: at,
                first: self.it.cycle,
                cycle,
                paid_together,
            },
            settled: true,
            grants: Vec::new(),
            rollable: Credits::ZERO,
        };
        self.charge(&mut running, at);
        self.begin(running, at);
    }

    /// A cycle begins, with its credits unless they wait for the payment.
    fn begin(&mut self, mut running: Running, at: Micros) {
        running.grants.clear();
        running.rollable = Credits::ZERO;
        if running.settled {
            let allowance = self.it.terms.allowance;
            self.grant(&mut running, allowance, false, at);
        }
        self.it.phase = Phase::Active(running);
    }
}

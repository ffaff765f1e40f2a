//! What a caller changes. What is due is done first, so a command at the instant of a renewal is one of the new cycle.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    Bill, Done, Ended, Ending, Outcome, Phase, Refusal, Subscription, Terms, What, Why,
    proration::{credits_left, money_left},
    subscription::Step,
};
use crate::domain::{account::Micros, credits::Credits, plan::CreditsOnUpgrade};

/// Each says what shall be, so that saying it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "commands are few, and boxed where they are kept"
)]
pub enum Command {
    /// These terms: at once if they are no less and have the same cycles, else from the end of the paid period.
    ChangePlan(Terms),
    /// No change at the end of the paid period. A cancellation stays.
    CancelScheduledChange,
    /// An end.
    Cancel(When),
    /// No end.
    Resume,
    /// The payment of the paid period that a cycle is in has come in.
    Payment {
        /// The cycle's number, as the charge named it.
        cycle: u32,
    },
    /// All that was paid goes back, and the subscription is over.
    Refund,
}

/// When a subscription shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// With what is paid for, or the trial.
    PeriodEnd,
    /// At once, and no money comes back.
    Now,
}

/// Does what is due, then a command.
#[must_use]
pub fn act(before: &Subscription, command: &Command, now: Micros) -> Outcome {
    let mut step = Step::new(before.clone());
    step.due(now);
    let said = match command {
        Command::ChangePlan(terms) => step.change(terms, now),
        Command::CancelScheduledChange => step.cancel_change(),
        Command::Cancel(when) => Ok(step.cancel(*when, now)),
        Command::Resume => step.resume(),
        Command::Payment { cycle } => step.payment(*cycle, now),
        Command::Refund => step.refund(now),
    };
    step.said(said)
}

impl Step {
    fn change(&mut self, to: &Terms, now: Micros) -> Result<Done, Refusal> {
        self.not_over()?;
        if *to == self.it.terms || self.it.change.as_ref() == Some(to) {
            return Ok(Done::Unchanged);
        }
        if self.it.cancelled {
            let at = self.it.changes_at().unwrap_or(now);
            return Err(Refusal::Cancelled { at });
        }
        let rank = to.rank(&self.it.terms);
        match self.it.phase.clone() {
            // Nothing is paid, so nothing is prorated, and the trial stays what it is.
            Phase::Trial { .. } => {
                self.it.terms = to.clone();
                self.tell_plan(now);
            }
            Phase::Active(running)
                if rank != Ordering::Less && to.cycles() == self.it.terms.cycles() =>
            {
                let cycle = running.rhythm.paid_from(self.it.cycle);
                if !running.settled {
                    return Err(Refusal::PaymentOutstanding { cycle });
                }
                self.change_now(to, rank, now);
            }
            _ => self.it.change = Some(to.clone()),
        }
        Ok(Done::Changed)
    }

    /// The cycle goes on under other terms.
    fn change_now(&mut self, to: &Terms, rank: Ordering, now: Micros) {
        let Phase::Active(mut running) = self.it.phase.clone() else {
            return;
        };
        let old = std::mem::replace(&mut self.it.terms, to.clone());
        self.it.change = None;
        self.tell_plan(now);
        let paid = running.rhythm.paid(self.it.cycle);
        let credit = money_left(old.price, paid, now);
        let charge = money_left(to.price, paid, now);
        if credit != charge {
            self.it.paid_since.get_or_insert(now);
            self.it.paid += charge - credit;
            let cycle = running.rhythm.paid_from(self.it.cycle);
            let bill = Bill::Change {
                cycle,
                credit,
                charge,
            };
            self.tell(now, What::Bill(bill));
        }
        // Between plans of one rank one could go to and fro, and be given credits each time.
        if rank == Ordering::Greater {
            let more = (to.allowance - old.allowance).max(Credits::ZERO);
            let amount = match to.credits_on_upgrade {
                CreditsOnUpgrade::None => Credits::ZERO,
                CreditsOnUpgrade::Full => to.allowance,
                CreditsOnUpgrade::Difference => more,
                CreditsOnUpgrade::ProratedDifference => {
                    credits_left(more, running.rhythm.cycle(self.it.cycle), now)
                }
            };
            self.grant(&mut running, amount, true, now);
        }
        self.it.phase = Phase::Active(running);
    }

    fn cancel_change(&mut self) -> Result<Done, Refusal> {
        self.not_over()?;
        match self.it.change.take() {
            Some(_) => Ok(Done::Changed),
            None => Ok(Done::Unchanged),
        }
    }

    fn cancel(&mut self, when: When, now: Micros) -> Done {
        match (&self.it.phase, when) {
            (Phase::Ended(_), _) => return Done::Unchanged,
            (_, When::PeriodEnd) if self.it.cancelled => return Done::Unchanged,
            (_, When::PeriodEnd) => self.it.cancelled = true,
            (_, When::Now) => {
                self.end_grants(Ending::Breakage, now);
                self.end(now, Why::Cancelled);
            }
        }
        Done::Changed
    }

    fn resume(&mut self) -> Result<Done, Refusal> {
        self.not_over()?;
        if !std::mem::take(&mut self.it.cancelled) {
            return Ok(Done::Unchanged);
        }
        Ok(Done::Changed)
    }

    fn payment(&mut self, cycle: u32, now: Micros) -> Result<Done, Refusal> {
        let over = |unpaid: &[u32]| match unpaid.contains(&cycle) {
            true => Err(Refusal::PaidTooLate { cycle }),
            false => Ok(Done::Unchanged),
        };
        match self.it.phase.clone() {
            Phase::Trial { .. } => Err(Refusal::NotBegun { current: 0 }),
            Phase::Ended(_) if cycle > self.it.cycle => Err(Refusal::NotBegun {
                current: self.it.cycle,
            }),
            Phase::Ended(_) => over(&self.it.unpaid),
            Phase::Active(mut running) => {
                let current = running.rhythm.paid_from(self.it.cycle);
                if cycle < current {
                    return over(&self.it.unpaid);
                }
                if cycle >= current + running.rhythm.paid_together {
                    return Err(Refusal::NotBegun { current });
                }
                if std::mem::replace(&mut running.settled, true) {
                    return Ok(Done::Unchanged);
                }
                self.it.paid += self.it.terms.price;
                let allowance = self.it.terms.allowance;
                self.grant(&mut running, allowance, false, now);
                self.it.phase = Phase::Active(running);
                Ok(Done::Changed)
            }
        }
    }

    fn refund(&mut self, now: Micros) -> Result<Done, Refusal> {
        match self.it.phase {
            Phase::Ended(Ended {
                why: Why::Refunded, ..
            }) => return Ok(Done::Unchanged),
            Phase::Ended(Ended { at, why }) if why != Why::Cancelled => {
                return Err(Refusal::Over { at, why });
            }
            _ => {}
        }
        let term = self.it.terms.refund_within.ok_or(Refusal::NoRefund)?;
        if !self.it.first {
            return Err(Refusal::NotFirst);
        }
        let since = self.it.paid_since.ok_or(Refusal::NothingPaid)?;
        if let Some(at) = term.after(since).filter(|at| *at <= now) {
            return Err(Refusal::RefundWindowOver { at });
        }
        if self.it.paid <= Decimal::ZERO {
            return Err(Refusal::NothingPaid);
        }
        let amount = std::mem::take(&mut self.it.paid);
        self.end_grants(Ending::Revoked, now);
        self.tell(now, What::Bill(Bill::Refund { amount }));
        match &mut self.it.phase {
            Phase::Ended(ended) => ended.why = Why::Refunded,
            _ => self.end(now, Why::Refunded),
        }
        Ok(Done::Changed)
    }

    /// The grants of the current cycle or trial end now.
    fn end_grants(&mut self, as_: Ending, now: Micros) {
        let grants: Vec<_> = match &self.it.phase {
            Phase::Trial { grant, .. } => grant.iter().cloned().collect(),
            Phase::Active(running) => running.grants.clone(),
            Phase::Ended(_) => return,
        };
        if !grants.is_empty() {
            self.tell(now, What::End { grants, as_ });
        }
    }

    fn not_over(&self) -> Result<(), Refusal> {
        match self.it.phase {
            Phase::Ended(Ended { at, why }) => Err(Refusal::Over { at, why }),
            _ => Ok(()),
        }
    }
}

//! The second copy: what this process has acknowledged and the ledger does not have yet, so that it can be done again should Redis
//! go back in time.
//!
//! Owns what is kept, for how long and how much of it. It does not replay; that is `replays`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    domain::{
        credits::Credits,
        event::{Move, MoveKind},
        hold::Hold,
    },
    holds::{
        again::Again,
        operation::{Operation, Replay, Verb},
        packed::{Answer, NEVER, Outcome, commit, pack_hold_request},
    },
    ledger::Cursor,
};

/// One acknowledgement, and the entry that it is certain to be in the ledger with.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The epoch that it was answered in.
    pub epoch: u64,
    /// The partition's entry when it was answered.
    pub n: u64,
    /// The call, with what the acknowledgement said.
    pub operation: Operation,
}

/// What is kept of a partition.
#[derive(Default)]
struct Shelf {
    /// As acknowledged: what the ledger reaches next stands in front.
    queue: VecDeque<Kept>,
    /// Of older eras, and not replayed yet. No cursor comes to it any more, so it must not stand in front of the queue.
    left: Vec<Kept>,
}

/// What is kept, by partition. Cheap to clone.
#[derive(Clone)]
pub struct SecondCopy {
    partitions: Arc<Vec<Mutex<Shelf>>>,
    bound: usize,
}

impl SecondCopy {
    /// Keeps at most about twice `bound` acknowledgements of each partition.
    #[must_use]
    pub fn new(partitions: u32, bound: usize) -> Self {
        let partitions = (0..partitions).map(|_| Mutex::default()).collect();
        Self {
            partitions: Arc::new(partitions),
            bound,
        }
    }

    fn with<T>(&self, partition: u32, work: impl FnOnce(&mut Shelf) -> T, none: T) -> T {
        match self.partitions.get(partition as usize) {
            // A panic elsewhere leaves a shelf that is still whole: every change of it is one push or pop.
            Some(shelf) => work(&mut shelf.lock().unwrap_or_else(PoisonError::into_inner)),
            None => none,
        }
    }

    /// Keeps an acknowledgement.
    pub fn keep(&self, partition: u32, kept: Kept) {
        self.with(partition, |shelf| shelf.queue.push_back(kept), ());
    }

    /// Lets go of what the ledger has: of the cursor's own epoch only, since another's entries have the same numbers.
    pub fn settle(&self, partition: u32, cursor: Cursor) {
        self.with(
            partition,
            |shelf| {
                while shelf
                    .queue
                    .front()
                    .is_some_and(|kept| kept.epoch == cursor.epoch && kept.n <= cursor.n)
                {
                    shelf.queue.pop_front();
                }
            },
            (),
        );
    }

    /// How many are kept of a partition.
    #[must_use]
    pub fn len(&self, partition: u32) -> usize {
        self.with(partition, |shelf| shelf.queue.len() + shelf.left.len(), 0)
    }

    /// Whether there is no room for what a call would add: new holds and credits stop at the bound, everything at twice it.
    #[must_use]
    pub fn refuses(&self, partition: u32, verb: &Verb) -> bool {
        let kept = self.len(partition);
        let waits = matches!(
            verb,
            Verb::Reserve { .. }
                | Verb::Charge { .. }
                | Verb::Grant { .. }
                | Verb::Subscription { .. }
                | Verb::CreateAccount { .. }
        );
        let reads = matches!(verb, Verb::Read | Verb::Balance | Verb::GetHold { .. });
        !reads && kept >= if waits { self.bound } else { 2 * self.bound }
    }

    /// Takes out what was acknowledged before an epoch, in its order.
    #[must_use]
    pub fn before(&self, partition: u32, epoch: u64) -> Vec<Kept> {
        self.with(
            partition,
            |shelf| {
                let (late, current): (VecDeque<_>, _) =
                    shelf.queue.drain(..).partition(|kept| kept.epoch < epoch);
                shelf.queue = current;
                let mut old = std::mem::take(&mut shelf.left);
                old.extend(late);
                old
            },
            Vec::new(),
        )
    }

    /// Puts back what could not be replayed now.
    pub fn put_back(&self, partition: u32, kept: Vec<Kept>) {
        self.with(partition, |shelf| shelf.left.extend(kept), ());
    }
}

/// The operation that an acknowledgement stands for, its amounts resolved; `None` for what changes nothing.
#[must_use]
pub fn acknowledged(mut operation: Operation, answer: &Answer) -> Option<Operation> {
    (operation.loaded, operation.step, operation.remembered) = (Vec::new(), Vec::new(), None);
    if operation.replay.is_some() {
        return Some(operation);
    }
    let (hold, outcome) = (answer.hold.as_ref(), answer.outcome.as_ref());
    resolved(operation, hold, outcome, answer.terms.etag)
}

/// The same of what the stream says, of which nobody may remember the answer.
#[must_use]
pub fn found(again: Again) -> Option<Operation> {
    let Again {
        operation,
        hold,
        outcome,
        etag,
    } = again;
    resolved(operation, hold.as_ref(), outcome.as_ref(), etag)
}

fn resolved(
    mut operation: Operation,
    hold: Option<&Hold>,
    outcome: Option<&Outcome>,
    etag: u32,
) -> Option<Operation> {
    let moves = outcome.map_or(&[][..], |outcome| &outcome.moves);
    let mut replay = Replay::default();
    if let Some(hold) = hold {
        replay.instant = hold.expires_at;
        replay.created = hold.created_at;
        replay.rejects_overage = hold.rejects_overage;
        replay.made = pack_hold_request(&hold.request);
        replay.before = set_aside(hold);
    }
    match &mut operation.verb {
        Verb::Read | Verb::Balance | Verb::GetHold { .. } | Verb::Freeze | Verb::Unfreeze => {
            return None;
        }
        Verb::Subscription { order } if order.is_empty() => return None,
        Verb::Reserve {
            validate_only: true,
            ..
        } => return None,
        Verb::UpdateAccount { .. } => replay.instant = i64::from(etag),
        Verb::Grant { request, .. } => {
            let outcome = outcome?;
            request.starts_at = Some(outcome.a);
            request.expires_at = Some(outcome.b).filter(|at| *at < NEVER);
            request.expires_in = None;
            // Of a purchase, what it came to the first time.
            request.sent.clone_from(&outcome.sent);
        }
        Verb::Extend { amount, .. } => {
            replay.amount = amount.unwrap_or(Credits::ZERO);
            replay.instant = outcome?.a;
            replay.before = less(replay.before, replay.amount);
        }
        Verb::Commit {
            amount,
            usage,
            last,
            ..
        } => {
            replay.amount = charged(moves);
            // Priced anew, a repeat may name another version than the one that was charged by.
            let first = outcome.and_then(|outcome| commit(&outcome.sent).ok());
            if let Some(first) = first.filter(|first| first.usage.is_some()) {
                (*amount, *usage) = (first.amount, first.usage);
            }
            if *last {
                replay.before = hold?.request.amount;
            } else {
                replay.before += replay.amount;
            }
        }
        Verb::Reserve { request, .. } => {
            if let Some(first) = hold {
                *request = first.request.clone();
            }
        }
        Verb::CreateAccount { .. }
        | Verb::CloseAccount
        | Verb::Subscription { .. }
        | Verb::Level { .. }
        | Verb::Revoke { .. }
        | Verb::Release { .. }
        | Verb::Charge { .. }
        | Verb::Refund { .. } => {}
    }
    operation.replay = Some(Box::new(replay));
    Some(operation)
}

fn set_aside(hold: &Hold) -> Credits {
    hold.pins.iter().map(|pin| pin.amount).sum::<Credits>() + hold.promised
}

fn less(amount: Credits, by: Credits) -> Credits {
    Credits::from_micro(amount.micro().saturating_sub(by.micro()).max(0))
}

fn charged(moves: &[Move]) -> Credits {
    moves
        .iter()
        .filter(|moved| {
            matches!(
                moved.kind,
                MoveKind::BurnPin | MoveKind::BurnFree | MoveKind::Overdraw | MoveKind::Absorb
            )
        })
        .map(|moved| moved.amount)
        .sum()
}

#[cfg(test)]
mod tests;

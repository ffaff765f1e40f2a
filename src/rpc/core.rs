//! What every handler does: run an operation, wait for the durability asked for, turn what went wrong into a status.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tonic::{Request, Status};

use super::{
    need::Need,
    status,
    view::{self, Names},
};
use crate::{
    catalogs::Catalogs,
    domain::{account::Micros, event::Move},
    holds::{
        Body, Reply,
        operation::{Caller, Operation, Verb},
        packed::Answer,
    },
    ledger::Ledger,
    proto::{Durability, ErrorReason},
    reconcile::{
        LedgerWait, Told,
        memory::{Memory, MemoryError},
    },
    telemetry::Instruments,
};

/// Bounds that requests are checked against, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of a reserve without a ttl.
    pub default_ttl: Micros,
    /// The longest ttl.
    pub max_ttl: Micros,
    /// The longest lifetime of a hold.
    pub max_lifetime: Micros,
}

/// What the services share.
pub struct Core {
    /// Runs operations.
    pub memory: Memory,
    /// For lists.
    pub ledger: Ledger,
    /// Prices.
    pub catalogs: Catalogs,
    /// Redis' clock when it last answered; 0: not yet.
    pub clock_seen: AtomicI64,
    /// What any new hold needs of a plan, by the number of the version of the catalog that says so.
    pub any_hold: RwLock<Option<(u64, Option<Arc<Need>>)>>,
    /// How far the ledger is.
    pub waits: LedgerWait,
    /// The most that an answer waits for the ledger.
    pub ledger_wait: Duration,
    /// For requests.
    pub bounds: Bounds,
    /// Metrics.
    pub instruments: Arc<Instruments>,
}

/// An answer and where it stands.
pub struct Done {
    /// What the script answered.
    pub answer: Answer,
    /// What the call needed of a plan.
    pub need: Option<Arc<Need>>,
    partition: u32,
    epoch: u64,
    n: u64,
}

impl Done {
    /// The moves of its outcome.
    pub fn moves(&self) -> &[Move] {
        self.answer
            .outcome
            .as_ref()
            .map_or(&[], |outcome| &outcome.moves)
    }

    /// The two numbers of its outcome.
    pub fn numbers(&self) -> (i64, i64) {
        self.answer
            .outcome
            .as_ref()
            .map_or((0, 0), |outcome| (outcome.a, outcome.b))
    }

    /// Whether it was refused with this reason first.
    pub fn refused_as(&self, reason: ErrorReason) -> bool {
        self.answer
            .reasons
            .first()
            .is_some_and(|number| i32::from(*number) == reason as i32)
    }

    /// # Errors
    /// Whatever the script refused.
    pub fn or_refusal(self) -> Result<Self, Status> {
        if self.answer.reasons.is_empty() {
            Ok(self)
        } else {
            Err(status::refused(&self.answer, self.need.as_deref()))
        }
    }
}

/// Who asks: metadata `x-holdbook-actor`, and a sampled `traceparent`.
///
/// # Errors
/// INVALID where the actor is no id.
pub fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let text = |key| {
        request
            .metadata()
            .get(key)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let actor = text("x-holdbook-actor");
    if actor.len() > 64 || actor.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(status::invalid_field(
            "x-holdbook-actor",
            "must be at most 64 printable ASCII characters without spaces",
        ));
    }
    Ok(Caller {
        actor: actor.to_owned(),
        traceparent: trace_of(text("traceparent")).to_owned(),
    })
}

/// A sampled trace; one that is not adds no bytes to its event, nor does anything that is no trace.
pub fn trace_of(traceparent: &str) -> &str {
    let sampled = traceparent.len() == 55 && traceparent.ends_with("01");
    let written = traceparent
        .bytes()
        .all(|b| b.is_ascii_hexdigit() || b == b'-');
    if sampled && written { traceparent } else { "" }
}

impl Core {
    /// Runs an operation; its refusal is still in the answer.
    ///
    /// # Errors
    /// A store failed, the account does not exist, or the ledger is too far behind.
    pub async fn ask(&self, account: &str, caller: Caller, verb: Verb) -> Result<Done, Status> {
        let asked = self.ask_telling(account, caller, verb).await;
        asked.map(|(_, done)| done)
    }

    /// The same; and, of a call about the subscription, what was found or made of it.
    ///
    /// # Errors
    /// As for any operation.
    pub async fn ask_telling(
        &self,
        account: &str,
        caller: Caller,
        verb: Verb,
    ) -> Result<(Option<Told>, Done), Status> {
        let operation = Operation {
            account: account.to_owned(),
            verb,
            caller,
            remembered: None,
            loaded: Vec::new(),
            step: Vec::new(),
            replay: None,
        };
        let (partition, reply, told) = self
            .memory
            .run_telling(operation)
            .await
            .map_err(|error| status::failed(&error))?;
        let Reply { epoch, n, body, .. } = reply;
        match body {
            Body::Answer(answer) => {
                let answer = *answer;
                self.clock_seen.store(answer.now, Ordering::Relaxed);
                let done = Done {
                    answer,
                    need: None,
                    partition,
                    epoch,
                    n,
                };
                Ok((told, done))
            }
            Body::NoAccount => Err(status::no_account(account)),
            Body::Backpressure => Err(status::backpressure()),
            Body::AskLedger | Body::Load | Body::Renew { .. } => Err(status::failed(
                &MemoryError::Ledger("it was asked, and asked for again".into()),
            )),
        }
    }

    /// The durability reached: waits for the ledger if that was asked for.
    pub async fn reach(&self, done: &Done, asked: Durability) -> i32 {
        let reached = asked == Durability::Ledger
            && self
                .waits
                .wait_for(done.partition, done.epoch, done.n, self.ledger_wait)
                .await;
        if reached {
            Durability::Ledger.into()
        } else {
            Durability::Applied.into()
        }
    }

    /// Waits until the ledger has all that the account did, for lists that show a caller's last write.
    ///
    /// # Errors
    /// The account does not exist, or the ledger did not follow.
    pub async fn caught_up(&self, account: &str, caller: Caller) -> Result<Micros, Status> {
        let done = self.ask(account, caller, Verb::Read).await?;
        self.reached(&done).await?;
        Ok(done.answer.now)
    }

    /// Waits until the ledger has all that an answer tells of.
    ///
    /// # Errors
    /// The ledger did not follow.
    pub async fn reached(&self, done: &Done) -> Result<(), Status> {
        if self
            .waits
            .wait_for(done.partition, done.epoch, done.n, self.ledger_wait)
            .await
        {
            return Ok(());
        }
        Err(status::failed(&MemoryError::Ledger(
            "it did not follow in time".into(),
        )))
    }

    /// The names of all grants in an answer; those that Redis no longer knows come from the ledger.
    ///
    /// # Errors
    /// The ledger did not answer.
    pub async fn names(&self, account: &str, done: &Done) -> Result<Names, Status> {
        let mut names: Names = done
            .answer
            .names
            .iter()
            .map(|(no, kind, id)| (*no, (id.clone(), *kind)))
            .collect();
        let pinned = done
            .answer
            .hold
            .iter()
            .flat_map(|hold| hold.pins.iter().map(|pin| pin.grant_no));
        let mut missing: Vec<u32> = done
            .moves()
            .iter()
            .map(|moved| moved.grant_no)
            .chain(pinned)
            .collect();
        missing.retain(|no| *no != 0 && !names.contains_key(no));
        if done.answer.replayed && !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            let position = (done.partition, done.epoch, done.n);
            let known = self
                .memory
                .names(account, &missing, position)
                .await
                .map_err(|error| status::failed(&error))?;
            names.extend(known);
        }
        Ok(names)
    }

    /// The hold in an answer.
    #[must_use]
    pub fn hold(&self, account: &str, hold_id: &str, done: &Done) -> Option<crate::proto::Hold> {
        done.answer
            .hold
            .as_ref()
            .map(|hold| view::hold(account, hold_id, hold))
    }
}

//! Running an operation whose id may be older than Redis' memory: what Redis does not know, the ledger is asked for, once.
//!
//! Owns the looking up; the script alone decides what the found outcome means.

mod look_up;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    LedgerWait,
    renewal::{self, Next},
    replays::MAY_RETURN,
    second_copy::{Kept, SecondCopy, acknowledged},
};
use crate::{
    domain::{account::Micros, grant::GrantKind},
    holds::{
        Body, Holds, HoldsError, Reply,
        load::{self, Stored},
        operation::{Caller, Operation, Remembered, Verb},
    },
    ledger::{Cursor, Ledger, LedgerError},
    plans::{Call, Record, Refusal},
};

/// Most times that an operation is sent: once, once loaded, once with what the ledger remembers, and what recoveries repeat.
const ROUNDS: usize = 8;

/// Most steps of a subscription that are worked out for one operation: each is of many cycles.
const RENEWALS: usize = 64;

/// Why an operation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Redis did not do it, or may have.
    #[error(transparent)]
    Holds(#[from] HoldsError),
    /// The ledger had to be asked and did not answer; nothing was done.
    #[error("the ledger did not answer: {0}")]
    Ledger(String),
}

impl From<LedgerError> for MemoryError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error.to_string())
    }
}

/// What a call about the subscription found, or made of it.
#[derive(Clone, Debug)]
pub enum Told {
    /// It asked for nothing: the record.
    Found(Box<Record>),
    /// It was done before: that call, and the record of now.
    Known(Box<(Call, Record)>),
    /// It is refused.
    Refused(Refusal),
    /// The record that it led to, unless the script refused.
    Done(Box<Record>),
}

/// Redis with the ledger behind it.
#[derive(Clone)]
pub struct Memory {
    holds: Holds,
    ledger: Ledger,
    waits: LedgerWait,
    patience: Duration,
    /// Where what is acknowledged is kept until the ledger has it.
    copy: Option<SecondCopy>,
    /// By partition, the latest epoch that was seen with nothing left to replay.
    all_replayed: Arc<[AtomicU64]>,
}

impl Memory {
    /// `patience`: how long to wait for a ledger that is behind.
    #[must_use]
    pub fn new(holds: Holds, ledger: Ledger, waits: LedgerWait, patience: Duration) -> Self {
        Self {
            all_replayed: (0..holds.partitions()).map(|_| AtomicU64::new(0)).collect(),
            holds,
            ledger,
            waits,
            patience,
            copy: None,
        }
    }

    /// The same, keeping what it acknowledges.
    #[must_use]
    pub fn keeping(self, copy: SecondCopy) -> Self {
        Self {
            copy: Some(copy),
            ..self
        }
    }

    /// Runs an operation; answers its partition, too.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn run(&self, operation: Operation) -> Result<(u32, Reply), MemoryError> {
        self.run_telling(operation)
            .await
            .map(|(partition, reply, _)| (partition, reply))
    }

    /// The same; and, of a call about the subscription, what was found or made of it.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn run_telling(
        &self,
        mut operation: Operation,
    ) -> Result<(u32, Reply, Option<Told>), MemoryError> {
        let mut told = None;
        let partition = self.holds.partition_of(&operation.account);
        let replays = operation.replay.is_some();
        if let Some(full) = self.no_room(partition, &operation) {
            return Ok((partition, full, told));
        }
        for _ in 0..ROUNDS + RENEWALS {
            let era = self.holds.era(partition);
            let all_replayed = self.all_replayed(partition);
            let reply = match self.holds.run(operation.clone()).await {
                // Nothing was done. A recovery is under way: what it opens takes the call.
                Err(HoldsError::Fenced(why)) => {
                    if replays || !self.holds.era_after(partition, &era, self.patience).await {
                        return Err(HoldsError::Fenced(why).into());
                    }
                    continue;
                }
                other => other?,
            };
            let position = (partition, reply.epoch, reply.n);
            let Reply {
                epoch, n, ledger_n, ..
            } = reply;
            // Not found, or not as the call needs it: the last word only if nothing was left to replay when it was said.
            let passing = match &reply.body {
                Body::NoAccount => true,
                Body::Answer(answer) => answer.is_refused_by_hold(),
                _ => false,
            };
            if passing && !replays && all_replayed != epoch {
                self.nobody_replays(partition, epoch).await?;
                continue;
            }
            match reply.body {
                Body::Renew { record, answer } => {
                    let order = match &operation.verb {
                        Verb::Subscription { order } => order.as_str(),
                        _ => "",
                    };
                    match renewal::next(&record, order, answer.now, replays)? {
                        Next::Step {
                            step,
                            record,
                            order,
                        } => {
                            operation.step = step;
                            if let Some(order) = order {
                                operation.verb = Verb::Subscription { order };
                                told = Some(Told::Done(record));
                            }
                            continue;
                        }
                        Next::Known(known, order) => {
                            operation.verb = Verb::Subscription { order };
                            told = Some(Told::Known(known));
                        }
                        Next::Refused(refusal) => told = Some(Told::Refused(refusal)),
                        Next::Nothing(record) => told = Some(Told::Found(record)),
                    }
                    let reply = Reply {
                        epoch,
                        n,
                        ledger_n,
                        body: Body::Answer(answer),
                    };
                    if matches!(told, Some(Told::Known(_))) {
                        self.keep(partition, operation, &reply);
                    }
                    return Ok((partition, reply, told));
                }
                Body::Load => {
                    self.caught_up(position).await?;
                    operation.loaded = self.load(position, &operation.account).await?;
                }
                Body::AskLedger => {
                    self.caught_up(position).await?;
                    let found = self.look_up(&operation).await?;
                    if found.hold.is_empty() && operation.verb.needs_hold() && !replays {
                        self.nobody_replays(partition, reply.epoch).await?;
                    }
                    // It counts in this era only; `loaded` names its own.
                    operation.remembered = Some(Remembered {
                        epoch: reply.epoch,
                        ..found
                    });
                }
                Body::NoAccount | Body::Answer(_) | Body::Backpressure => {
                    self.keep(partition, operation, &reply);
                    return Ok((partition, reply, told));
                }
            }
        }
        Err(MemoryError::Ledger(
            "the account moved faster than it could be loaded".into(),
        ))
    }

    /// The instant by which the first partition goes; all have the same clock.
    ///
    /// # Errors
    /// Redis did not answer, or was emptied and is not recovered in time.
    pub async fn now(&self) -> Result<Micros, MemoryError> {
        let era = self.holds.era(0);
        match self.holds.now(0).await {
            Err(HoldsError::Fenced(why)) => {
                self.holds.suspect(0);
                if !self.holds.era_after(0, &era, self.patience).await {
                    return Err(HoldsError::Fenced(why).into());
                }
                Ok(self.holds.now(0).await?)
            }
            now => Ok(now?),
        }
    }

    fn all_replayed(&self, partition: u32) -> u64 {
        let latest = self.all_replayed.get(partition as usize);
        latest.map_or(0, |epoch| epoch.load(Ordering::Relaxed))
    }

    /// Another process may still replay what it acknowledged before this epoch; or nobody, and what is said from now on counts.
    async fn nobody_replays(&self, partition: u32, epoch: u64) -> Result<(), MemoryError> {
        if self.all_replayed(partition) == epoch {
            return Ok(());
        }
        let awaited = self
            .ledger
            .replays_awaited(partition, epoch, MAY_RETURN, None);
        if awaited.await? {
            let why = "what the call is about may yet be replayed".to_owned();
            return Err(HoldsError::Fenced(why).into());
        }
        if let Some(latest) = self.all_replayed.get(partition as usize) {
            latest.fetch_max(epoch, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The refusal of what could not be kept.
    fn no_room(&self, partition: u32, operation: &Operation) -> Option<Reply> {
        let copy = self.copy.as_ref()?;
        if operation.replay.is_some() || !copy.refuses(partition, &operation.verb) {
            return None;
        }
        // It may be full only of what the ledger has by now.
        copy.settle(partition, self.waits.cursor(partition)?);
        copy.refuses(partition, &operation.verb).then_some(Reply {
            epoch: 0,
            n: 0,
            ledger_n: 0,
            body: Body::Backpressure,
        })
    }

    /// Keeps what is acknowledged, a repeat like the first time, until the ledger has the entry.
    fn keep(&self, partition: u32, operation: Operation, reply: &Reply) {
        let (Some(copy), Body::Answer(answer)) = (&self.copy, &reply.body) else {
            return;
        };
        let (epoch, n) = (reply.epoch, reply.n);
        if !answer.reasons.is_empty() || n <= reply.ledger_n {
            return;
        }
        if let Some(cursor) = self.waits.cursor(partition) {
            copy.settle(partition, cursor);
        }
        if let Some(operation) = acknowledged(operation, answer) {
            copy.keep(
                partition,
                Kept {
                    epoch,
                    n,
                    operation,
                },
            );
        }
    }

    async fn run_internal(&self, account: &str, verb: Verb) -> Result<(), MemoryError> {
        let caller = Caller {
            actor: "holdbook".into(),
            traceparent: String::new(),
        };
        let operation = Operation {
            account: account.to_owned(),
            verb,
            caller,
            remembered: None,
            loaded: Vec::new(),
            step: Vec::new(),
            replay: None,
        };
        self.run(operation).await.map(drop)
    }

    /// Applies what is due on an account.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn touch(&self, account: &str) -> Result<(), MemoryError> {
        self.run_internal(account, Verb::Read).await
    }

    /// An event of the account is in quarantine. Idempotent.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn freeze(&self, account: &str) -> Result<(), MemoryError> {
        self.run_internal(account, Verb::Freeze).await
    }

    /// The account's quarantine is empty. Idempotent.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn unfreeze(&self, account: &str) -> Result<(), MemoryError> {
        self.run_internal(account, Verb::Unfreeze).await
    }

    /// The account as the ledger has it, packed for the script; nothing if it was read before the entry at which the script missed it.
    async fn load(
        &self,
        (partition, epoch, n): (u32, u64, u64),
        account: &str,
    ) -> Result<Vec<u8>, MemoryError> {
        let (cursor, found) = self.ledger.stored_account(partition, account).await?;
        // A Postgres that went back to an older copy is not where it was known to be.
        if cursor < (Cursor { epoch, n }) {
            return Ok(Vec::new());
        }
        let stored = found.as_ref().map(|found| Stored {
            changed_here: found.last_epoch == cursor.epoch,
            image: &found.image,
            spent: &found.spent,
            created: &found.created,
            closed: &found.closed,
            plan: &found.plan,
            record: &found.record,
            spending: &found.spending,
            holds: &found.holds,
        });
        Ok(load::pack((cursor.epoch, cursor.n), stored)
            .map_err(|error| HoldsError::Bug(format!("account {account}: {error}")))?)
    }

    /// The names of grants by number.
    ///
    /// # Errors
    /// The ledger did not answer.
    pub async fn names(
        &self,
        account: &str,
        numbers: &[u32],
        position: (u32, u64, u64),
    ) -> Result<HashMap<u32, (String, GrantKind)>, MemoryError> {
        self.caught_up(position).await?;
        let names = self.ledger.grant_names(account, numbers).await?;
        Ok(names
            .into_iter()
            .map(|(no, name)| (no, (name.grant_id.to_string(), name.kind)))
            .collect())
    }

    /// What the ledger says counts only once it has all that Redis had when it did not know.
    async fn caught_up(&self, (partition, epoch, n): (u32, u64, u64)) -> Result<(), MemoryError> {
        if self
            .waits
            .wait_for(partition, epoch, n, self.patience)
            .await
        {
            return Ok(());
        }
        Err(MemoryError::Ledger("it did not follow in time".into()))
    }
}

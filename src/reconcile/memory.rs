//! Running an operation whose id may be older than Redis' memory: what Redis does not know, the ledger is asked for, once.
//!
//! Owns the looking up; the script alone decides what the found outcome means.

use std::{collections::HashMap, time::Duration};

use super::LedgerWait;
use crate::{
    domain::grant::GrantKind,
    holds::{
        Body, Holds, HoldsError, Reply,
        operation::{Operation, Remembered, Verb},
        packed,
    },
    ledger::{Ledger, LedgerError},
};

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

/// Redis with the ledger behind it.
#[derive(Clone)]
pub struct Memory {
    holds: Holds,
    ledger: Ledger,
    waits: LedgerWait,
    patience: Duration,
}

impl Memory {
    /// `patience`: how long to wait for a ledger that is behind.
    #[must_use]
    pub const fn new(holds: Holds, ledger: Ledger, waits: LedgerWait, patience: Duration) -> Self {
        Self {
            holds,
            ledger,
            waits,
            patience,
        }
    }

    /// Runs an operation; answers its partition, too.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn run(&self, mut operation: Operation) -> Result<(u32, Reply), MemoryError> {
        let partition = self.holds.partition_of(&operation.account);
        let reply = self.holds.run(operation.clone()).await?;
        if !matches!(reply.body, Body::AskLedger) {
            return Ok((partition, reply));
        }
        self.caught_up((partition, reply.epoch, reply.n)).await?;
        operation.remembered = Some(self.look_up(&operation).await?);
        Ok((partition, self.holds.run(operation).await?))
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

    async fn look_up(&self, operation: &Operation) -> Result<Remembered, MemoryError> {
        let account = &operation.account;
        let outcome_of = |raw: Vec<u8>| Holds::event_outcome(&raw).map_err(HoldsError::Bug);
        let mut found = Remembered::default();
        if let Some(hold_id) = operation.verb.hold_id() {
            let Some(packed) = self.ledger.hold_packed(account, hold_id).await? else {
                return Ok(found);
            };
            let sequence = packed::hold(&packed)
                .map_err(|error| HoldsError::Bug(error.to_string()))?
                .sequence;
            found.hold = packed;
            if let Some((verb, id)) = operation.verb.own_id() {
                let deed = format!("h{}/{verb}/{id}", sequence);
                found.outcome = self
                    .ledger
                    .deed(account, &deed)
                    .await?
                    .map_or(Ok(Vec::new()), outcome_of)?;
            }
        } else if let Some(grant_id) = operation.verb.grant_id() {
            if let Some(grant) = self.ledger.grant(account, grant_id).await? {
                found.grant = (grant.no, grant.non_refundable);
                let deed = |suffix| format!("g/{grant_id}{suffix}");
                found.outcome = self
                    .ledger
                    .deed(account, &deed(""))
                    .await?
                    .map_or(Ok(Vec::new()), outcome_of)?;
                if matches!(operation.verb, Verb::Revoke { .. }) {
                    let revoked = self.ledger.deed(account, &deed("/revoked")).await?;
                    found.revoked = revoked.map_or(Ok(Vec::new()), outcome_of)?;
                }
            }
        }
        Ok(found)
    }
}

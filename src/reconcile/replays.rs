//! Replays: what this process acknowledged in an older era is done again in the new one. What the ledger has of it already is found
//! there and stays as it is, so replaying too much is harmless.
//!
//! Owns the order: per account as acknowledged, accounts side by side. What the script makes of a replay is the script's.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};

use super::{
    LedgerWait, Memory,
    second_copy::{Kept, SecondCopy},
};
use crate::{
    holds::Body,
    ledger::{Cursor, Ledger, LedgerError},
    telemetry::Instruments,
};

/// Accounts whose replays are under way at once.
const SIDE_BY_SIDE: usize = 64;

/// A living process is seen every second.
const ALIVE: Duration = Duration::from_secs(3);
/// A process that was seen so lately may have something to replay: one that is cut off from Redis gives no sign of life.
pub(super) const MAY_RETURN: Duration = Duration::from_secs(20);

/// One process' replays and its sign of life.
#[derive(Clone)]
pub struct Replays {
    memory: Memory,
    copy: SecondCopy,
    waits: LedgerWait,
    ledger: Ledger,
    instruments: Arc<Instruments>,
    process: String,
}

impl Replays {
    /// Of the process that keeps `copy`; `memory` runs them.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn new(
        memory: Memory,
        copy: SecondCopy,
        waits: LedgerWait,
        ledger: Ledger,
        instruments: Arc<Instruments>,
    ) -> Result<Self, LedgerError> {
        let process = ledger.new_process_id().await?;
        Ok(Self {
            memory,
            copy,
            waits,
            ledger,
            instruments,
            process,
        })
    }

    /// Replays what was acknowledged before `epoch`, and says in the ledger if nothing of it is left.
    ///
    /// # Errors
    /// Postgres does not answer. What could not be replayed is kept for the next time.
    pub async fn step(&self, partition: u32, epoch: u64) -> Result<(), LedgerError> {
        if let Some(cursor) = self.waits.cursor(partition) {
            self.copy.settle(partition, cursor);
        }
        let mut accounts: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        let old = self.copy.before(partition, epoch);
        let count = old.len();
        // What a replay builds on may be another process' to replay: asked before, so that a refusal after the last of them is final.
        let others = count > 0
            && self
                .ledger
                .replays_awaited(partition, epoch, MAY_RETURN, Some(&self.process))
                .await
                .unwrap_or(true);
        for kept in old {
            let account = kept.operation.account.clone();
            accounts.entry(account).or_default().push(kept);
        }
        let left: Vec<Kept> = stream::iter(accounts.into_values())
            .map(|kept| self.replay(kept, others))
            .buffer_unordered(SIDE_BY_SIDE)
            .concat()
            .await;
        if count > 0 {
            tracing::warn!(
                partition,
                epoch,
                replayed = count - left.len(),
                left = left.len(),
                "acknowledgements of before the recovery were replayed"
            );
        }
        let all = left.is_empty();
        self.copy.put_back(partition, left);
        self.instruments.replay_buffer(
            u16::try_from(partition).unwrap_or(u16::MAX),
            self.copy.len(partition) as u64,
        );
        if all {
            self.ledger
                .heartbeat(&self.process, partition, epoch)
                .await?;
        }
        Ok(())
    }

    /// The ledger has all up to here of an era that has ended: that needs no replay.
    pub fn settle(&self, partition: u32, cursor: Cursor) {
        self.copy.settle(partition, cursor);
    }

    /// Whether a live process, this one too, has not said that it has nothing left to replay.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn awaited(&self, partition: u32, epoch: u64) -> Result<bool, LedgerError> {
        let awaited = self.ledger.replays_awaited(partition, epoch, ALIVE, None);
        awaited.await
    }

    /// This process has ended, and nobody waits for it.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end(&self) -> Result<(), LedgerError> {
        self.ledger.end_heartbeat(&self.process).await
    }

    /// In their order; answers those that must be tried again. `others`: other processes have yet to replay.
    async fn replay(&self, kept: Vec<Kept>, others: bool) -> Vec<Kept> {
        let mut left = Vec::new();
        for one in kept {
            let account = &one.operation.account;
            match self.memory.run(one.operation.clone()).await {
                Ok((_, reply)) => match reply.body {
                    Body::Answer(answer) if answer.reasons.is_empty() => {}
                    // A refund of what another process acknowledged.
                    Body::Answer(_) if others => left.push(one),
                    Body::Answer(answer) => tracing::error!(
                        account,
                        verb = ?one.operation.verb,
                        reasons = ?answer.reasons,
                        "a replay was refused: what was acknowledged is not there"
                    ),
                    // Whoever acknowledged the account's creation has yet to replay that.
                    _ => left.push(one),
                },
                Err(error) => {
                    tracing::warn!(account, %error, "a replay did not get through; it is tried again");
                    left.push(one);
                }
            }
        }
        left
    }
}

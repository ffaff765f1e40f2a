//! What a recovery found behind a gap is done again, once the partition is open: by whoever leads, in its order for each account.
//!
//! Owns when a stored event counts as done: when the ledger has what became of it. Until then it is done again, which changes nothing,
//! because calls are idempotent by their ids.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};

use super::{LedgerWait, Memory, MemoryError, RecoveryError, Relay, second_copy};
use crate::{
    domain::event::Position,
    holds::{Body, Era, Holds, HoldsError, again::again, operation::Operation},
    ledger::{Lease, Ledger, Replayed, ToReplay},
};

/// Events in one turn.
const TURN: u32 = 1000;
/// Accounts whose replays are under way at once.
const SIDE_BY_SIDE: usize = 64;
/// How long the ledger may take for what a turn did.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two signs of life.
const KEEP: Duration = Duration::from_secs(1);
/// Between two looks for something to post.
const REST: Duration = Duration::from_millis(10);

/// The rooms that it needs.
pub(super) struct Redo<'a> {
    pub partition: u32,
    pub ledger: &'a Ledger,
    pub memory: &'a Memory,
    pub waits: &'a LedgerWait,
    pub relay: &'a mut Relay,
}

/// What became of an event: it is done, or must wait for its account.
type Done = (Position, Result<Option<String>, Wait>, u64);

/// Whoever acknowledged the account's creation has yet to replay that.
struct Wait;

impl Redo<'_> {
    /// Replays all that waits. `last`: an account that is not known by now will not come.
    pub async fn run(&mut self, era: &Era, last: bool) -> Result<(), RecoveryError> {
        let (mut after, mut count) = (None, 0);
        loop {
            let waiting = self.ledger.to_replay(self.partition, after, TURN).await?;
            let Some(newest) = waiting.last() else {
                break;
            };
            after = Some(newest.position);
            let mut accounts: BTreeMap<String, Vec<(Position, Operation)>> = BTreeMap::new();
            let mut done: Vec<Replayed> = Vec::new();
            for one in waiting {
                match operation(&one) {
                    Ok(Some(operation)) => {
                        let account = operation.account.clone();
                        let of_account = accounts.entry(account).or_default();
                        of_account.push((one.position, operation));
                    }
                    Ok(None) => done.push((one.position, None)),
                    Err(why) => done.push((one.position, Some(why))),
                }
            }
            let memory = self.memory;
            let replays = stream::iter(accounts.into_values())
                .map(|operations| replay(memory, operations))
                .buffer_unordered(SIDE_BY_SIDE)
                .collect::<Vec<_>>();
            // A replay may have to load an account, which waits for the ledger.
            let replayed = tokio::select! {
                replayed = replays => replayed,
                failed = post_meanwhile(self.relay) => return Err(failed),
            };
            let mut reached = 0;
            for of_account in replayed {
                for (position, result, n) in of_account? {
                    reached = reached.max(n);
                    match result {
                        Ok(why) => done.push((position, why)),
                        Err(Wait) if last => {
                            done.push((position, Some("nobody knows its account".into())));
                        }
                        Err(Wait) => {}
                    }
                }
            }
            self.post(era, reached).await?;
            for (position, why) in &done {
                if let Some(why) = why {
                    tracing::error!(
                        partition = self.partition,
                        ?position,
                        why,
                        "an event behind a gap could not be replayed"
                    );
                }
            }
            count += done.len();
            self.ledger.replayed(&done).await?;
        }
        if count > 0 {
            tracing::warn!(
                partition = self.partition,
                epoch = era.epoch,
                count,
                "what stood behind a gap was replayed"
            );
        }
        Ok(())
    }

    /// Until the ledger has it, by this relay or another: what is done only in Redis can be lost with it.
    async fn post(&mut self, era: &Era, n: u64) -> Result<(), RecoveryError> {
        let reached = self.waits.wait_for(self.partition, era.epoch, n, LIMIT);
        let reached = tokio::select! {
            reached = reached => reached,
            failed = post_meanwhile(self.relay) => return Err(failed),
        };
        // What was cut in the middle of a batch is not used again.
        self.relay.forget();
        if !reached {
            return Err(RecoveryError::Moved(self.partition));
        }
        Ok(())
    }
}

/// Works while Postgres is shown that the lease's holder lives.
pub(super) async fn while_held(
    lease: &Lease,
    work: impl Future<Output = Result<(), RecoveryError>>,
) -> Result<(), RecoveryError> {
    let held = async {
        loop {
            tokio::time::sleep(KEEP).await;
            if let Err(error) = lease.keep().await {
                return Err(error.into());
            }
        }
    };
    tokio::select! {
        done = work => done,
        lost = held => lost,
    }
}

/// Posts what the replays do; ends only if it cannot.
async fn post_meanwhile(relay: &mut Relay) -> RecoveryError {
    relay.forget();
    loop {
        match relay.step().await {
            Ok(0) => tokio::time::sleep(REST).await,
            Ok(_) => {}
            // Another relay was quicker.
            Err(error) if error.is_overtaken() => relay.forget(),
            Err(error) => return error.into(),
        }
    }
}

/// The call that is to be made again; none for what time does again by itself.
fn operation(one: &ToReplay) -> Result<Option<Operation>, String> {
    let event = Holds::decode_event(one.position, &one.raw)?;
    let again = again(&event).map_err(|error| error.to_string())?;
    Ok(again.and_then(second_copy::found))
}

/// One account's, in their order.
async fn replay(
    memory: &Memory,
    operations: Vec<(Position, Operation)>,
) -> Result<Vec<Done>, MemoryError> {
    let mut done = Vec::new();
    for (position, operation) in operations {
        match memory.run(operation).await {
            Ok((_, reply)) => {
                let result = match reply.body {
                    Body::Answer(answer) if answer.reasons.is_empty() => Ok(None),
                    Body::Answer(answer) => Ok(Some(format!("refused: {:?}", answer.reasons))),
                    _ => Err(Wait),
                };
                done.push((position, result, reply.n));
            }
            // It will fail again, and must not keep the partition closed.
            Err(MemoryError::Holds(HoldsError::Bug(why))) => {
                done.push((position, Ok(Some(why)), 0))
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

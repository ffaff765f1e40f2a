//! Bringing events out of quarantine, once their cause is gone.
//!
//! The relay puts events in and freezes their account; this posts them in order and unfreezes it. What is still wrong stays, with
//! everything behind it.

use super::{Memory, MemoryError};
use crate::{
    holds::Holds,
    ledger::{Ledger, LedgerError, Retried},
};

/// Why a retry did not come to an end. What it posted before stays posted; it can be started again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The account could not be unfrozen.
    #[error("the account is still frozen: {0}")]
    Memory(#[from] MemoryError),
    /// Postgres did not answer.
    #[error("the quarantine was not emptied: {0}")]
    Ledger(#[from] LedgerError),
}

/// Posts what waits of an account, in order, and unfreezes it when nothing waits any more. An empty id means the events whose
/// account could not be read.
///
/// # Errors
/// A store did not answer.
pub async fn retry(
    holds: &Holds,
    ledger: &Ledger,
    memory: &Memory,
    account: &str,
) -> Result<Retried, RetryError> {
    let partitions = if account.is_empty() {
        0..holds.partitions()
    } else {
        let partition = holds.partition_of(account);
        partition..partition + 1
    };
    let mut writer = ledger.writer().await?;
    let mut done = Retried::default();
    for partition in partitions.clone() {
        loop {
            let retried = writer
                .retry(partition, account, Holds::decode_event)
                .await?;
            let more = retried.left > 0 && retried.stuck.is_none();
            done.posted += retried.posted;
            done.repeated += retried.repeated;
            if !more {
                done.left += retried.left;
                done.stuck = done.stuck.or(retried.stuck);
                break;
            }
        }
    }
    if done.left == 0 && !account.is_empty() {
        memory.unfreeze(account).await?;
        // The relay may have found another bad event, and frozen it, just before.
        if ledger
            .quarantined_accounts(partitions.start)
            .await?
            .iter()
            .any(|waiting| waiting == account)
        {
            memory.freeze(account).await?;
        }
    }
    Ok(done)
}

//! The sweeper of a partition: touches accounts on which something is due, so that expiries reach the ledger when nobody looks.
//!
//! No answer depends on how punctual it is (T2): every call applies what is due by itself.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::{Memory, MemoryError};
use crate::{holds::Holds, telemetry::Instruments};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Most accounts in a step, all in one batch or two of the executor.
const STEP_MAX: usize = 64;

/// The sweeper of one partition.
pub struct Sweeper {
    partition: u32,
    holds: Holds,
    memory: Memory,
    instruments: Arc<Instruments>,
}

impl Sweeper {
    /// A sweeper of that partition.
    #[must_use]
    pub const fn new(
        partition: u32,
        holds: Holds,
        memory: Memory,
        instruments: Arc<Instruments>,
    ) -> Self {
        Self {
            partition,
            holds,
            memory,
            instruments,
        }
    }

    /// Touches accounts that are due, a bounded number; says how many.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn step(&self) -> Result<usize, MemoryError> {
        let accounts = self.holds.due(self.partition, STEP_MAX).await?;
        try_join_all(accounts.iter().map(|account| self.memory.touch(account))).await?;
        self.instruments.swept(accounts.len() as u64);
        Ok(accounts.len())
    }

    /// Steps until the flag is raised; without a pause while there is more.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            let more = match self.step().await {
                Ok(swept) => swept == STEP_MAX,
                Err(error) => {
                    tracing::warn!(partition = self.partition, %error, "the sweeper tries again");
                    false
                }
            };
            let pause = if more { Duration::ZERO } else { PAUSE };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

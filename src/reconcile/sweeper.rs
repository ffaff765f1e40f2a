//! The sweeper of a partition: touches accounts on which something is due, so that expiries reach the ledger when nobody looks. Those that
//! Redis has it finds there, those that Redis dropped or lost in the ledger; touching loads them.
//!
//! No answer depends on how punctual it is (T2): every call applies what is due by itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::{Memory, MemoryError};
use crate::{domain::account::Micros, holds::Holds, ledger::Ledger, telemetry::Instruments};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Most accounts in a step.
const STEP_MAX: u32 = 64;
/// So many are touched at once. Callers wait behind a batch of the executor, and a renewal is more than a reserve: many accounts may
/// renew at one instant.
const TOGETHER: usize = 8;

/// The sweeper of one partition.
pub struct Sweeper {
    partition: u32,
    holds: Holds,
    ledger: Ledger,
    memory: Memory,
    instruments: Arc<Instruments>,
    /// Where the next page of the ledger begins: one that cannot be touched does not keep the others waiting.
    after: (Micros, String),
}

impl Sweeper {
    /// A sweeper of that partition.
    #[must_use]
    pub const fn new(
        partition: u32,
        holds: Holds,
        ledger: Ledger,
        memory: Memory,
        instruments: Arc<Instruments>,
    ) -> Self {
        Self {
            partition,
            holds,
            ledger,
            memory,
            instruments,
            after: (0, String::new()),
        }
    }

    /// Touches accounts that are due, a bounded number; says how many.
    ///
    /// # Errors
    /// A store did not answer.
    pub async fn step(&mut self) -> Result<usize, MemoryError> {
        let now = self.holds.now(self.partition).await?;
        let here = self.holds.due(self.partition, now, STEP_MAX).await?;
        self.touch_all(&here).await?;
        let page = self
            .ledger
            .due_accounts(self.partition, now, &self.after, STEP_MAX)
            .await?;
        let full = page.len() == STEP_MAX as usize;
        self.after = page
            .last()
            .filter(|_| full)
            .cloned()
            .unwrap_or((0, String::new()));
        // The ledger does not know yet of those that were touched just now.
        let away: Vec<_> = page
            .into_iter()
            .map(|(_, account)| account)
            .filter(|account| !here.contains(account))
            .collect();
        self.touch_all(&away).await?;
        Ok(here.len() + away.len())
    }

    async fn touch_all(&self, accounts: &[String]) -> Result<(), MemoryError> {
        for some in accounts.chunks(TOGETHER) {
            try_join_all(some.iter().map(|account| self.memory.touch(account))).await?;
        }
        self.instruments.swept(accounts.len() as u64);
        Ok(())
    }

    /// Steps until the flag is raised; while there is more it rests as long as it worked, so that callers have their turns.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let begun = Instant::now();
            let more = match self.step().await {
                Ok(swept) => swept >= STEP_MAX as usize,
                Err(error) => {
                    tracing::warn!(partition = self.partition, %error, "the sweeper tries again");
                    false
                }
            };
            let pause = if more { begun.elapsed() } else { PAUSE };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

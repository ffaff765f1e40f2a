//! The light audit: a few accounts at a time, for as long as the service runs.
//!
//! A round goes through all accounts of the ledger by their ids: its own sums of each, and Redis where it has the account. It waits for
//! nobody: an account that moves is left to the next round, and so is a page that Postgres does not sum up in time. The events
//! behind the sums are for `holdbook audit`.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{AuditError, stores};
use crate::{
    holds::Holds,
    ledger::{Auditor, Difference, Ledger, LedgerError},
    telemetry::Instruments,
};

/// Accounts in a step.
const PAGE: u32 = 20;
/// The longest that one statement may run.
const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// The longest that a step may take.
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// What a step looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Accounts; 0 at the end of a round.
    pub accounts: u64,
    /// What differs in them.
    pub differences: Vec<Difference>,
}

/// The light audit of one process.
pub struct LightAudit {
    holds: Holds,
    ledger: Ledger,
    instruments: Arc<Instruments>,
    auditor: Option<Auditor>,
    /// The last account of the step before.
    after: String,
}

impl LightAudit {
    /// At the beginning of a round.
    #[must_use]
    pub const fn new(holds: Holds, ledger: Ledger, instruments: Arc<Instruments>) -> Self {
        Self {
            holds,
            ledger,
            instruments,
            auditor: None,
            after: String::new(),
        }
    }

    /// Compares the next few accounts; counts and logs what differs, and corrects nothing.
    ///
    /// # Errors
    /// A store did not answer in time; the next step goes on.
    pub async fn step(&mut self) -> Result<Looked, AuditError> {
        let late = |_| LedgerError::Unavailable(format!("no page within {STEP_LIMIT:?}"));
        let looked = tokio::time::timeout(STEP_LIMIT, self.look())
            .await
            .map_err(late)??;
        self.instruments
            .audited(looked.accounts, looked.differences.len() as u64);
        for difference in &looked.differences {
            tracing::error!(%difference, "the light audit found a difference");
        }
        Ok(looked)
    }

    async fn look(&mut self) -> Result<Looked, AuditError> {
        // It is put back only at the end, so that a failed connection is not used again.
        let mut auditor = match self.auditor.take() {
            Some(auditor) => auditor,
            None => self.ledger.auditor_within(STATEMENT_LIMIT).await?,
        };
        let accounts = auditor.accounts(&self.after, PAGE).await?;
        // Before they are compared: a page that takes too long must not end the round.
        self.after = accounts.last().cloned().unwrap_or_default();
        let mut differences = Vec::new();
        if !accounts.is_empty() {
            differences = auditor.compare(&accounts).await?;
        }
        for account in &accounts {
            differences.extend(stores::glance(&self.holds, &mut auditor, account).await?);
        }
        self.auditor = Some(auditor);
        Ok(Looked {
            accounts: accounts.len() as u64,
            differences,
        })
    }

    /// Steps until the flag is raised, with a pause before each.
    pub async fn run(mut self, pause: Duration, mut stop: watch::Receiver<bool>) {
        loop {
            let step = async {
                tokio::time::sleep(pause).await;
                self.step().await
            };
            tokio::select! {
                result = step => if let Err(error) = result {
                    tracing::warn!(%error, "the light audit goes on with its next step");
                },
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

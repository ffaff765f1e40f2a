//! What an audit found.

use std::fmt;

use serde::Serialize;

use crate::ledger::Difference;

/// The most differences that are told one by one; the others are counted.
const DIFFERENCES_MAX: usize = 1000;

/// What was compared, and what was not as it must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Accounts in the ledger.
    pub accounts: u64,
    /// Events in the ledger, each posted again and compared with its transfers.
    pub events: u64,
    /// Transfers in the ledger.
    pub transfers: u64,
    /// Accounts in Redis, each compared with the ledger at the same event.
    pub accounts_in_redis: u64,
    /// What differs, up to a bound.
    pub differences: Vec<Difference>,
    /// How many more differ.
    pub more: u64,
}

impl Report {
    /// Nothing differs.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        self.differences.is_empty()
    }

    /// Takes more differences, within the bound.
    pub(super) fn add(&mut self, differences: impl IntoIterator<Item = Difference>) {
        for difference in differences {
            if self.differences.len() < DIFFERENCES_MAX {
                self.differences.push(difference);
            } else {
                self.more += 1;
            }
        }
    }
}

/// A line for each difference, what was compared, and `audit: balanced` or the number of differences.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        writeln!(
            f,
            "compared: {} accounts, {} events and {} transfers in the ledger, {} accounts in Redis",
            self.accounts, self.events, self.transfers, self.accounts_in_redis
        )?;
        match self.differences.len() as u64 + self.more {
            0 => write!(f, "audit: balanced"),
            1 => write!(f, "audit: 1 difference"),
            count => write!(f, "audit: {count} differences"),
        }
    }
}

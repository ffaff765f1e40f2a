//! How far the ledger is in a partition's stream.

use std::fmt;

use super::LedgerError;
use crate::domain::event::Entry;

/// The last entry that the ledger has. Ordered: a later era is further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The partition's era.
    pub epoch: u64,
    /// The entry; 0 before the first.
    pub n: u64,
}

impl Cursor {
    /// The cursor after these entries.
    ///
    /// # Errors
    /// [`LedgerError::Gap`] unless they follow it and one another without a hole, in its era.
    pub fn follow(self, partition: u32, entries: &[Entry]) -> Result<Self, LedgerError> {
        entries.iter().try_fold(self, |after, entry| {
            let found = Self {
                epoch: entry.epoch,
                n: entry.n,
            };
            let next = found.epoch == after.epoch
                && found.n == after.n + 1
                && entry.partition == partition;
            if next {
                Ok(found)
            } else {
                Err(LedgerError::Gap {
                    partition,
                    after,
                    found,
                })
            }
        })
    }

    /// How many of these entries follow it without a hole, in its era.
    #[must_use]
    pub fn dense(self, partition: u32, entries: &[Entry]) -> usize {
        match self.follow(partition, entries) {
            Err(LedgerError::Gap { after, .. }) => {
                usize::try_from(after.n - self.n).unwrap_or(usize::MAX)
            }
            _ => entries.len(),
        }
    }
}

/// As stream entries are named.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.n)
    }
}

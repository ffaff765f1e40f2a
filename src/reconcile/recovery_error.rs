//! Why a partition could not be opened.

use super::{MemoryError, RelayError};
use crate::{holds::HoldsError, ledger::LedgerError};

/// Why a partition is not open yet.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Redis did not answer.
    #[error(transparent)]
    Holds(#[from] HoldsError),
    /// Postgres did not answer, or another recovery was quicker.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What survived in the stream could not be posted.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// What stood behind a gap could not be replayed now.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The server is a replica: somebody must promote it, or point the service at the primary.
    #[error("partition {0}: the Redis server is not a master")]
    NotMaster(u32),
    /// Another service's Redis: nothing of it is touched.
    #[error("partition {partition}: this Redis belongs to service {found}, not to {expected}")]
    OtherService {
        /// The partition.
        partition: u32,
        /// Recorded in Redis.
        found: String,
        /// Recorded in the ledger.
        expected: String,
    },
    /// Redis was set up with another count.
    #[error("partition {partition}: this Redis was set up with {found} partitions, not {expected}")]
    OtherCount {
        /// The partition.
        partition: u32,
        /// Recorded in Redis.
        found: u32,
        /// Recorded in the ledger.
        expected: u32,
    },
    /// The server changed, or another recovery began, while this one was under way.
    #[error("partition {0}: the server changed during the recovery; it starts over")]
    Moved(u32),
}

impl RecoveryError {
    /// Looking again may help; else an operator must act.
    #[must_use]
    pub const fn passes(&self) -> bool {
        !matches!(
            self,
            Self::OtherService { .. } | Self::OtherCount { .. } | Self::NotMaster(_)
        )
    }
}

//! The era of a partition: the epoch under which it is open, and the replication id of the server that it was opened on.

/// What every call names; the script refuses another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Era {
    /// Grows with every recovery; never returns.
    pub epoch: u64,
    /// Redis' `master_replid`.
    pub replication_id: String,
}

impl Era {
    /// As keys name it.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(self.epoch)
    }
}

/// An epoch as keys name it.
pub(super) fn name_of(epoch: u64) -> String {
    format!("{epoch:x}")
}

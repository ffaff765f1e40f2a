//! Events name grants by number; transfers carry the id and the kind. This remembers which is which.

use std::sync::Arc;

use moka::sync::Cache;

use crate::domain::grant::GrantKind;

/// The most grants that are remembered; others are looked up.
const CAPACITY: u64 = 100_000;

/// What a grant is called. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantName {
    /// The caller's id, or `~...` of one that Holdbook made.
    pub grant_id: Arc<str>,
    /// Where it came from.
    pub kind: GrantKind,
}

/// The names of grants that the ledger has, bounded. Only what is committed comes in here.
#[derive(Clone)]
pub(super) struct GrantNames(Cache<(Arc<str>, u32), GrantName>);

impl GrantNames {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    pub(super) fn get(&self, account: &str, no: u32) -> Option<GrantName> {
        self.0.get(&(Arc::from(account), no))
    }

    pub(super) fn forget(&self) {
        self.0.invalidate_all();
    }

    pub(super) fn learn<'a>(&self, names: impl IntoIterator<Item = ((&'a str, u32), GrantName)>) {
        for ((account, no), name) in names {
            self.0.insert((Arc::from(account), no), name);
        }
    }
}

/// A kind by the name that the ledger writes.
pub(super) fn kind_from_name(name: &str) -> Option<GrantKind> {
    GrantKind::ALL.into_iter().find(|kind| kind.name() == name)
}

//! What a process knows of the versions: all their heads, and the catalogs that it has read.

use std::{collections::BTreeMap, sync::Arc};

use crate::{domain::account::Micros, ledger::CatalogHead, pricing::Catalog};

/// So many of the newest versions are read before anybody asks.
const READ_AHEAD: usize = 16;
/// So many are kept, also of those that open holds of long ago asked for.
const KEPT: usize = 128;

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    /// By number, from 1 without gaps; their instants never go back.
    heads: Vec<CatalogHead>,
    read: BTreeMap<u64, Arc<Catalog>>,
}

impl Known {
    /// The newest number; 0: none.
    pub(super) fn newest(&self) -> u64 {
        self.heads.last().map_or(0, |head| head.version)
    }

    /// Learns of all versions from that number on, which was the newest. Says whether they continue what is known.
    pub(super) fn learn(&mut self, from: u64, heads: Vec<CatalogHead>) -> bool {
        if self.heads.is_empty() && from == 0 {
            self.heads = heads;
            return true;
        }
        let first = self.heads.iter().position(|head| head.version >= from);
        let Some(known) = first.map(|at| &self.heads[at..]) else {
            return false;
        };
        if heads.is_empty() || known.iter().zip(&heads).any(|(known, head)| known != head) {
            return false;
        }
        // Whoever asked later may have learned more already.
        let more = heads.into_iter().skip(known.len());
        self.heads.extend(more);
        true
    }

    /// Takes what the ledger has in place of what was known.
    pub(super) fn replace(&mut self, heads: Vec<CatalogHead>) {
        let old = std::mem::replace(&mut self.heads, heads);
        let same = |version: &u64| {
            let of = |heads: &[CatalogHead]| {
                let found = heads.iter().find(|head| head.version == *version);
                found.map(|head| head.sha256.clone())
            };
            of(&self.heads).is_some_and(|sha256| Some(sha256) == of(&old))
        };
        self.read.retain(|version, _| same(version));
    }

    /// The version in force at an instant.
    pub(super) fn at(&self, now: Micros) -> Option<CatalogHead> {
        self.in_force(now).map(|(head, _)| head)
    }

    /// The number of the version in force at an instant; 0: none is.
    pub(super) fn number_at(&self, now: Micros) -> u64 {
        let begun = self.heads.partition_point(|head| head.effective_at <= now);
        self.heads[..begun].last().map_or(0, |head| head.version)
    }

    /// The first of all.
    pub(super) fn first(&self) -> Option<CatalogHead> {
        self.heads.first().cloned()
    }

    /// By its number.
    pub(super) fn numbered(&self, version: u64) -> Option<CatalogHead> {
        let found = self.heads.iter().find(|head| head.version == version);
        found.cloned()
    }

    /// The version in force at an instant, and when the next takes its place.
    pub(super) fn in_force(&self, now: Micros) -> Option<(CatalogHead, Option<Micros>)> {
        let begun = self.heads.partition_point(|head| head.effective_at <= now);
        let until = self.heads.get(begun).map(|next| next.effective_at);
        Some((self.heads[..begun].last()?.clone(), until))
    }

    /// The newest that have not been read, oldest first.
    pub(super) fn to_read(&self) -> Vec<CatalogHead> {
        let newest = &self.heads[self.heads.len().saturating_sub(READ_AHEAD)..];
        let unread = newest
            .iter()
            .filter(|head| !self.read.contains_key(&head.version));
        unread.cloned().collect()
    }

    /// What a version says, if it has been read.
    pub(super) fn catalog(&self, version: u64) -> Option<Arc<Catalog>> {
        self.read.get(&version).cloned()
    }

    /// Keeps what was read, if the version is still that one; the oldest goes first.
    pub(super) fn keep(&mut self, head: &CatalogHead, catalog: Arc<Catalog>) {
        if self.numbered(head.version).as_ref() != Some(head) {
            return;
        }
        while self.read.len() >= KEPT {
            self.read.pop_first();
        }
        self.read.insert(head.version, catalog);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: u64, effective_at: Micros, sha256: &str) -> CatalogHead {
        CatalogHead {
            version,
            effective_at,
            sha256: sha256.to_owned(),
            applied_by: String::new(),
            applied_at: 0,
        }
    }

    fn catalog(name: &str) -> Arc<Catalog> {
        let text = format!("catalog: {name}\nmeters: {{a: {{unit: second, price: 1}}}}\n");
        Arc::new(Catalog::read(&text).expect("a catalog"))
    }

    fn in_force(known: &Known, now: Micros) -> u64 {
        known.at(now).map_or(0, |head| head.version)
    }

    #[test]
    fn of_versions_with_one_instant_the_last_is_in_force_and_at_its_instant() {
        let mut known = Known::default();
        assert_eq!((known.newest(), in_force(&known, 100)), (0, 0));
        let heads = vec![head(1, 10, "a"), head(2, 20, "b"), head(3, 20, "c")];
        assert!(known.learn(0, heads));
        let found = [9, 10, 19, 20, 21].map(|now| in_force(&known, now));
        assert_eq!(found, [0, 1, 1, 3, 3]);
    }

    #[test]
    fn what_is_learned_late_takes_nothing_back() {
        let mut known = Known::default();
        let all = vec![head(1, 10, "a"), head(2, 20, "b"), head(3, 30, "c")];
        assert!(known.learn(0, all[..1].to_vec()));
        assert!(known.learn(1, all.clone()));
        // Asked before the third was applied, answered after.
        assert!(known.learn(1, all[..2].to_vec()));
        assert_eq!((known.newest(), in_force(&known, 30)), (3, 3));
    }

    #[test]
    fn a_ledger_that_went_back_is_noticed_and_only_what_is_the_same_is_kept() {
        let mut known = Known::default();
        let heads = vec![head(1, 10, "a"), head(2, 20, "b")];
        assert!(known.learn(0, heads.clone()));
        known.keep(&heads[0], catalog("one"));
        known.keep(&heads[1], catalog("two"));
        let other = vec![head(1, 10, "a"), head(2, 25, "z")];
        assert!(!known.learn(2, other[1..].to_vec()) && !known.learn(2, Vec::new()));
        assert!(!known.learn(0, other.clone()));
        known.replace(other.clone());
        assert_eq!(known.to_read(), other[1..]);
        assert!(known.catalog(1).is_some() && known.catalog(2).is_none());
        // Read from the copy that is gone.
        known.keep(&heads[1], catalog("two"));
        assert!(known.catalog(2).is_none());
    }

    #[test]
    fn no_more_are_kept_than_the_bound() {
        let mut known = Known::default();
        let many: Vec<_> = (1..=300).map(|version| head(version, 0, "a")).collect();
        assert!(known.learn(0, many.clone()));
        assert_eq!(known.to_read(), many[300 - READ_AHEAD..]);
        let one = catalog("one");
        many.iter()
            .for_each(|head| known.keep(head, Arc::clone(&one)));
        assert_eq!(known.read.len(), KEPT);
        assert!(known.catalog(300).is_some() && known.catalog(1).is_none());
    }
}

//! Draining a stream in a recovery: what follows the ledger's cursor is posted while it is dense, over the eras that it holds.
//!
//! Owns what is found where it is not dense: entries that stand behind a missing one are read to the end, to be replayed.

use std::collections::BTreeMap;

use super::{RecoveryError, Relay, Replays};
use crate::{
    domain::event::{Entry, Position},
    holds::{Holds, Meta},
    ledger::{Cursor, Drained, Lease, ToReplay},
};

/// Entries in one reading of what stands behind a gap.
const PAGE: usize = 1000;

/// Where a drain ended.
pub(super) struct Drain {
    /// The last entry that was posted.
    pub from: Cursor,
    /// For the report.
    pub report: Drained,
    /// What stands behind it.
    pub behind: Vec<ToReplay>,
}

/// What stands behind an entry that has no next.
#[derive(Default)]
struct Behind {
    entries: u64,
    events: Vec<ToReplay>,
    /// The last entry of each era, and how many there are.
    last: BTreeMap<u64, (u64, u64)>,
    /// The era that follows that entry, if its beginning is there.
    next_era: Option<u64>,
}

impl Behind {
    fn take(&mut self, entry: Entry) {
        let (last, count) = self.last.entry(entry.epoch).or_default();
        (*last, *count) = ((*last).max(entry.n), *count + u64::from(entry.n > 0));
        if entry.n == 0 {
            return;
        }
        self.entries += 1;
        let good = entry
            .events
            .into_iter()
            .map(|event| (event.position, event.raw));
        let bad = entry.bad.into_iter().map(|bad| (bad.position, bad.raw));
        let mut events: Vec<(Position, Vec<u8>)> = good.chain(bad).collect();
        events.sort_by_key(|(position, _)| *position);
        let events = events
            .into_iter()
            .map(|(position, raw)| ToReplay { position, raw });
        self.events.extend(events);
    }

    /// Entries that were there once and are not. `known`: the last one that Redis wrote, by its own word.
    fn missing(&self, from: Cursor, known: Option<(u64, u64)>) -> u64 {
        let mut last = self.last.clone();
        if let Some((epoch, n)) = known {
            let (seen, _) = last.entry(epoch).or_default();
            *seen = (*seen).max(n);
        }
        let missing = |(epoch, (last, count)): (u64, (u64, u64))| {
            let before = if epoch == from.epoch { from.n } else { 0 };
            last.saturating_sub(before + count)
        };
        last.into_iter().map(missing).sum()
    }
}

/// Drains a partition; `new` is the era of the recovery under way, and `meta` what Redis said of itself before that.
pub(super) async fn drain(
    (partition, new): (u32, u64),
    (holds, relay): (&Holds, &mut Relay),
    lease: &mut Lease,
    replays: Option<&Replays>,
    meta: &Meta,
) -> Result<Drain, RecoveryError> {
    let mut report = Drained::default();
    relay.forget();
    loop {
        let (from, entries) = relay.read().await?;
        let dense = from.dense(partition, &entries);
        if dense > 0 {
            let posted = relay.post(from, &entries[..dense]).await?;
            report.posted += posted.cursor.n - from.n;
            relay.freeze(&posted);
            lease.keep().await?;
            continue;
        }
        if let Some(replays) = replays {
            replays.settle(partition, from);
        }
        let behind = behind(partition, holds, lease, from).await?;
        let known = meta.epoch.map(|epoch| (epoch, meta.n));
        let known = known.filter(|(epoch, _)| behind.next_era.is_none() && *epoch >= from.epoch);
        report.missing += behind.missing(from, known);
        report.behind_a_gap += behind.entries;
        if behind.entries > 0 {
            let (entries, events) = (behind.entries, behind.events.len());
            tracing::error!(partition, after = %from, entries, events, "entries behind a gap are replayed, not posted");
        }
        match behind.next_era {
            // The ledger is older than that era: Postgres went back. The era is drained, too, in its turn.
            Some(next) => {
                tracing::error!(partition, at = %from, next, "the ledger went back to before an era that the stream has");
                lease.pass(from, next, new, &behind.events).await?;
                relay.forget();
            }
            None => {
                let behind = behind.events;
                return Ok(Drain {
                    from,
                    report,
                    behind,
                });
            }
        }
    }
}

/// Reads what stands behind an entry, up to the beginning of the era that follows it, else to the end.
async fn behind(
    partition: u32,
    holds: &Holds,
    lease: &Lease,
    from: Cursor,
) -> Result<Behind, RecoveryError> {
    let mut behind = Behind::default();
    let mut at = from;
    loop {
        let page = holds.read_log(partition, at.epoch, at.n, PAGE).await?;
        lease.keep().await?;
        let Some(last) = page.last() else {
            return Ok(behind);
        };
        at = Cursor {
            epoch: last.epoch,
            n: last.n,
        };
        for entry in page {
            if entry.n == 0 && entry.follows == Some((from.epoch, from.n)) {
                behind.next_era = Some(entry.epoch);
                return Ok(behind);
            }
            behind.take(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(epoch: u64, n: u64) -> Entry {
        Entry {
            partition: 0,
            epoch,
            n,
            events: Vec::new(),
            bad: Vec::new(),
            images: Vec::new(),
            spent: Vec::new(),
            plans: Vec::new(),
            spending: Vec::new(),
            follows: None,
        }
    }

    #[test]
    fn what_is_missing_is_counted_era_by_era() {
        let mut behind = Behind::default();
        let from = Cursor { epoch: 7, n: 10 };
        assert_eq!(behind.missing(from, None), 0);
        assert_eq!(behind.missing(from, Some((7, 13))), 3, "all after 10");
        for (epoch, n) in [(7, 12), (7, 13), (8, 0), (8, 1), (8, 4)] {
            behind.take(entry(epoch, n));
        }
        assert_eq!(behind.missing(from, None), 1 + 2, "11; 2 and 3");
        assert_eq!(behind.missing(from, Some((8, 6))), 1 + 4, "5 and 6, too");
        assert_eq!(behind.entries, 4, "the beginning of an era is none");
    }
}

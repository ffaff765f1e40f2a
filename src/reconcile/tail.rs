//! What stays in a stream after it is posted: everything that the ledger came to have within a time, so that a Postgres that goes back
//! to a copy no older than that is fed again.
//!
//! Goes by when the ledger had an entry, not by when the entry was written: a copy has what was posted before it was taken. Each relay
//! keeps its own marks, so one that starts anew trims nothing for that time.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::ledger::Cursor;

/// Marks in the tail's length: how finely it is trimmed.
const MARKS: u32 = 64;

/// The tail of one partition's stream.
pub(super) struct Tail {
    length: Duration,
    /// The ledger was this far, then; oldest first.
    marks: VecDeque<(Instant, Cursor)>,
}

impl Tail {
    pub const fn new(length: Duration) -> Self {
        Self {
            length,
            marks: VecDeque::new(),
        }
    }

    /// The ledger is at `cursor` now; answers where the stream may begin, if it may be trimmed. Never beyond the cursor: a ledger that
    /// went back needs what it has lost.
    pub fn reached(&mut self, now: Instant, cursor: Cursor) -> Option<Cursor> {
        if self.length.is_zero() {
            return Some(cursor);
        }
        while self.marks.back().is_some_and(|(_, mark)| *mark > cursor) {
            self.marks.pop_back();
        }
        let fresh = |(at, _): &(Instant, Cursor)| now - *at < self.length / MARKS;
        if !self.marks.back().is_some_and(fresh) {
            self.marks.push_back((now, cursor));
        }
        let mut begins = None;
        while let Some((_, mark)) = self
            .marks
            .front()
            .filter(|(at, _)| now - *at >= self.length)
        {
            begins = Some(*mark);
            self.marks.pop_front();
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(epoch: u64, n: u64) -> Cursor {
        Cursor { epoch, n }
    }

    #[test]
    fn what_was_posted_within_its_length_stays() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut tail = Tail::new(10 * second);
        assert_eq!(tail.reached(start, at(7, 5)), None);
        assert_eq!(tail.reached(start + 5 * second, at(7, 9)), None);
        assert_eq!(tail.reached(start + 9 * second, at(7, 12)), None);
        let ten = tail.reached(start + 10 * second, at(8, 1));
        assert_eq!(ten, Some(at(7, 5)), "posted ten seconds ago");
        assert_eq!(tail.reached(start + 11 * second, at(8, 2)), None);
        assert_eq!(tail.reached(start + 60 * second, at(8, 3)), Some(at(8, 2)));
    }

    #[test]
    fn a_ledger_that_went_back_keeps_what_it_needs() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut tail = Tail::new(10 * second);
        tail.reached(start, at(7, 5));
        tail.reached(start + 5 * second, at(8, 2));
        let back = tail.reached(start + 16 * second, at(7, 6));
        assert_eq!(back, Some(at(7, 5)), "and not the mark in era 8");
    }

    #[test]
    fn without_a_tail_all_that_is_posted_goes() {
        assert_eq!(
            Tail::new(Duration::ZERO).reached(Instant::now(), at(7, 5)),
            Some(at(7, 5))
        );
    }
}

//! When cycles and paid periods start and end, by their numbers.

use serde::{Deserialize, Serialize};

use crate::domain::{account::Micros, plan::Cycle};

/// From an instant up to, and without, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its first instant.
    pub from: Micros,
    /// The first after it.
    pub until: Micros,
}

/// An endless row of cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// Where the first of them starts.
    pub anchor: Micros,
    /// The number that this one has. Numbers go on when the rhythm of a subscription changes.
    pub first: u32,
    /// How long each is.
    pub cycle: Cycle,
    /// So many are paid at once.
    pub paid_together: u32,
}

impl Rhythm {
    /// A cycle's bounds.
    #[must_use]
    pub fn cycle(&self, number: u32) -> Period {
        self.span(number, 1)
    }

    /// The number of the first cycle of the paid period that a cycle is in.
    #[must_use]
    pub const fn paid_from(&self, number: u32) -> u32 {
        let since = number.saturating_sub(self.first);
        self.first + since - since % self.paid_together
    }

    /// The bounds of the paid period that a cycle is in.
    #[must_use]
    pub fn paid(&self, number: u32) -> Period {
        self.span(self.paid_from(number), self.paid_together)
    }

    fn span(&self, number: u32, cycles: u32) -> Period {
        let since = number.saturating_sub(self.first);
        Period {
            from: self.cycle.start(self.anchor, since),
            until: self.cycle.start(self.anchor, since.saturating_add(cycles)),
        }
    }
}

//! What a search is about: the operations, the faults that may come, and which parts of the protocol are switched off.

use super::faults::KINDS;

/// The verbs. Expiry is what the sweeper does; nobody waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Reserve,
    Commit,
    Release,
    Expire,
}

/// One operation of a caller: sent again until it is answered, through any process.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    pub verb: Verb,
    pub hold: usize,
    /// Asked for durability LEDGER.
    pub ledger: bool,
    /// Sent after this one was answered.
    pub after: Option<usize>,
}

/// A search's world.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub name: &'static str,
    pub ops: &'static [Op],
    /// How often each kind of fault may come, and all of them together.
    pub faults: [u8; KINDS],
    pub faults_in_all: u8,
    /// How many relays and recoveries work at once. 0: one, which takes its steps all at once.
    pub relays: u8,
    pub recoveries: u8,
    /// The stream keeps what the ledger has, for a Postgres that goes back.
    pub tail: bool,
    /// No recovery begins after this epoch (but the healing).
    pub last_epoch: u8,
    /// Parts that are switched off.
    pub off: u32,
}

impl World {
    /// The protocol has this part.
    pub const fn has(&self, part: Part) -> bool {
        self.off & (1 << part as u32) == 0
    }

    /// The same world with a protocol that lacks some parts.
    pub fn without(mut self, parts: &[Part]) -> Self {
        for part in parts {
            self.off |= 1 << *part as u32;
        }
        self
    }
}

/// The parts that can be switched off, in the words of the design.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A process keeps what it acknowledged.
    SecondCopy,
    /// Also what it answered as a repeat.
    RepeatsInIt,
    /// It lets go by a reply of the same epoch only.
    SameEpochDrop,
    /// The script compares the replication id.
    Identity,
    /// The script compares the epoch.
    Epoch,
    /// A recovery posts what survived before it crosses.
    Drain,
    /// And stores what stands behind a gap.
    BehindTheGap,
    /// A commit of a hold that nobody knows is booked.
    UnknownCommits,
    /// A replayed reserve does nothing to an ended hold.
    EndDominates,
    /// A hold that Redis does not know is looked up.
    Lookup,
    /// Outcome keys of an older epoch are void.
    VoidOutcomes,
    /// Accounts of an older epoch are loaded anew.
    Reload,
    /// A load is refused if the account was dropped after what was read.
    EvictMark,
    /// A load is refused if it was read in another epoch.
    EpochOfTheRead,
    /// The epoch of a read is the cursor's own, not the current one, which a recovery moves before it drains.
    EpochOfTheCursor,
    /// A read counts only at or past the n at which the account was missed.
    ReadPastTheMiss,
    /// The publication of `ledger_n` names its epoch.
    FencedPublication,
    /// The stream is trimmed after the database's commit.
    TrimAfterCommit,
    /// A missing entry is suspicion.
    GapCheck,
    /// The release of a hold that nobody knows is recorded as its end.
    ReleaseMark,
    /// An epoch is greater than the clock says, too.
    EpochNeverReturns,
    /// The entry is the first thing that the script writes.
    XaddFirst,
    /// The posting is guarded by the cursor.
    Guard,
    /// The ledger's key (partition, epoch, n, index).
    KeyOfDelivery,
    /// The ledger's key (account, reserve event, verb, commit id).
    KeyOfDeed,
}

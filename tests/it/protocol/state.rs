//! What a state of the model is: Redis twice, Postgres and its older copy, two processes, two relays, recoveries, and what callers saw.
//! Everything is small numbers in fixed places, so that a state is copied and hashed as a few bytes.

/// Room for operations, holds, and entries of a stream.
pub const OPS: usize = 4;
pub const HOLDS: usize = 2;
const ENTRIES: usize = 10;

/// A place in a stream. Ordered by epoch, then n. Epoch 0 is "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Position {
    pub epoch: u8,
    pub n: u8,
}

pub const fn at(epoch: u8, n: u8) -> Position {
    Position { epoch, n }
}

/// An entry of the stream: one event, or (n = 0) an era's beginning, which names the position that it follows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Entry {
    pub at: Position,
    /// The operation whose event this is.
    pub op: u8,
    /// Of a beginning.
    pub follows: Position,
}

/// What became of a hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Status {
    #[default]
    Unknown,
    Open,
    Committed,
    Released,
    Expired,
}

/// A hold as a store knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Hold {
    pub status: Status,
    /// Commits that were taken for it.
    pub charged: u8,
}

/// The outcome of an ended hold, for repeats; void in a later epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Outcome {
    pub epoch: u8,
    pub hold: Hold,
}

/// What a Redis server has in memory, and what a copy of it has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Data {
    /// There is a meta at all.
    pub meta: bool,
    pub open: bool,
    pub epoch: u8,
    pub n: u8,
    pub ledger_n: u8,
    pub evict_n: u8,
    /// The account is there, written in `account_epoch`: which holds are open, what each was charged.
    pub account: bool,
    pub account_epoch: u8,
    pub is_open: [bool; HOLDS],
    pub charged: [u8; HOLDS],
    pub outcomes: [Outcome; HOLDS],
    entries: [Entry; ENTRIES],
    len: u8,
}

impl Data {
    pub fn stream(&self) -> &[Entry] {
        &self.entries[..usize::from(self.len)]
    }

    /// Answers whether there was room: where there is none, the search goes no further.
    pub fn append(&mut self, entry: Entry) -> bool {
        let room = usize::from(self.len) < ENTRIES;
        if room {
            self.entries[usize::from(self.len)] = entry;
            self.len += 1;
        }
        room
    }

    /// Removes the entries up to a position.
    pub fn trim(&mut self, to: Position) {
        let mut kept = [Entry::default(); ENTRIES];
        let mut len = 0;
        for entry in self.stream().iter().filter(|entry| entry.at > to) {
            kept[len] = *entry;
            len += 1;
        }
        (self.entries, self.len) = (kept, u8::try_from(len).unwrap_or(0));
    }
}

/// A Redis server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Server {
    pub master: bool,
    pub replid: u8,
    pub data: Data,
}

/// A hold in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Booked {
    pub hold: Hold,
    pub reserved: bool,
}

/// Postgres: the partition's row, and the book.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Postgres {
    pub epoch: u8,
    pub replid: u8,
    pub open: bool,
    pub cursor: Position,
    /// The first unique key: which (epoch, n) were posted.
    pub posted: u64,
    /// Operations that were posted, for the checks only.
    pub ops: u8,
    /// Operations that stood behind a gap, to be replayed.
    pub stored: u8,
    pub book: [Booked; HOLDS],
    /// A second event of one deed came.
    pub quarantined: bool,
    /// A reserve came after the hold's end.
    pub resurrected: bool,
}

/// What a process read in one statement, to load an account and to know of ended holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Reading {
    pub epoch: u8,
    pub cursor: Position,
    pub book: [Hold; HOLDS],
}

/// Why an operation is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Why {
    /// A caller sent it, perhaps again.
    #[default]
    Called,
    /// The process had acknowledged it in an older epoch.
    Kept,
    /// It stood behind a gap.
    Stored,
}

/// Where a process's one call is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Call {
    #[default]
    Idle,
    /// The script asked for the ledger, and it was read.
    Read { op: u8, why: Why, reading: Reading },
    /// The script answered; the reply is under way.
    /// `behind`: Redis went back behind it already.
    Reply {
        op: u8,
        at: Position,
        behind: bool,
        repeated: bool,
        refused: bool,
    },
}

/// A serving process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Process {
    pub epoch: u8,
    pub replid: u8,
    /// The second copy: for each operation, where its event stands.
    pub kept: [Position; OPS],
    pub call: Call,
}

/// A relay between two of its steps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Relay {
    #[default]
    Idle,
    Read {
        guard: Position,
        entry: Entry,
    },
    Posted {
        at: Position,
    },
}

/// A recovery between two of its steps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Recovery {
    #[default]
    None,
    Began {
        epoch: u8,
        server: u8,
        replid: u8,
    },
    Fenced {
        epoch: u8,
        server: u8,
        replid: u8,
    },
    Crossed {
        epoch: u8,
        server: u8,
        replid: u8,
        from: Position,
    },
}

/// What the caller of an operation saw, and what excuses its loss.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Seen {
    pub acknowledged: bool,
    /// Refused for good.
    pub refused: bool,
    /// Processes that acknowledged it and live: one bit each.
    pub by: u8,
    /// Since then Redis went back behind it.
    pub redis_back: bool,
    /// Since then Postgres went back behind it.
    pub postgres_back: bool,
}

impl Seen {
    /// Acknowledged, or about to be: LEDGER is promised later than the second copy is made.
    pub const fn by_anyone(&self) -> bool {
        self.acknowledged || self.by != 0
    }
}

/// A state of everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct State {
    pub servers: [Server; 2],
    pub postgres: Postgres,
    pub postgres_copy: Postgres,
    pub processes: [Process; 2],
    pub relays: [Relay; 2],
    pub recoveries: [Recovery; 2],
    pub seen: [Seen; OPS],
    /// The greatest epoch and replication id ever given: the clock, in effect.
    pub newest_epoch: u8,
    pub newest_replid: u8,
    /// Faults so far, by kind.
    pub faults: [u8; super::faults::KINDS],
    /// A bound of the model was met: nothing is said about what follows.
    pub full: bool,
}

impl State {
    /// Opened, with a replica that has all there is: nothing yet but the account.
    pub fn first() -> Self {
        let mut data = Data {
            meta: true,
            open: true,
            epoch: 1,
            account: true,
            account_epoch: 1,
            ..Data::default()
        };
        data.append(Entry {
            at: at(1, 0),
            ..Entry::default()
        });
        let postgres = Postgres {
            epoch: 1,
            replid: 1,
            open: true,
            cursor: at(1, 0),
            ..Postgres::default()
        };
        let process = Process {
            epoch: 1,
            replid: 1,
            ..Process::default()
        };
        Self {
            servers: [
                Server {
                    master: true,
                    replid: 1,
                    data,
                },
                Server {
                    master: false,
                    replid: 1,
                    data,
                },
            ],
            postgres,
            postgres_copy: postgres,
            processes: [process; 2],
            newest_epoch: 1,
            newest_replid: 1,
            ..Self::default()
        }
    }

    pub fn masters(&self) -> usize {
        self.servers.iter().filter(|server| server.master).count()
    }
}

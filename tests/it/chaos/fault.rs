//! The faults: what each is, and what section 7 of the design promises under it. How they are done is `strike`'s.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    ServingKilled,
    RedisKilled,
    RedisFlushed,
    StaleReplicaPromoted,
    OldFileRestored,
    RedisEmpty,
    FailedBack,
    CutAfterServer,
    PostgresKilled,
    StreamDeleted,
    AccountDeleted,
    ServingPaused,
    PostgresStopped,
    CutBeforeServer,
    RedisPaused,
    PostgresPaused,
    ProgramFlushed,
    FlushedAndServingKilled,
    DemotedAndReturned,
    ClockForwards,
    ClockBackwards,
    DiskSlow,
    KilledWhileOtherStopped,
    RelayCut,
    RedisAndServingKilled,
    FlushedTwice,
    PublicationLate,
    CallCutShort,
}

/// Whether the promise lets an acknowledged APPLIED operation be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Kept,
    /// For the reason given.
    MayBeLost(&'static str),
}

/// How it is known that a fault did what its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Whoever strikes has seen it.
    AtOnce,
    /// Callers had calls without a certain outcome.
    Noticed,
    /// A partition was opened anew.
    NewEra,
    /// Something acknowledged, and not in the ledger yet, went back.
    RolledBack,
    /// Events carry a time that was still to come when they were booked.
    Ahead,
    /// Much was done on one account at one instant: its clock stood still.
    StoodStill,
}

/// What stands behind a fault.
pub struct Sort {
    pub fault: Fault,
    pub name: &'static str,
    pub effect: Effect,
    pub applied: Applied,
}

const fn sort(fault: Fault, name: &'static str, effect: Effect, applied: Applied) -> Sort {
    Sort {
        fault,
        name,
        effect,
        applied,
    }
}

impl Sort {
    /// By a name, or by a part of several.
    pub fn named(only: &str) -> impl Iterator<Item = &'static Self> {
        let exact = ALL.iter().any(|sort| sort.name == only);
        ALL.iter()
            .filter(move |sort| sort.name == only || (!exact && sort.name.contains(only)))
    }
}

/// The one exception of section 7.
const BOTH_LOST: Applied = Applied::MayBeLost("Redis and who acknowledged are both lost");

/// Every fault, the most telling first.
pub const ALL: &[Sort] = &{
    use Applied::Kept;
    use Effect::{Ahead, AtOnce, NewEra, Noticed, RolledBack, StoodStill};
    use Fault::*;
    [
        sort(ServingKilled, "serving process killed", Noticed, Kept),
        // With its file written at every answer it comes back with all that it acknowledged.
        sort(RedisKilled, "Redis killed", NewEra, Kept),
        sort(RedisFlushed, "FLUSHALL", RolledBack, Kept),
        sort(
            StaleReplicaPromoted,
            "stale replica promoted, old primary answers",
            RolledBack,
            Kept,
        ),
        sort(
            OldFileRestored,
            "old append-only file restored",
            RolledBack,
            Kept,
        ),
        sort(RedisEmpty, "Redis restarted empty", RolledBack, Kept),
        sort(
            FailedBack,
            "fail-back to the same server with older data",
            RolledBack,
            Kept,
        ),
        sort(CutAfterServer, "replies cut", Noticed, Kept),
        sort(PostgresKilled, "Postgres killed", AtOnce, Kept),
        sort(StreamDeleted, "stream deleted", RolledBack, Kept),
        // What the account did is in the stream: it is loaded once the ledger has that.
        sort(AccountDeleted, "account deleted", AtOnce, Kept),
        sort(
            ServingPaused,
            "serving process stopped for a while",
            Noticed,
            Kept,
        ),
        sort(PostgresStopped, "Postgres down for a while", AtOnce, Kept),
        sort(CutBeforeServer, "requests cut", Noticed, Kept),
        sort(RedisPaused, "Redis stopped for a while", Noticed, Kept),
        sort(PostgresPaused, "Postgres stopped for a while", AtOnce, Kept),
        sort(ProgramFlushed, "SCRIPT FLUSH, FUNCTION FLUSH", AtOnce, Kept),
        sort(
            FlushedAndServingKilled,
            "FLUSHALL, and a serving process killed",
            RolledBack,
            BOTH_LOST,
        ),
        sort(
            DemotedAndReturned,
            "demoted and primary again with older data",
            RolledBack,
            Kept,
        ),
        // An account's clock runs ahead then, or waits (T1); no hold's life is that short.
        sort(ClockForwards, "Redis' clock stepped forwards", Ahead, Kept),
        sort(
            ClockBackwards,
            "Redis' clock stepped backwards",
            StoodStill,
            Kept,
        ),
        sort(DiskSlow, "Redis' disk slow", AtOnce, Kept),
        // The stream has what the dead one answered.
        sort(
            KilledWhileOtherStopped,
            "one serving process stopped, the other killed",
            Noticed,
            Kept,
        ),
        sort(RelayCut, "relay cut off in a batch", AtOnce, Kept),
        sort(
            RedisAndServingKilled,
            "Redis and a serving process killed",
            NewEra,
            Kept,
        ),
        sort(
            FlushedTwice,
            "FLUSHALL while a serving process is stopped, and again after it",
            RolledBack,
            Kept,
        ),
        sort(
            PublicationLate,
            "a relay's publication delivered after a FLUSHALL, and FLUSHALL again",
            RolledBack,
            Kept,
        ),
        // An operator's slip in Redis' access list: some of a call's writes are made, then one is refused.
        sort(CallCutShort, "writes refused in mid-call", NewEra, Kept),
    ]
};

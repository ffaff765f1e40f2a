//! The protocol as designed, in every world; and without each of its parts, in the world that shows soonest what the part is for.

use super::{
    search::{Violation, search},
    trace::Readable,
    world::{Part, World},
    worlds,
};

/// Set, to have every crippled variant's shortest trace printed (with `--nocapture`).
const TRACES: &str = "PROTOCOL_TRACES";

/// Nothing is wrong in any state of this world.
fn holds(world: &World) {
    let found = search(world);
    println!(
        "{}: {} states, {} steps",
        world.name, found.states, found.steps
    );
    if let Some(violation) = &found.violation {
        panic!("{}:\n{}", world.name, Readable(world, violation));
    }
    assert_eq!(
        found.full, 0,
        "{}: states were left out for want of room",
        world.name
    );
}

/// Without these parts, this is what goes wrong.
fn fails(world: &World, parts: &[Part], what: &str) {
    let world = world.without(parts);
    let found = search(&world);
    let Some(violation) = found.violation else {
        panic!(
            "{}: without {parts:?} nothing goes wrong in {} states",
            world.name, found.states
        );
    };
    shown(&world, parts, &violation);
    assert!(
        violation.what.contains(what),
        "without {parts:?}: {}",
        Readable(&world, &violation)
    );
}

fn shown(world: &World, parts: &[Part], violation: &Violation) {
    println!(
        "without {parts:?}: {} steps, {}",
        violation.trace.len(),
        violation.what.lines().next().unwrap_or_default()
    );
    if std::env::var_os(TRACES).is_some() {
        println!(
            "{} ({})\n{}",
            world.name,
            parts.len(),
            Readable(world, violation)
        );
    }
}

macro_rules! as_designed {
    ($($name:ident: $world:ident),* $(,)?) => {
        mod as_designed {
            $(#[test]
            fn $name() {
                super::holds(&super::worlds::$world);
            })*
        }
    };
}

as_designed! {
    restart_with_older_data: RESTART,
    two_restarts: RESTART_TWICE,
    stale_promotion: PROMOTION,
    stale_promotion_and_a_process_dies: PROMOTION_DEATH,
    stale_promotion_step_by_step: PROMOTION_STEPS,
    demotion_and_return: RETURN,
    flushall: FLUSH,
    lost_stream: STREAM,
    half_written_call: HALF,
    eviction: EVICTION,
    expiry_and_late_commit: EXPIRIES,
    two_relays: RELAYS,
    two_recoveries: RECOVERIES,
    postgres_goes_back: STANDBY,
    postgres_goes_back_and_redis_is_emptied: EPOCHS,
    durability_ledger: LEDGERED,
}

macro_rules! without {
    ($($name:ident: $world:ident, $part:ident, $what:literal;)*) => {
        mod without {
            $(#[test]
            fn $name() {
                super::fails(&super::worlds::$world, &[super::Part::$part], $what);
            })*
        }
    };
}

without! {
    second_copy: RESTART, SecondCopy, "APPLIED, is lost";
    repeats_in_it: RESTART_TWICE, RepeatsInIt, "APPLIED, is lost";
    same_epoch_drop: LEDGERED, SameEpochDrop, "LEDGER, is lost";
    identity: RETURN, Identity, "is lost";
    epoch: LEDGERED, Epoch, "LEDGER, is lost";
    drain: RESTART, Drain, "is lost";
    operations_behind_a_gap: STREAM, BehindTheGap, "is lost";
    unknown_commits: RESTART, UnknownCommits, "Commit of hold 0), acknowledged APPLIED, is lost";
    end_dominates: RESTART_TWICE, EndDominates, "resurrected";
    lookup: EXPIRIES, Lookup, "second event of one deed";
    void_outcomes: STREAM, VoidOutcomes, "is lost";
    reload: EXPIRIES, Reload, "in Redis";
    evict_mark: EVICTION, EvictMark, "second event of one deed";
    epoch_of_the_read: FLUSH, EpochOfTheRead, "second event of one deed";
    epoch_of_the_cursor: PROMOTION_STEPS, EpochOfTheCursor, "second event of one deed";
    fenced_publication: RESTART_TWICE, FencedPublication, "is lost";
    trim_after_commit: STREAM, TrimAfterCommit, "is lost";
    gap_check: STREAM, GapCheck, "in Redis";
    release_mark: RESTART_TWICE, ReleaseMark, "Release of hold 0), acknowledged APPLIED, is lost";
    epoch_never_returns: EPOCHS, EpochNeverReturns, "is lost";
    xadd_first: HALF, XaddFirst, "in Redis";
    guard: RELAYS, Guard, "second event of one deed";
}

/// What the module's header says is redundant, is: if this fails, the header is wrong, or the model has changed.
mod alone_redundant {
    use super::{Part, holds, worlds};

    #[test]
    fn key_of_delivery() {
        holds(&worlds::RELAYS_COMMIT.without(&[Part::KeyOfDelivery]));
    }

    #[test]
    fn key_of_deed() {
        holds(&worlds::RELAYS_COMMIT.without(&[Part::KeyOfDeed]));
    }

    #[test]
    fn read_past_the_miss() {
        holds(&worlds::EVICTION.without(&[Part::ReadPastTheMiss]));
    }
}

/// The guard and both keys together are what keeps a commit from being booked twice.
#[test]
fn without_guard_and_keys() {
    let parts = [Part::Guard, Part::KeyOfDelivery, Part::KeyOfDeed];
    fails(&worlds::ONE_COMMIT, &parts, "charged twice");
}

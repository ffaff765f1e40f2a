//! The steps of processes and relays. Each answers whether it could be taken at all.

use super::{
    faults,
    ledger::{self, Next},
    script::{Answer, Reach, carry_out, passes},
    state::{Call, Entry, Position, Relay, State, Why, at},
    world::{Part, World},
};

/// A call of a process at a server, first or second try.
pub fn call(world: &World, state: &mut State, p: usize, s: usize, op: usize, why: Why) -> bool {
    let process = state.processes[p];
    if !passes(world, &state.servers[s], &process) {
        return false;
    }
    let reading = match process.call {
        Call::Idle => None,
        Call::Read {
            op: asked,
            why: for_what,
            reading,
        } if usize::from(asked) == op && for_what == why => Some(reading),
        Call::Read { .. } | Call::Reply { .. } => return false,
    };
    let mut data = state.servers[s].data;
    let answer = carry_out(world, &mut data, op, why, reading.as_ref(), Reach::Whole);
    let small = u8::try_from(op).unwrap_or(0);
    match answer {
        Answer::Full => state.full = true,
        Answer::Again => {
            state.processes[p].call = Call::Idle;
            return reading.is_some();
        }
        Answer::Ask => {
            let reading = ledger::read(world, &state.postgres);
            // The script missed it at this place; what was read before that does not count.
            let missed_at = at(data.epoch, data.n);
            if world.has(Part::ReadPastTheMiss) && reading.cursor < missed_at {
                return false;
            }
            state.processes[p].call = Call::Read {
                op: small,
                why,
                reading,
            };
        }
        Answer::Refused => {
            state.servers[s].data = data;
            done(
                state,
                p,
                op,
                why,
                Reply {
                    refused: true,
                    ..Reply::default()
                },
            );
        }
        Answer::Done { at, repeated } => {
            state.servers[s].data = data;
            // By its own epoch, which the fence made the server's.
            let at = Position {
                epoch: process.epoch,
                n: at.n,
            };
            // The stream had lost it before this answer, or another master may stay.
            let behind = state.masters() > 1 || !faults::brings(state, s, op);
            done(
                state,
                p,
                op,
                why,
                Reply {
                    at,
                    repeated,
                    behind,
                    refused: false,
                },
            );
        }
    }
    true
}

#[derive(Default)]
struct Reply {
    at: Position,
    repeated: bool,
    behind: bool,
    refused: bool,
}

fn done(state: &mut State, p: usize, op: usize, why: Why, reply: Reply) {
    state.processes[p].call = Call::Idle;
    match why {
        // Nobody waits for the sweeper; callers are answered in a step of its own.
        Why::Called => {
            let Reply {
                at,
                repeated,
                behind,
                refused,
            } = reply;
            let op = u8::try_from(op).unwrap_or(0);
            state.processes[p].call = Call::Reply {
                op,
                at,
                behind,
                repeated,
                refused,
            };
        }
        Why::Kept => {
            state.processes[p].kept[op] = reply.at;
            again_in_redis(state, op, &reply);
        }
        Why::Stored => {
            state.postgres.stored &= !(1 << op);
            again_in_redis(state, op, &reply);
        }
    }
}

/// A replay that was new has brought the operation back; one that was not has changed nothing.
const fn again_in_redis(state: &mut State, op: usize, reply: &Reply) {
    if !reply.repeated {
        state.seen[op].redis_back = reply.behind;
    }
}

/// The reply reaches the process, and the process' answer the caller.
pub fn deliver(world: &World, state: &mut State, p: usize) -> bool {
    let Call::Reply {
        op,
        at,
        behind,
        repeated,
        refused,
    } = state.processes[p].call
    else {
        return false;
    };
    state.processes[p].call = Call::Idle;
    let op = usize::from(op);
    if refused {
        state.seen[op].refused = true;
        return true;
    }
    if world.has(Part::SecondCopy) && (!repeated || world.has(Part::RepeatsInIt)) {
        state.processes[p].kept[op] = at;
    }
    let seen = &mut state.seen[op];
    seen.by |= 1 << p;
    seen.redis_back = behind;
    if !world.ops[op].ledger {
        seen.acknowledged = true;
    }
    true
}

/// A process reads from Postgres which era is open.
pub fn learn(state: &mut State, p: usize) -> bool {
    let (postgres, process) = (state.postgres, &mut state.processes[p]);
    let news =
        postgres.open && (process.epoch, process.replid) != (postgres.epoch, postgres.replid);
    if news {
        (process.epoch, process.replid) = (postgres.epoch, postgres.replid);
    }
    news
}

/// A reply carries `ledger_n`: the process lets go of what the ledger has.
pub fn let_go(world: &World, state: &mut State, p: usize, s: usize) -> bool {
    let process = state.processes[p];
    if !passes(world, &state.servers[s], &process) {
        return false;
    }
    let mut some = false;
    for (op, kept) in process.kept.into_iter().enumerate() {
        let same = kept.epoch == process.epoch || !world.has(Part::SameEpochDrop);
        if kept.epoch > 0 && same && kept.n <= state.servers[s].data.ledger_n {
            some = true;
            state.processes[p].kept[op] = Position::default();
            // Whoever asked for LEDGER waited for this.
            state.seen[op].acknowledged = true;
        }
    }
    some
}

/// A relay reads the cursor and the entry after it.
pub fn relay_reads(world: &World, state: &mut State, r: usize, s: usize) -> bool {
    if state.relays[r] != Relay::Idle || !state.servers[s].master {
        return false;
    }
    let guard = state.postgres.cursor;
    let data = &mut state.servers[s].data;
    let entry = match ledger::next(data, guard) {
        Next::Entry(entry) if entry.at.n > 0 => Some(entry),
        Next::Gap if !world.has(Part::GapCheck) => data
            .stream()
            .iter()
            .copied()
            .find(|entry| entry.at > guard && entry.at.n > 0),
        Next::Entry(_) | Next::Gap | Next::End => None,
    };
    let Some(entry) = entry else {
        return false;
    };
    if !world.has(Part::TrimAfterCommit) {
        data.trim(entry.at);
    }
    state.relays[r] = Relay::Read { guard, entry };
    true
}

/// It posts the entry and moves the cursor, in one transaction.
pub fn relay_posts(world: &World, state: &mut State, r: usize) -> bool {
    let Relay::Read { guard, entry } = state.relays[r] else {
        return false;
    };
    if world.has(Part::Guard) && state.postgres.cursor != guard {
        state.relays[r] = Relay::Idle;
        return true;
    }
    ledger_has(world, state, entry);
    state.relays[r] = Relay::Posted { at: entry.at };
    true
}

pub fn ledger_has(world: &World, state: &mut State, entry: Entry) {
    ledger::post(world, &mut state.postgres, entry);
    if entry.at.n > 0 {
        state.seen[usize::from(entry.op)].postgres_back = false;
    }
}

/// It tells Redis how far the ledger is, and trims the stream.
pub fn relay_publishes(world: &World, state: &mut State, r: usize, s: usize) -> bool {
    let Relay::Posted { at } = state.relays[r] else {
        return false;
    };
    let server = &mut state.servers[s];
    if !server.master {
        return false;
    }
    state.relays[r] = Relay::Idle;
    publish(world, &mut server.data, at, world.tail);
    true
}

pub fn publish(world: &World, data: &mut super::state::Data, at: Position, tail: bool) {
    if data.meta && (data.epoch == at.epoch || !world.has(Part::FencedPublication)) {
        data.ledger_n = data.ledger_n.max(at.n);
        if !tail {
            data.trim(at);
        }
    }
}

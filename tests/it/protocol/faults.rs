//! What goes wrong, and what it excuses.

use super::{
    script::{Reach, carry_out, passes},
    state::{Call, Data, Process, Relay, State, Why},
    world::World,
};

/// How many kinds there are.
pub const KINDS: usize = 13;

/// The kinds. `s` and the like say where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The replica catches up (no harm, but it says how old the older copy is).
    Sync,
    /// The first server comes back with the replica's older data, as after a restart or a demotion and return.
    Restart,
    /// The replica is promoted; the old primary still answers.
    Promote,
    /// Of two masters one becomes the other's replica.
    Demote,
    /// FLUSHALL.
    Flush,
    /// The stream is deleted.
    LoseStream,
    /// A script stops after its first write.
    Half,
    /// An idle account is dropped (no fault of anyone).
    Evict,
    /// A serving process dies and comes back empty.
    Kill,
    /// A reply is lost between Redis and the process.
    LoseReply,
    /// A relay dies between two steps.
    KillRelay,
    /// Postgres' standby catches up.
    Copy,
    /// Postgres fails over to its older copy.
    PostgresBack,
}

/// One of them, at a place: a server, a process or a relay; `op` for a half-written call.
pub fn strike(world: &World, state: &mut State, fault: Fault, place: usize, op: usize) -> bool {
    let kind = fault as usize;
    let all: u8 = state.faults.iter().sum();
    if state.faults[kind] >= world.faults[kind] || all >= world.faults_in_all {
        return false;
    }
    let struck = match fault {
        Fault::Sync => sync(state),
        Fault::Restart => restart(state),
        Fault::Promote => promote(state, place),
        Fault::Demote => demote(state, place),
        Fault::Flush => empty(state, place, |data| *data = Data::default()),
        Fault::LoseStream => empty(state, place, |data| data.trim(super::state::at(u8::MAX, 0))),
        Fault::Half => half(world, state, place, op),
        Fault::Evict => evict(state, place),
        Fault::Kill => kill(state, place),
        Fault::LoseReply => lose_reply(state, place),
        Fault::KillRelay => kill_relay(state, place),
        Fault::Copy => {
            let news = state.postgres_copy != state.postgres;
            state.postgres_copy = state.postgres;
            news
        }
        Fault::PostgresBack => postgres_back(state),
    };
    if struck {
        state.faults[kind] += 1;
    }
    struck
}

fn sync(state: &mut State) -> bool {
    let [primary, replica] = &mut state.servers;
    let news = primary.master && !replica.master && primary.data != replica.data;
    if news {
        replica.data = primary.data;
    }
    news
}

fn restart(state: &mut State) -> bool {
    if !state.servers[0].master
        || state.servers[1].master
        || state.servers[0].data == state.servers[1].data
    {
        return false;
    }
    state.servers[0].data = state.servers[1].data;
    renamed(state, 0);
    survives(state, 0);
    true
}

fn promote(state: &mut State, s: usize) -> bool {
    if state.servers[s].master {
        return false;
    }
    state.servers[s].master = true;
    renamed(state, s);
    survives(state, s);
    true
}

pub fn demote(state: &mut State, s: usize) -> bool {
    if state.masters() < 2 {
        return false;
    }
    state.servers[s] = state.servers[1 - s];
    state.servers[s].master = false;
    survives(state, 1 - s);
    true
}

fn empty(state: &mut State, s: usize, how: impl Fn(&mut Data)) -> bool {
    let before = state.servers[s].data;
    if !state.servers[s].master {
        return false;
    }
    how(&mut state.servers[s].data);
    survives(state, s);
    before != state.servers[s].data
}

fn half(world: &World, state: &mut State, s: usize, op: usize) -> bool {
    let era = Process {
        epoch: state.postgres.epoch,
        replid: state.postgres.replid,
        ..Process::default()
    };
    if !passes(world, &state.servers[s], &era)
        || state.seen[op].acknowledged
        || state.seen[op].refused
    {
        return false;
    }
    if world.ops[op]
        .after
        .is_some_and(|before| !state.seen[before].acknowledged)
    {
        return false;
    }
    let before = state.servers[s].data;
    let reading = super::ledger::read(world, &state.postgres);
    // With the ledger at hand, as at a second try.
    let current = reading.cursor >= super::state::at(before.epoch, before.n);
    let mut data = before;
    carry_out(
        world,
        &mut data,
        op,
        Why::Called,
        current.then_some(&reading),
        Reach::Half,
    );
    state.servers[s].data = data;
    before != data
}

fn evict(state: &mut State, s: usize) -> bool {
    let server = &mut state.servers[s];
    let data = &mut server.data;
    let can = server.master && data.open && data.account && data.account_epoch == data.epoch;
    if can {
        data.account = false;
        data.account_epoch = 0;
        data.is_open = Default::default();
        data.charged = Default::default();
        data.evict_n = data.n;
    }
    can
}

fn kill(state: &mut State, p: usize) -> bool {
    // Which era a new process learns first makes no difference: it learns before it calls.
    let era = Process {
        epoch: state.processes[p].epoch,
        replid: state.processes[p].replid,
        ..Process::default()
    };
    let some = state.processes[p] != era;
    state.processes[p] = era;
    for seen in &mut state.seen {
        seen.by &= !(1 << p);
    }
    some
}

fn lose_reply(state: &mut State, p: usize) -> bool {
    let lost = matches!(state.processes[p].call, Call::Reply { .. });
    state.processes[p].call = Call::Idle;
    lost
}

fn kill_relay(state: &mut State, r: usize) -> bool {
    let some = state.relays[r] != Relay::Idle;
    state.relays[r] = Relay::Idle;
    some
}

fn postgres_back(state: &mut State) -> bool {
    let gone = state.postgres.ops & !state.postgres_copy.ops;
    let news = state.postgres != state.postgres_copy;
    state.postgres = state.postgres_copy;
    for (op, seen) in state.seen.iter_mut().enumerate() {
        seen.postgres_back |= gone & (1 << op) != 0;
    }
    if state.masters() > 1 {
        survives(state, 0);
        survives(state, 1);
    }
    news
}

/// The server's stream has the operation's event, and it is in the ledger or on its way there.
pub fn brings(state: &State, s: usize, op: usize) -> bool {
    let postgres = &state.postgres;
    state.servers[s].data.stream().iter().any(|entry| {
        let on_its_way = postgres.ops & (1 << op) != 0 || entry.at > postgres.cursor;
        entry.at.n > 0 && usize::from(entry.op) == op && on_its_way
    })
}

/// The server has another replication id from now on.
fn renamed(state: &mut State, s: usize) {
    state.newest_replid += 1;
    state.servers[s].replid = state.newest_replid;
}

/// This server's data is what Redis has now: whatever it cannot bring to the ledger any more is behind it.
fn survives(state: &mut State, s: usize) {
    let stores = *state;
    let behind = |op: usize| !brings(&stores, s, op);
    for (op, seen) in state.seen.iter_mut().enumerate() {
        seen.redis_back |= seen.by_anyone() && behind(op);
    }
    for process in &mut state.processes {
        if let Call::Reply {
            op,
            behind: already,
            ..
        } = &mut process.call
        {
            *already |= behind(usize::from(*op));
        }
    }
}

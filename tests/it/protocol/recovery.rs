//! The steps of a recovery. Each leaves a state from which another begins anew.

use super::{
    ledger::{self, Next},
    state::{Entry, Recovery, State, at},
    steps::ledger_has,
    world::{Part, World},
};

/// A recovery begins: a new epoch by compare and swap, closed.
pub fn begin(world: &World, state: &mut State, k: usize, s: usize) -> bool {
    let server = state.servers[s];
    if state.recoveries[k] != Recovery::None
        || !server.master
        || ledger::is_open(world, &state.postgres, &server)
    {
        return false;
    }
    let epoch = if world.has(Part::EpochNeverReturns) {
        state.newest_epoch + 1
    } else {
        // The ledger's and what this server says, without the clock.
        let redis = if server.data.meta {
            server.data.epoch
        } else {
            0
        };
        state.postgres.epoch.max(redis) + 1
    };
    if epoch > 7 {
        state.full = true;
        return true;
    }
    state.newest_epoch = state.newest_epoch.max(epoch);
    state.postgres.epoch = epoch;
    state.postgres.open = false;
    let small = u8::try_from(s).unwrap_or(0);
    state.recoveries[k] = Recovery::Began {
        epoch,
        server: small,
        replid: server.replid,
    };
    true
}

/// It fences Redis at the new epoch, closed.
pub fn fence(state: &mut State, k: usize) -> bool {
    let Recovery::Began {
        epoch,
        server,
        replid,
    } = state.recoveries[k]
    else {
        return false;
    };
    let found = &mut state.servers[usize::from(server)];
    let data = &mut found.data;
    if !found.master || found.replid != replid || (data.meta && data.epoch >= epoch) {
        state.recoveries[k] = Recovery::None;
        return true;
    }
    data.meta = true;
    data.open = false;
    data.epoch = epoch;
    state.recoveries[k] = Recovery::Fenced {
        epoch,
        server,
        replid,
    };
    true
}

/// It posts what survived, stores what stands behind a gap, and crosses to the new era: one transaction.
pub fn cross(world: &World, state: &mut State, k: usize) -> bool {
    let Recovery::Fenced {
        epoch,
        server,
        replid,
    } = state.recoveries[k]
    else {
        return false;
    };
    let found = state.servers[usize::from(server)];
    let still =
        found.master && found.replid == replid && found.data.epoch == epoch && found.data.meta;
    if !still || state.postgres.epoch != epoch || state.postgres.open {
        state.recoveries[k] = Recovery::None;
        return true;
    }
    if world.has(Part::Drain) {
        while let Next::Entry(entry) = ledger::next(&found.data, state.postgres.cursor) {
            ledger_has(world, state, entry);
        }
        if ledger::next(&found.data, state.postgres.cursor) == Next::Gap
            && world.has(Part::BehindTheGap)
        {
            let cursor = state.postgres.cursor;
            let behind = found
                .data
                .stream()
                .iter()
                .filter(|entry| entry.at > cursor && entry.at.n > 0);
            for entry in behind {
                state.postgres.stored |= 1 << entry.op;
            }
        }
    }
    let from = state.postgres.cursor;
    state.postgres.cursor = at(epoch, 0);
    state.postgres.replid = replid;
    state.recoveries[k] = Recovery::Crossed {
        epoch,
        server,
        replid,
        from,
    };
    true
}

/// It opens: Redis at (epoch, 0), then the ledger's row.
pub fn open(world: &World, state: &mut State, k: usize) -> bool {
    let Recovery::Crossed {
        epoch,
        server,
        replid,
        from,
    } = state.recoveries[k]
    else {
        return false;
    };
    state.recoveries[k] = Recovery::None;
    let found = &mut state.servers[usize::from(server)];
    let data = &mut found.data;
    if !found.master || found.replid != replid || !data.meta || data.epoch != epoch {
        return true;
    }
    if !world.tail {
        data.trim(at(epoch, 0));
    }
    (data.open, data.n, data.ledger_n, data.evict_n) = (true, 0, 0, 0);
    if !data.append(Entry {
        at: at(epoch, 0),
        op: 0,
        follows: from,
    }) {
        state.full = true;
    }
    let postgres = &mut state.postgres;
    if postgres.epoch == epoch && postgres.cursor == at(epoch, 0) {
        postgres.open = true;
    }
    true
}

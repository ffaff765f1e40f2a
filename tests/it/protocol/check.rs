//! What must hold: in every state, and, once everything is healed, replayed and drained, of what callers were told.

use super::{
    faults, ledger, recovery,
    state::{Call, Position, Recovery, Relay, State, Status, Why},
    steps,
    world::{Part, Verb, World},
};

/// Rounds after which a state that has not healed never will.
const ROUNDS: usize = 8;

/// What is wrong with a state, if anything.
pub fn wrong(world: &World, state: &State) -> Option<String> {
    at_any_time(state).or_else(|| {
        let mut healed = *state;
        if !heal(world, &mut healed) {
            return Some(format!("it does not heal:\n{healed:#?}"));
        }
        if healed.full {
            return None;
        }
        at_any_time(&healed)
            .or_else(|| lost(world, &healed))
            .or_else(|| differs(world, &healed))
            .map(|what| format!("{what} (after healing)"))
    })
}

fn at_any_time(state: &State) -> Option<String> {
    let postgres = &state.postgres;
    if postgres.quarantined {
        return Some("a second event of one deed reached the ledger, and is in quarantine".into());
    }
    if postgres.resurrected {
        return Some("an ended hold was resurrected in the ledger".into());
    }
    let twice = postgres
        .book
        .iter()
        .position(|booked| booked.hold.charged > 1);
    twice.map(|hold| format!("hold {hold} was charged twice"))
}

/// No acknowledged operation is lost, but where the table of the design says so.
fn lost(world: &World, state: &State) -> Option<String> {
    world
        .ops
        .iter()
        .zip(&state.seen)
        .enumerate()
        .find_map(|(number, (op, seen))| {
            let booked = state.postgres.book[op.hold];
            let kept = match op.verb {
                Verb::Reserve => booked.reserved || booked.hold.status != Status::Unknown,
                Verb::Commit => booked.hold.charged > 0,
                Verb::Release => !matches!(booked.hold.status, Status::Unknown | Status::Open),
                Verb::Expire => true,
            };
            let excused = seen.redis_back && (seen.postgres_back || (!op.ledger && seen.by == 0));
            let level = if op.ledger { "LEDGER" } else { "APPLIED" };
            (seen.acknowledged && !kept && !excused).then(|| {
                format!(
                    "operation {number} ({:?} of hold {}), acknowledged {level}, is lost",
                    op.verb, op.hold
                )
            })
        })
}

/// Redis equals the ledger, as far as Redis still has the account.
fn differs(world: &World, state: &State) -> Option<String> {
    let server = state.servers.iter().find(|server| server.master)?;
    let data = &server.data;
    let counts = |epoch: u8, part: Part| epoch == data.epoch || !world.has(part);
    let account = data.account && counts(data.account_epoch, Part::Reload);
    (0..data.is_open.len()).find_map(|hold| {
        let booked = state.postgres.book[hold].hold;
        let open = booked.status == Status::Open;
        let outcome = data.outcomes[hold];
        let known =
            outcome.hold.status != Status::Unknown && counts(outcome.epoch, Part::VoidOutcomes);
        if account && (data.is_open[hold], data.charged[hold]) != (open, booked.charged) {
            let found = (data.is_open[hold], data.charged[hold]);
            return Some(format!(
                "hold {hold} (open, charged) is {found:?} in Redis, {booked:?} in the ledger"
            ));
        }
        (known && outcome.hold.status != booked.status).then(|| {
            format!(
                "hold {hold} ended as {:?} in Redis, {booked:?} in the ledger",
                outcome.hold
            )
        })
    })
}

/// Calls under way are lost, one master stays, then everybody works until nothing is left to do. Answers whether that came.
fn heal(world: &World, state: &mut State) -> bool {
    if state.masters() > 1 {
        let newest = usize::from(state.servers[1].replid > state.servers[0].replid);
        faults::demote(state, 1 - newest);
    }
    let s = usize::from(state.servers[1].master);
    for process in &mut state.processes {
        process.call = Call::Idle;
    }
    state.relays = [Relay::Idle; 2];
    state.recoveries = [Recovery::None; 2];
    for _ in 0..ROUNDS {
        if recovery::begin(world, state, 0, s) && !state.full {
            recovery::fence(state, 0);
            recovery::cross(world, state, 0);
            recovery::open(world, state, 0);
        }
        drain(world, state, s);
        for p in 0..2 {
            steps::learn(state, p);
            for op in 0..world.ops.len() {
                if waits(state, p, op) {
                    carry_out(world, state, p, s, op, Why::Kept);
                }
                if state.postgres.stored & (1 << op) != 0 {
                    carry_out(world, state, p, s, op, Why::Stored);
                }
            }
        }
        for p in 0..2 {
            steps::let_go(world, state, p, s);
        }
        if state.full || is_done(world, state, s) {
            return true;
        }
    }
    false
}

/// Kept since an older epoch: to be replayed.
pub fn waits(state: &State, p: usize, op: usize) -> bool {
    let (kept, process) = (state.processes[p].kept[op], &state.processes[p]);
    kept != Position::default() && kept.epoch != process.epoch
}

fn carry_out(world: &World, state: &mut State, p: usize, s: usize, op: usize, why: Why) {
    for _ in 0..2 {
        steps::call(world, state, p, s, op, why);
        drain(world, state, s);
    }
    state.processes[p].call = Call::Idle;
}

fn drain(world: &World, state: &mut State, s: usize) {
    while steps::relay_reads(world, state, 0, s) {
        steps::relay_posts(world, state, 0);
        state.relays[0] = Relay::Idle;
    }
    let cursor = state.postgres.cursor;
    steps::publish(world, &mut state.servers[s].data, cursor, world.tail);
}

fn is_done(world: &World, state: &State, s: usize) -> bool {
    let (server, postgres) = (&state.servers[s], &state.postgres);
    ledger::is_open(world, postgres, server)
        && postgres.stored == 0
        && (0..2).all(|p| (0..world.ops.len()).all(|op| !waits(state, p, op)))
        && (!world.has(Part::GapCheck) || postgres.cursor.n == server.data.n)
}

//! The search: breadth first over all states, each known by its fingerprint, so that the first violation has a shortest trace.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
};

use super::{
    check,
    faults::{Fault, strike},
    recovery, script,
    state::{Call, Recovery, Relay, State, Why},
    steps,
    world::{Part, World},
};

/// One step of anyone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Call { p: u8, s: u8, op: u8, why: Why },
    Deliver { p: u8 },
    Learn { p: u8 },
    LetGo { p: u8, s: u8 },
    RelayReads { r: u8, s: u8 },
    RelayPosts { r: u8 },
    RelayPublishes { r: u8, s: u8 },
    Begin { k: u8, s: u8 },
    Fence { k: u8 },
    Cross { k: u8 },
    Open { k: u8 },
    Strike { fault: Fault, place: u8, op: u8 },
}

/// What a search found.
pub struct Found {
    pub states: usize,
    pub steps: usize,
    /// States behind which the model has no room; they are not gone on from.
    pub full: usize,
    pub violation: Option<Violation>,
}

/// A violation, with the steps that lead to it.
pub struct Violation {
    pub what: String,
    pub trace: Vec<Step>,
}

/// Fingerprints are mixed already.
#[derive(Default)]
pub struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// The two processes are alike: a state and the one with them exchanged are the same.
fn fingerprint(state: &State) -> u64 {
    let print = |state: &State| {
        let mut hasher = Mixed(0x51_7c_c1_b7);
        state.hash(&mut hasher);
        hasher.finish()
    };
    let mut other = *state;
    other.processes.swap(0, 1);
    for seen in &mut other.seen {
        seen.by = (seen.by & 1) << 1 | seen.by >> 1;
    }
    print(state).min(print(&other))
}

type Known = HashMap<u64, (u64, Step), BuildHasherDefault<Mixed>>;

/// Searches a world, to its end or to the first violation.
pub fn search(world: &World) -> Found {
    let first = State::first();
    let (mut known, start) = (Known::default(), fingerprint(&first));
    known.insert(start, (start, Step::Deliver { p: 0 }));
    let mut found = Found {
        states: 1,
        steps: 0,
        full: 0,
        violation: None,
    };
    let mut level = vec![first];
    while !level.is_empty() {
        let mut next_level = Vec::new();
        for state in &level {
            let parent = fingerprint(state);
            let mut wrong = None;
            steps_of(world, state, &mut |step, next| {
                found.steps += 1;
                let print = fingerprint(next);
                if wrong.is_some() || known.contains_key(&print) {
                    return;
                }
                known.insert(print, (parent, step));
                found.states += 1;
                if next.full {
                    found.full += 1;
                    return;
                }
                wrong = check::wrong(world, next).map(|what| (what, print));
                next_level.push(*next);
            });
            if let Some((what, print)) = wrong {
                found.violation = Some(Violation {
                    what,
                    trace: trace(&known, start, print),
                });
                return found;
            }
        }
        level = next_level;
    }
    found
}

fn trace(known: &Known, start: u64, mut print: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    while print != start {
        let Some((parent, step)) = known.get(&print) else {
            break;
        };
        steps.push(*step);
        print = *parent;
    }
    steps.reverse();
    steps
}

/// What nothing else can depend on happens at once: a process whose era is open nowhere reads the new one, and a relay whose
/// cursor has moved on gives up.
pub fn settle(world: &World, state: &mut State) {
    for p in 0..2 {
        let process = state.processes[p];
        if !state
            .servers
            .iter()
            .any(|server| script::passes(world, server, &process))
        {
            steps::learn(state, p);
        }
    }
    if world.has(Part::Guard) && world.faults[Fault::PostgresBack as usize] == 0 {
        for relay in &mut state.relays {
            if matches!(relay, Relay::Read { guard, .. } if *guard != state.postgres.cursor) {
                *relay = Relay::Idle;
            }
        }
    }
}

/// Takes every step that can be taken.
fn steps_of(world: &World, state: &State, take: &mut dyn FnMut(Step, &State)) {
    let mut attempt = |step: Step| {
        let mut next = *state;
        if apply(world, &mut next, step) {
            settle(world, &mut next);
            take(step, &next);
        }
    };
    for s in 0..2_u8 {
        let master = state.servers[usize::from(s)].master;
        for p in 0..2_u8 {
            if master {
                calls(world, state, p, s, &mut attempt);
                attempt(Step::LetGo { p, s });
            }
        }
        for r in 0..world.relays.max(1) {
            match state.relays[usize::from(r)] {
                Relay::Idle => attempt(Step::RelayReads { r, s }),
                Relay::Posted { .. } => attempt(Step::RelayPublishes { r, s }),
                Relay::Read { .. } => {}
            }
        }
        for k in 0..world.recoveries.max(1) {
            if state.newest_epoch < world.last_epoch {
                attempt(Step::Begin { k, s });
            }
        }
    }
    for n in 0..2_u8 {
        attempt(Step::Deliver { p: n });
        attempt(Step::Learn { p: n });
        if matches!(state.relays[usize::from(n)], Relay::Read { .. }) {
            attempt(Step::RelayPosts { r: n });
        }
        match state.recoveries[usize::from(n)] {
            Recovery::None => {}
            Recovery::Began { .. } => attempt(Step::Fence { k: n }),
            Recovery::Fenced { .. } => attempt(Step::Cross { k: n }),
            Recovery::Crossed { .. } => attempt(Step::Open { k: n }),
        }
    }
    strikes(world, state, &mut attempt);
}

fn calls(world: &World, state: &State, p: u8, s: u8, attempt: &mut dyn FnMut(Step)) {
    match state.processes[usize::from(p)].call {
        Call::Reply { .. } => {}
        Call::Read { op, why, .. } => attempt(Step::Call { p, s, op, why }),
        Call::Idle => {
            for (number, op) in world.ops.iter().enumerate() {
                let (seen, small) = (state.seen[number], u8::try_from(number).unwrap_or(0));
                let after = op
                    .after
                    .is_none_or(|before| state.seen[before].acknowledged);
                if after && !seen.acknowledged && !seen.refused {
                    attempt(Step::Call {
                        p,
                        s,
                        op: small,
                        why: Why::Called,
                    });
                }
                if check::waits(state, usize::from(p), number) {
                    attempt(Step::Call {
                        p,
                        s,
                        op: small,
                        why: Why::Kept,
                    });
                }
                if state.postgres.stored & (1 << number) != 0 {
                    attempt(Step::Call {
                        p,
                        s,
                        op: small,
                        why: Why::Stored,
                    });
                }
            }
        }
    }
}

fn strikes(world: &World, state: &State, attempt: &mut dyn FnMut(Step)) {
    let all: u8 = state.faults.iter().sum();
    if all >= world.faults_in_all {
        return;
    }
    use Fault::{
        Copy, Demote, Evict, Flush, Half, Kill, KillRelay, LoseReply, LoseStream, PostgresBack,
        Promote, Restart, Sync,
    };
    for fault in [Sync, Restart, Copy, PostgresBack] {
        if state.faults[fault as usize] < world.faults[fault as usize] {
            attempt(Step::Strike {
                fault,
                place: 0,
                op: 0,
            });
        }
    }
    for fault in [
        Promote, Demote, Flush, LoseStream, Evict, Kill, LoseReply, KillRelay,
    ] {
        if state.faults[fault as usize] < world.faults[fault as usize] {
            attempt(Step::Strike {
                fault,
                place: 0,
                op: 0,
            });
            attempt(Step::Strike {
                fault,
                place: 1,
                op: 0,
            });
        }
    }
    if state.faults[Half as usize] < world.faults[Half as usize] {
        for op in 0..u8::try_from(world.ops.len()).unwrap_or(0) {
            attempt(Step::Strike {
                fault: Half,
                place: 0,
                op,
            });
            attempt(Step::Strike {
                fault: Half,
                place: 1,
                op,
            });
        }
    }
}

/// Takes a step; answers whether it can be taken.
pub fn apply(world: &World, state: &mut State, step: Step) -> bool {
    let at = usize::from;
    match step {
        Step::Call { p, s, op, why } => steps::call(world, state, at(p), at(s), at(op), why),
        Step::Deliver { p } => steps::deliver(world, state, at(p)),
        Step::Learn { p } => steps::learn(state, at(p)),
        Step::LetGo { p, s } => steps::let_go(world, state, at(p), at(s)),
        Step::RelayReads { r, s } => {
            let reads = steps::relay_reads(world, state, at(r), at(s));
            if world.relays == 0 {
                steps::relay_posts(world, state, at(r));
                steps::relay_publishes(world, state, at(r), at(s));
            }
            reads
        }
        Step::RelayPosts { r } => steps::relay_posts(world, state, at(r)),
        Step::RelayPublishes { r, s } => steps::relay_publishes(world, state, at(r), at(s)),
        Step::Begin { k, s } => {
            let begins = recovery::begin(world, state, at(k), at(s));
            if world.recoveries == 0 && begins {
                recovery::fence(state, at(k));
                recovery::cross(world, state, at(k));
                recovery::open(world, state, at(k));
            }
            begins
        }
        Step::Fence { k } => recovery::fence(state, at(k)),
        Step::Cross { k } => recovery::cross(world, state, at(k)),
        Step::Open { k } => recovery::open(world, state, at(k)),
        Step::Strike { fault, place, op } => strike(world, state, fault, at(place), at(op)),
    }
}

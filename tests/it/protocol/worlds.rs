//! The worlds that are searched: which operations, which faults, and how fine the steps are. Small enough to be searched to the end;
//! what one leaves out another has.

use super::{
    faults::{Fault, KINDS},
    world::{Op, Verb, World},
};

const fn op(verb: Verb, hold: usize, after: Option<usize>) -> Op {
    Op {
        verb,
        hold,
        ledger: false,
        after,
    }
}

const fn durable(verb: Verb, hold: usize, after: Option<usize>) -> Op {
    Op {
        verb,
        hold,
        ledger: true,
        after,
    }
}

const RESERVE_COMMIT: &[Op] = &[op(Verb::Reserve, 0, None), op(Verb::Commit, 0, Some(0))];
const RESERVE_RELEASE: &[Op] = &[op(Verb::Reserve, 0, None), op(Verb::Release, 0, Some(0))];
const TWO_ENDS: &[Op] = &[
    op(Verb::Reserve, 0, None),
    op(Verb::Commit, 0, Some(0)),
    op(Verb::Release, 0, Some(0)),
];
const EXPIRY: &[Op] = &[
    op(Verb::Reserve, 0, None),
    op(Verb::Expire, 0, Some(0)),
    op(Verb::Commit, 0, Some(1)),
];
const ONE_RESERVE: &[Op] = &[op(Verb::Reserve, 0, None)];
const TWO_RESERVES: &[Op] = &[op(Verb::Reserve, 0, None), op(Verb::Reserve, 1, None)];
const DURABLE: &[Op] = &[
    durable(Verb::Reserve, 0, None),
    durable(Verb::Reserve, 1, None),
];

const fn faults(list: &[(Fault, u8)]) -> [u8; KINDS] {
    let mut faults = [0; KINDS];
    let mut at = 0;
    while at < list.len() {
        faults[list[at].0 as usize] = list[at].1;
        at += 1;
    }
    faults
}

const PLAIN: World = World {
    name: "",
    ops: RESERVE_COMMIT,
    faults: [0; KINDS],
    faults_in_all: 2,
    relays: 1,
    recoveries: 1,
    tail: false,
    last_epoch: 3,
    off: 0,
};

use Fault::{
    Copy, Demote, Evict, Flush, Half, Kill, KillRelay, LoseReply, LoseStream, PostgresBack,
    Promote, Restart, Sync,
};

pub const RESTART: World = World {
    name: "restart with older data",
    faults: faults(&[(Sync, 1), (Restart, 1), (Kill, 1)]),
    faults_in_all: 3,
    relays: 0,
    recoveries: 0,
    ..PLAIN
};

pub const RESTART_TWICE: World = World {
    name: "two restarts, release",
    ops: RESERVE_RELEASE,
    faults: faults(&[(Restart, 2), (LoseReply, 1)]),
    faults_in_all: 2,
    last_epoch: 4,
    recoveries: 0,
    ..PLAIN
};

pub const PROMOTION: World = World {
    name: "stale promotion, the old primary alive",
    ops: RESERVE_COMMIT,
    faults: faults(&[(Promote, 1)]),
    faults_in_all: 1,
    relays: 0,
    recoveries: 0,
    ..PLAIN
};

pub const PROMOTION_DEATH: World = World {
    name: "stale promotion, and a process dies",
    ops: ONE_RESERVE,
    faults: faults(&[(Sync, 1), (Promote, 1), (Demote, 1), (Kill, 1)]),
    faults_in_all: 4,
    recoveries: 0,
    ..PLAIN
};

pub const PROMOTION_STEPS: World = World {
    name: "stale promotion, recovery and relay step by step",
    ops: ONE_RESERVE,
    faults: faults(&[(Promote, 1), (Demote, 1)]),
    faults_in_all: 2,
    ..PLAIN
};

pub const RETURN: World = World {
    name: "demotion and return",
    ops: ONE_RESERVE,
    faults: faults(&[(Promote, 2), (Demote, 1), (LoseReply, 1)]),
    faults_in_all: 3,
    relays: 0,
    recoveries: 0,
    ..PLAIN
};

pub const FLUSH: World = World {
    name: "FLUSHALL",
    ops: TWO_ENDS,
    faults: faults(&[(Flush, 1)]),
    faults_in_all: 1,
    relays: 0,
    recoveries: 0,
    last_epoch: 2,
    ..PLAIN
};

pub const STREAM: World = World {
    name: "lost stream",
    faults: faults(&[(LoseStream, 1), (LoseReply, 1), (Kill, 1)]),
    faults_in_all: 2,
    recoveries: 0,
    ..PLAIN
};

pub const HALF: World = World {
    name: "half-written call",
    faults: faults(&[(Half, 1), (LoseReply, 1), (Kill, 1)]),
    faults_in_all: 2,
    recoveries: 0,
    ..PLAIN
};

pub const EVICTION: World = World {
    name: "eviction",
    ops: RESERVE_COMMIT,
    faults: faults(&[(Evict, 2), (LoseReply, 1), (Restart, 1)]),
    faults_in_all: 3,
    relays: 0,
    recoveries: 0,
    ..PLAIN
};

pub const EXPIRIES: World = World {
    name: "expiry and late commit",
    ops: EXPIRY,
    faults: faults(&[(Restart, 1)]),
    faults_in_all: 1,
    relays: 0,
    recoveries: 0,
    last_epoch: 2,
    ..PLAIN
};

pub const RELAYS: World = World {
    name: "two relays",
    ops: TWO_RESERVES,
    faults: faults(&[(KillRelay, 1), (Restart, 1)]),
    faults_in_all: 2,
    relays: 2,
    recoveries: 0,
    ..PLAIN
};

pub const RECOVERIES: World = World {
    name: "two recoveries at once",
    ops: ONE_RESERVE,
    faults: faults(&[(Restart, 1), (Promote, 1)]),
    faults_in_all: 1,
    relays: 0,
    recoveries: 2,
    last_epoch: 3,
    ..PLAIN
};

pub const STANDBY: World = World {
    name: "Postgres goes back",
    ops: ONE_RESERVE,
    faults: faults(&[
        (Copy, 1),
        (PostgresBack, 1),
        (Restart, 1),
        (Flush, 1),
        (Kill, 1),
    ]),
    faults_in_all: 2,
    recoveries: 0,
    last_epoch: 4,
    tail: true,
    ..PLAIN
};

pub const EPOCHS: World = World {
    name: "Postgres goes back and Redis is emptied",
    ops: ONE_RESERVE,
    faults: faults(&[(Flush, 2), (PostgresBack, 1)]),
    faults_in_all: 3,
    relays: 0,
    recoveries: 0,
    tail: true,
    ..PLAIN
};

pub const LEDGERED: World = World {
    name: "durability LEDGER",
    ops: DURABLE,
    faults: faults(&[(Flush, 1)]),
    faults_in_all: 1,
    relays: 0,
    recoveries: 0,
    last_epoch: 2,
    ..PLAIN
};

pub const RELAYS_COMMIT: World = World {
    name: "two relays, one hold",
    faults: faults(&[(KillRelay, 1)]),
    faults_in_all: 1,
    relays: 2,
    ..PLAIN
};

pub const ONE_COMMIT: World = World {
    name: "two relays, one commit",
    ops: &[op(Verb::Commit, 0, None)],
    ..RELAYS_COMMIT
};

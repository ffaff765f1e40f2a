//! A trace as people read it.

use std::fmt;

use super::{
    faults::Fault,
    search::{Step, Violation, apply, settle},
    state::State,
    world::World,
};

/// A trace as people read it: each step, and what the stores are after it.
pub struct Readable<'a>(pub &'a World, pub &'a Violation);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(world, violation) = self;
        let mut state = State::first();
        for (number, step) in violation.trace.iter().enumerate() {
            apply(world, &mut state, *step);
            settle(world, &mut state);
            writeln!(to, "{:3}. {}", number + 1, said(world, *step))?;
            for (s, server) in state
                .servers
                .iter()
                .enumerate()
                .filter(|(_, server)| server.master)
            {
                let (data, replid) = (&server.data, server.replid);
                let stream: Vec<_> = data
                    .stream()
                    .iter()
                    .map(|entry| format!("{}-{}", entry.at.epoch, entry.at.n))
                    .collect();
                writeln!(
                    to,
                    "       redis {s}: id {replid} epoch {} n {} open {} ledger_n {} evict_n {} account {:?} stream {stream:?}",
                    data.epoch,
                    data.n,
                    data.open,
                    data.ledger_n,
                    data.evict_n,
                    data.account
                        .then_some((data.account_epoch, data.is_open, data.charged))
                )?;
            }
            let postgres = &state.postgres;
            let book: Vec<_> = postgres
                .book
                .iter()
                .map(|booked| booked.hold.status)
                .collect();
            let cursor = postgres.cursor;
            writeln!(
                to,
                "       postgres: epoch {} open {} cursor {}-{} holds {book:?}",
                postgres.epoch, postgres.open, cursor.epoch, cursor.n
            )?;
        }
        writeln!(to, "  => {}", violation.what)
    }
}

fn said(world: &World, step: Step) -> String {
    let name = |op: u8| {
        let op = &world.ops[usize::from(op)];
        format!("{:?} of hold {}", op.verb, op.hold)
    };
    match step {
        Step::Call { p, s, op, why } => {
            format!("process {p} calls redis {s}: {} ({why:?})", name(op))
        }
        Step::Deliver { p } => format!("process {p} has the reply and answers the caller"),
        Step::Learn { p } => format!("process {p} reads the era"),
        Step::LetGo { p, s } => {
            format!("process {p} lets go of what redis {s} says the ledger has")
        }
        Step::RelayReads { r, s } => format!("relay {r} reads an entry of redis {s}"),
        Step::RelayPosts { r } => format!("relay {r} posts it"),
        Step::RelayPublishes { r, s } => format!("relay {r} publishes and trims at redis {s}"),
        Step::Begin { k, s } => format!("recovery {k} begins a new epoch for redis {s}"),
        Step::Fence { k } => format!("recovery {k} fences"),
        Step::Cross { k } => format!("recovery {k} drains and crosses"),
        Step::Open { k } => format!("recovery {k} opens"),
        Step::Strike {
            fault: Fault::Half,
            place,
            op,
        } => format!("FAULT: {} stops half-written at redis {place}", name(op)),
        Step::Strike { fault, place, .. } => format!("FAULT: {fault:?} at {place}"),
    }
}

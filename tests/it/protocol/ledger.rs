//! Postgres: the book and its keys, the chain of entries, and whether a partition is open on a server.

use super::{
    state::{Data, Entry, Position, Postgres, Reading, Server, Status},
    world::{Part, Verb, World},
};

/// What follows a position in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    Entry(Entry),
    /// There is more, but not what should come.
    Gap,
    End,
}

/// The entry that continues a position: the next n, or the beginning of the era that followed it.
pub fn next(data: &Data, position: Position) -> Next {
    let mut later = false;
    for entry in data.stream() {
        let dense = entry.at.epoch == position.epoch && entry.at.n == position.n + 1;
        let begins = entry.at.n == 0 && entry.follows == position;
        if dense || begins {
            return Next::Entry(*entry);
        }
        later |= entry.at > position;
    }
    if later { Next::Gap } else { Next::End }
}

/// Posts one entry and moves the cursor to it.
pub fn post(world: &World, postgres: &mut Postgres, entry: Entry) {
    postgres.cursor = entry.at;
    if entry.at.n == 0 {
        return;
    }
    let bit = 1 << (u32::from(entry.at.epoch & 7) * 8 + u32::from(entry.at.n & 7));
    if world.has(Part::KeyOfDelivery) && postgres.posted & bit != 0 {
        return;
    }
    postgres.posted |= bit;
    postgres.ops |= 1 << entry.op;
    let op = &world.ops[usize::from(entry.op)];
    let booked = &mut postgres.book[op.hold];
    let (keyed, status) = (world.has(Part::KeyOfDeed), booked.hold.status);
    match op.verb {
        Verb::Reserve if keyed && booked.reserved => postgres.quarantined = true,
        Verb::Reserve => {
            postgres.resurrected |= !matches!(status, Status::Unknown | Status::Open);
            booked.reserved = true;
            booked.hold.status = Status::Open;
        }
        Verb::Commit if keyed && booked.hold.charged > 0 => postgres.quarantined = true,
        Verb::Commit => {
            booked.hold.charged += 1;
            if matches!(status, Status::Unknown | Status::Open) {
                booked.hold.status = Status::Committed;
            }
        }
        Verb::Release if matches!(status, Status::Unknown | Status::Open) => {
            booked.hold.status = Status::Released
        }
        Verb::Expire if status == Status::Open => booked.hold.status = Status::Expired,
        Verb::Release | Verb::Expire => {}
    }
}

/// Reads epoch, cursor and account in one statement.
pub fn read(world: &World, postgres: &Postgres) -> Reading {
    let own = world.has(Part::EpochOfTheCursor);
    Reading {
        epoch: if own {
            postgres.cursor.epoch
        } else {
            postgres.epoch
        },
        cursor: postgres.cursor,
        book: postgres.book.map(|booked| booked.hold),
    }
}

/// Ledger, Redis and server agree, and the stream is what the meta says: else the partition is suspect.
pub fn is_open(world: &World, postgres: &Postgres, server: &Server) -> bool {
    let data = &server.data;
    let agreed = server.master
        && postgres.open
        && data.meta
        && data.open
        && data.epoch == postgres.epoch
        && server.replid == postgres.replid;
    agreed && (!world.has(Part::GapCheck) || is_whole(postgres, data))
}

fn is_whole(postgres: &Postgres, data: &Data) -> bool {
    let cursor = postgres.cursor;
    let ends = data
        .stream()
        .last()
        .is_none_or(|last| last.at.epoch != data.epoch || last.at.n <= data.n);
    let follows = cursor.n >= data.n || matches!(next(data, cursor), Next::Entry(_));
    cursor.epoch == data.epoch && cursor.n <= data.n && ends && follows
}

//! The script in Redis: the fence, what it knows of a hold, and what each verb does. One call is one step.

use super::{
    state::{Data, Entry, Hold, Outcome, Position, Process, Reading, Server, Status, Why, at},
    world::{Part, Verb, World},
};

/// What the script answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Ask the ledger, and come again.
    Ask,
    /// What was read does not count, or the stream is not as the meta says: nothing was done.
    Again,
    /// Done now, or before (`repeated`); `at` is where its event stands, or where the partition is.
    Done { at: Position, repeated: bool },
    /// Refused for good.
    Refused,
    /// The model has no room for it.
    Full,
}

/// How far the script gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Whole,
    /// It stops after its first write, and cannot even close the partition.
    Half,
}

/// The fence: master, identity, epoch, open; before any write.
pub fn passes(world: &World, server: &Server, process: &Process) -> bool {
    let data = &server.data;
    server.master
        && data.meta
        && data.open
        && (!world.has(Part::Identity) || server.replid == process.replid)
        && (!world.has(Part::Epoch) || data.epoch == process.epoch)
}

/// One operation. The caller has seen to the fence.
pub fn carry_out(
    world: &World,
    data: &mut Data,
    op: usize,
    why: Why,
    reading: Option<&Reading>,
    reach: Reach,
) -> Answer {
    let before = *data;
    let usable = data.account && (data.account_epoch == data.epoch || !world.has(Part::Reload));
    if !usable {
        let Some(reading) = reading else {
            return Answer::Ask;
        };
        if !may_load(world, data, reading) {
            return Answer::Again;
        }
        data.account = true;
        data.account_epoch = data.epoch;
        data.is_open = reading.book.map(|hold| hold.status == Status::Open);
        data.charged = reading.book.map(|hold| hold.charged);
    }
    let (verb, hold) = (world.ops[op].verb, world.ops[op].hold);
    let known = match known(world, data, hold, reading) {
        Ok(known) => known,
        Err(answer) => {
            *data = before;
            return answer;
        }
    };
    let here = at(data.epoch, data.n);
    let repeat = Answer::Done {
        at: here,
        repeated: true,
    };
    let replay = why != Why::Called;
    // What becomes of the hold, if anything.
    let (open, charge, ended) = match (verb, known.status) {
        (Verb::Reserve, Status::Unknown) => (true, 0, None),
        (Verb::Reserve, Status::Open) => return repeat,
        (Verb::Reserve, _) if replay && !world.has(Part::EndDominates) => (true, 0, None),
        (Verb::Commit, Status::Open) => (false, 1, Some(Status::Committed)),
        (Verb::Commit, Status::Unknown) if world.has(Part::UnknownCommits) => {
            (false, 1, Some(Status::Committed))
        }
        (Verb::Commit, Status::Unknown) => return Answer::Refused,
        (Verb::Commit, _) if known.charged > 0 => return repeat,
        (Verb::Commit, Status::Released) if !replay => return Answer::Refused,
        (Verb::Commit, status) => (false, 1, Some(status)),
        (Verb::Release, Status::Open) => (false, 0, Some(Status::Released)),
        (Verb::Release, Status::Unknown) if world.has(Part::ReleaseMark) => {
            (false, 0, Some(Status::Released))
        }
        (Verb::Expire, Status::Open) => (false, 0, Some(Status::Expired)),
        (Verb::Reserve | Verb::Release | Verb::Expire, _) => return repeat,
    };
    // The line. The stream takes an id only above its last.
    let next = at(data.epoch, data.n + 1);
    if data.stream().last().is_some_and(|last| last.at >= next) {
        *data = before;
        return Answer::Again;
    }
    if reach == Reach::Half && world.has(Part::XaddFirst) {
        *data = before;
    }
    if (reach == Reach::Whole || world.has(Part::XaddFirst))
        && !data.append(Entry {
            at: next,
            op: u8::try_from(op).unwrap_or(0),
            follows: Position::default(),
        })
    {
        return Answer::Full;
    }
    if reach == Reach::Whole || !world.has(Part::XaddFirst) {
        data.is_open[hold] = open;
        data.charged[hold] += charge;
        if let Some(status) = ended {
            let charged = known.charged + charge;
            data.outcomes[hold] = Outcome {
                epoch: data.epoch,
                hold: Hold { status, charged },
            };
        } else {
            data.outcomes[hold] = Outcome::default();
        }
    }
    if reach == Reach::Whole {
        data.n += 1;
    }
    if data.n >= 7 {
        return Answer::Full;
    }
    Answer::Done {
        at: next,
        repeated: false,
    }
}

/// The script takes an account that was read only if nothing can have happened since.
fn may_load(world: &World, data: &Data, reading: &Reading) -> bool {
    (!world.has(Part::EpochOfTheRead) || reading.epoch == data.epoch)
        && (!world.has(Part::EvictMark) || reading.cursor.n >= data.evict_n)
}

/// What is known of a hold: Redis first, then the ledger as it was read.
fn known(
    world: &World,
    data: &Data,
    hold: usize,
    reading: Option<&Reading>,
) -> Result<Hold, Answer> {
    let outcome = data.outcomes[hold];
    if data.is_open[hold] {
        return Ok(Hold {
            status: Status::Open,
            charged: 0,
        });
    }
    let counts = outcome.epoch == data.epoch || !world.has(Part::VoidOutcomes);
    if outcome.hold.status != Status::Unknown && counts {
        return Ok(outcome.hold);
    }
    if !world.has(Part::Lookup) {
        return Ok(Hold::default());
    }
    let reading = reading.ok_or(Answer::Ask)?;
    let booked = reading.book[hold];
    // What the ledger said counts only in the era in which it was asked. An open hold would be in the account.
    if booked.status == Status::Open
        || (world.has(Part::EpochOfTheRead) && reading.epoch != data.epoch)
    {
        return Err(Answer::Again);
    }
    Ok(booked)
}

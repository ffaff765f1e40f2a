//! A hold, and what made it.

use super::{V_CHARGE, V_RESERVE, credits, outcome};
use crate::{
    domain::{
        credits::Credits,
        event::MoveKind,
        hold::{Hold, HoldRequest, HoldState, Method, Overage, Pin, Usage},
    },
    holds::wire::{Malformed, Reader, Writer},
};

fn pins(r: &mut Reader) -> Result<Vec<Pin>, Malformed> {
    (0..r.byte()?)
        .map(|_| {
            Ok(Pin {
                grant_no: r.u32()?,
                amount: credits(r)?,
            })
        })
        .collect()
}

/// Packs what made a hold, as the script keeps and compares it.
#[must_use]
pub fn pack_hold_request(request: &HoldRequest) -> Vec<u8> {
    let mut w = Writer::default();
    w.byte(match request.method {
        Method::Reserve => V_RESERVE,
        Method::Charge => V_CHARGE,
    });
    w.int(7, request.amount.micro())
        .int(6, request.ttl.unwrap_or(-1));
    w.byte(overage(request.overage) + 2 * u8::from(request.usage.is_some()))
        .int(7, request.max_commit.map_or(-1, Credits::micro));
    for (key, value) in &request.labels {
        w.text(key).text(value);
    }
    pack_usage(&mut w, request.usage);
    w.0
}

/// The script's `REJECT` and `ALLOW`.
const fn overage(said: Option<Overage>) -> u8 {
    match said {
        None => 0,
        Some(Overage::Reject) => 1,
        Some(Overage::Allow) => 4,
    }
}

/// At the end of what the call is packed as: there the script finds the version.
fn pack_usage(w: &mut Writer, usage: Option<Usage>) {
    if let Some(usage) = usage {
        w.0.extend(usage.digest);
        w.int(4, i64::from(usage.version));
        w.0.extend(usage.text);
    }
}

/// What is in front of a usage, and the usage.
fn split_usage(bytes: &[u8]) -> Result<(&[u8], Usage), Malformed> {
    let short = || Malformed("a usage that is cut off".into());
    let (rest, text) = bytes.split_last_chunk::<4>().ok_or_else(short)?;
    let (rest, version) = rest.split_last_chunk::<4>().ok_or_else(short)?;
    let (rest, digest) = rest.split_last_chunk::<16>().ok_or_else(short)?;
    let usage = Usage {
        digest: *digest,
        version: u32::from_be_bytes(*version),
        text: *text,
    };
    Ok((rest, usage))
}

/// A commit as sent, as the script keeps and compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// Absent: all that is held.
    pub amount: Option<Credits>,
    /// What the amount is the price of.
    pub usage: Option<Usage>,
    /// It ends the hold.
    pub last: bool,
    /// Of a partial one.
    pub commit_id: String,
}

/// Packs a commit as sent.
#[must_use]
pub fn pack_commit(
    amount: Option<Credits>,
    usage: Option<Usage>,
    last: bool,
    commit_id: &str,
) -> Vec<u8> {
    let mut w = Writer::default();
    w.byte(u8::from(amount.is_none()) + 2 * u8::from(last) + 4 * u8::from(usage.is_some()))
        .int(7, amount.map_or(0, Credits::micro))
        .text(commit_id);
    pack_usage(&mut w, usage);
    w.0
}

/// Reads a commit as sent.
pub fn commit(bytes: &[u8]) -> Result<CommitRequest, Malformed> {
    let mut r = Reader(bytes);
    let (flags, amount, commit_id) = (r.byte()?, credits(&mut r)?, r.text()?);
    let usage = match flags & 4 {
        0 => None,
        _ => Some(split_usage(r.0)?.1),
    };
    Ok(CommitRequest {
        amount: (flags & 1 == 0).then_some(amount),
        usage,
        last: flags & 2 != 0,
        commit_id,
    })
}

fn hold_request(bytes: &[u8]) -> Result<HoldRequest, Malformed> {
    let mut r = Reader(bytes);
    let method = match r.byte()? {
        V_RESERVE => Method::Reserve,
        V_CHARGE => Method::Charge,
        other => return Err(Malformed(format!("method {other}"))),
    };
    let amount = credits(&mut r)?;
    let ttl = Some(r.int(6)?).filter(|ttl| *ttl >= 0);
    let flags = r.byte()?;
    let max_commit = Some(r.int(7)?)
        .filter(|bound| *bound >= 0)
        .map(Credits::from_micro);
    let usage = match flags & 2 {
        0 => None,
        _ => {
            let (rest, usage) = split_usage(r.0)?;
            r = Reader(rest);
            Some(usage)
        }
    };
    let mut labels = Vec::new();
    while !r.is_empty() {
        labels.push((r.text()?, r.text()?));
    }
    Ok(HoldRequest {
        method,
        amount,
        usage,
        ttl,
        overage: match flags & 5 {
            0 => None,
            1 => Some(Overage::Reject),
            _ => Some(Overage::Allow),
        },
        max_commit,
        labels,
    })
}

/// Reads a hold.
pub fn hold(bytes: &[u8]) -> Result<Hold, Malformed> {
    let mut r = Reader(bytes);
    let number = r.byte()?;
    let state =
        HoldState::from_number(number).ok_or_else(|| Malformed(format!("hold state {number}")))?;
    let flags = r.byte()?;
    let (sequence, created_at) = (r.uint(5)?, r.int(7)?);
    let (life, ended) = (r.int(6)?, r.int(6)?);
    let request = hold_request(r.blob()?)?;
    let rejects_overage = flags & 16 != 0 || request.overage == Some(Overage::Reject);
    let first_pins = pins(&mut r)?;
    let pins = match (flags & 4 != 0, state) {
        (true, _) => pins(&mut r)?,
        (false, HoldState::Open) => first_pins.clone(),
        (false, _) => Vec::new(),
    };
    let mut hold = Hold {
        sequence,
        state,
        request,
        late: flags & 1 != 0,
        rejects_overage,
        created_at,
        expires_at: created_at + life,
        ended_at: (state != HoldState::Open).then_some(created_at + ended),
        pins,
        first_pins,
        promised: Credits::ZERO,
        first_promised: Credits::ZERO,
        charged: Credits::ZERO,
        overdrawn: Credits::ZERO,
        absorbed: Credits::ZERO,
        released: Credits::ZERO,
        refunded: Credits::ZERO,
    };
    if flags & 2 == 0 {
        tally(&mut hold, r.0)?;
        return Ok(hold);
    }
    for total in [
        &mut hold.charged,
        &mut hold.overdrawn,
        &mut hold.absorbed,
        &mut hold.released,
        &mut hold.refunded,
    ] {
        *total = credits(&mut r)?;
    }
    hold.promised = credits(&mut r)?;
    hold.first_promised = credits(&mut r)?;
    Ok(hold)
}

/// A hold without totals of its own has them in its one outcome.
fn tally(hold: &mut Hold, rest: &[u8]) -> Result<(), Malformed> {
    if hold.state == HoldState::Expired {
        hold.released = hold.first_pins.iter().map(|pin| pin.amount).sum();
    }
    if rest.is_empty() {
        return Ok(());
    }
    for moved in outcome(rest)?.moves {
        match moved.kind {
            MoveKind::BurnPin | MoveKind::BurnFree => hold.charged += moved.amount,
            MoveKind::Overdraw => hold.overdrawn += moved.amount,
            MoveKind::Absorb => hold.absorbed += moved.amount,
            MoveKind::Return
            | MoveKind::ReturnJoin
            | MoveKind::ReturnBreak
            | MoveKind::ReturnIssued => hold.released += moved.amount,
            _ => {}
        }
    }
    Ok(())
}

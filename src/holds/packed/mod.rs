//! The packed forms that `lua/state.lua`, `lua/moves.lua` and `lua/account.lua` write, read into the domain's types.
//!
//! Owns the reading, one file per form. What is packed where, and why, stands with the Lua that packs it.

mod account;
mod event;
mod hold;

pub use self::{
    account::{Answer, GrantBalance, HEAD_BYTES, Kind, State, answer, head, kinds, state},
    event::{event, event_account, event_outcome},
    hold::{commit, hold, pack_commit, pack_hold_request},
};
use super::wire::{Malformed, Reader};
use crate::domain::{
    account::{Micros, Standing},
    credits::Credits,
    event::{Move, MoveKind},
    grant::GrantKind,
};

/// "Never" of an expiry: 2^53 - 1.
pub const NEVER: Micros = 9_007_199_254_740_991;

const V_RESERVE: u8 = 10;
const V_CHARGE: u8 = 15;

/// What a repeat is answered from: the call as sent, up to two numbers, the moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The call as sent, packed.
    pub sent: Vec<u8>,
    /// Grant: start. Revoke, close: lapsed. Extend: expiry. Reserve: promised. Commit: 1 if it came late.
    pub a: i64,
    /// Grant: expiry. Revoke: outstanding. Extend: promised.
    pub b: i64,
    /// In order.
    pub moves: Vec<Move>,
}

/// The hour, day and month in which something was spent last, and how much.
pub fn windows(r: &mut Reader) -> Result<[(Micros, Credits); 3], Malformed> {
    let mut one = || Ok((r.int(7)?, Credits::from_micro(r.int(7)?)));
    Ok([one()?, one()?, one()?])
}

fn credits(r: &mut Reader) -> Result<Credits, Malformed> {
    Ok(Credits::from_micro(r.int(7)?))
}

/// Reads an outcome.
pub fn outcome(bytes: &[u8]) -> Result<Outcome, Malformed> {
    let mut r = Reader(bytes);
    let mut outcome = Outcome {
        sent: r.blob()?.to_vec(),
        ..Outcome::default()
    };
    let shape = r.byte()?;
    if shape & 1 != 0 {
        outcome.a = r.int(7)?;
    }
    if shape & 2 != 0 {
        outcome.b = r.int(7)?;
    }
    while !r.is_empty() {
        let number = r.byte()?;
        let kind =
            MoveKind::from_number(number).ok_or_else(|| Malformed(format!("move {number}")))?;
        let (grant_no, amount) = (r.u32()?, credits(&mut r)?);
        let to_grant_no = if matches!(kind, MoveKind::ReturnJoin | MoveKind::Roll) {
            r.u32()?
        } else {
            0
        };
        outcome.moves.push(Move {
            kind,
            grant_no,
            to_grant_no,
            amount,
        });
    }
    Ok(outcome)
}

fn standing(number: u8) -> Result<Standing, Malformed> {
    match number {
        1 => Ok(Standing::Active),
        2 => Ok(Standing::Suspended),
        4 => Ok(Standing::Closed),
        other => Err(Malformed(format!("standing {other}"))),
    }
}

fn kind(number: u8) -> Result<GrantKind, Malformed> {
    GrantKind::from_number(number).ok_or_else(|| Malformed(format!("grant kind {number}")))
}

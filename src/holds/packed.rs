//! The packed forms that `lua/state.lua`, `lua/moves.lua` and `lua/account.lua` write, read into the domain's types.

use super::wire::{Malformed, Reader, Writer};
use crate::domain::{
    account::{AccountTerms, Balance, Micros, Standing},
    credits::Credits,
    event::{Event, Fact, HoldFact, Move, MoveKind, Position},
    grant::{GrantKind, GrantTerms, Rollover},
    hold::{Hold, HoldRequest, HoldState, Method, Pin},
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

fn credits(r: &mut Reader) -> Result<Credits, Malformed> {
    Ok(Credits::from_micro(r.int(7)?))
}

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
    w.byte(u8::from(request.reject_overage))
        .int(7, request.max_commit.map_or(-1, Credits::micro));
    for (key, value) in &request.labels {
        w.text(key).text(value);
    }
    w.0
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
    let reject_overage = r.byte()? == 1;
    let max_commit = Some(r.int(7)?)
        .filter(|bound| *bound >= 0)
        .map(Credits::from_micro);
    let mut labels = Vec::new();
    while !r.is_empty() {
        labels.push((r.text()?, r.text()?));
    }
    Ok(HoldRequest {
        method,
        amount,
        ttl,
        reject_overage,
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

fn standing(number: u8) -> Result<Standing, Malformed> {
    match number {
        1 => Ok(Standing::Active),
        2 => Ok(Standing::Suspended),
        4 => Ok(Standing::Closed),
        other => Err(Malformed(format!("standing {other}"))),
    }
}

fn terms(r: &mut Reader) -> Result<AccountTerms, Malformed> {
    Ok(AccountTerms {
        standing: standing(r.byte()?)?,
        frozen: r.byte()? == 1,
        overdraft_limit: credits(r)?,
        credit_limit: credits(r)?,
        max_open_holds: r.u32()?,
        etag: r.u32()?,
    })
}

fn kind(number: u8) -> Result<GrantKind, Malformed> {
    GrantKind::from_number(number).ok_or_else(|| Malformed(format!("grant kind {number}")))
}

fn grant_terms(r: &mut Reader) -> Result<GrantTerms, Malformed> {
    let (no, grant_id, kind, flags) = (r.u32()?, r.text()?, kind(r.byte()?)?, r.byte()?);
    let priority = u16::try_from(r.uint(2)?).map_err(|_| Malformed("a priority".into()))?;
    let (amount, starts_at, expires_at) = (credits(r)?, r.int(7)?, r.int(7)?);
    let rollover = if flags & 2 == 0 {
        None
    } else {
        let (duration, cap) = (r.int(7)?, r.int(7)?);
        Some(Rollover {
            duration,
            cap: (cap >= 0).then_some(Credits::from_micro(cap)),
        })
    };
    Ok(GrantTerms {
        no,
        grant_id,
        kind,
        priority,
        amount,
        starts_at,
        expires_at: (expires_at != NEVER).then_some(expires_at),
        rollover,
        non_refundable: flags & 1 != 0,
        started: flags & 4 != 0,
        provider: r.text()?,
        external_reference: r.text()?,
    })
}

fn hold_fact(r: &mut Reader, hold_id: &str) -> Result<HoldFact, Malformed> {
    let packed = r.blob()?;
    Ok(HoldFact {
        hold_id: hold_id.to_owned(),
        op_id: r.text()?,
        hold: hold(packed)?,
        packed: packed.to_vec(),
    })
}

fn optional_grant(r: &mut Reader) -> Result<Option<GrantTerms>, Malformed> {
    if r.byte()? == 0 {
        Ok(None)
    } else {
        grant_terms(r).map(Some)
    }
}

/// The account of a packed event, also when the rest cannot be read.
pub fn event_account(raw: &[u8]) -> Result<String, Malformed> {
    let mut r = Reader(raw);
    r.byte()?;
    r.text()
}

/// Reads an event.
pub fn event(position: Position, raw: &[u8]) -> Result<Event, Malformed> {
    let mut r = Reader(raw);
    let (verb, account, subject) = (r.byte()?, r.text()?, r.text()?);
    let (sequence, occurred_at, actor, traceparent) = (r.uint(7)?, r.int(7)?, r.text()?, r.text()?);
    let packed_outcome = r.blob()?;
    let moves = if packed_outcome.is_empty() {
        Vec::new()
    } else {
        outcome(packed_outcome)?.moves
    };
    let fact = match verb {
        1 => Fact::AccountCreated(terms(&mut r)?),
        2 => Fact::AccountUpdated(terms(&mut r)?),
        3 => Fact::AccountClosed(terms(&mut r)?),
        4 => Fact::AccountFrozen(terms(&mut r)?),
        5 => Fact::AccountUnfrozen(terms(&mut r)?),
        6 => Fact::Grant(grant_terms(&mut r)?),
        7 => Fact::GrantStarted {
            no: r.u32()?,
            grant_id: subject,
        },
        8 => Fact::GrantExpired {
            no: r.u32()?,
            grant_id: subject,
            rollover: optional_grant(&mut r)?,
        },
        9 => Fact::Revoke {
            no: r.u32()?,
            grant_id: subject,
        },
        V_RESERVE => Fact::Reserve(hold_fact(&mut r, &subject)?),
        11 => Fact::Extend(hold_fact(&mut r, &subject)?),
        12 => Fact::Commit(hold_fact(&mut r, &subject)?),
        13 => Fact::Release(hold_fact(&mut r, &subject)?),
        14 => Fact::HoldExpired(hold_fact(&mut r, &subject)?),
        V_CHARGE => Fact::Charge(hold_fact(&mut r, &subject)?),
        16 => Fact::Refund {
            hold: hold_fact(&mut r, &subject)?,
            grant: optional_grant(&mut r)?,
        },
        other => return Err(Malformed(format!("event {other}"))),
    };
    Ok(Event {
        position,
        account,
        sequence,
        occurred_at,
        actor,
        traceparent,
        fact,
        moves,
        raw: raw.to_vec(),
    })
}

/// The outcome in a packed event.
pub fn event_outcome(raw: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut r = Reader(raw);
    r.byte()?;
    r.text()?;
    r.text()?;
    r.int(7)?;
    r.int(7)?;
    r.text()?;
    r.text()?;
    r.blob().map(<[u8]>::to_vec)
}

/// A grant in an account's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantBalance {
    /// Its number.
    pub no: u32,
    /// Its id.
    pub grant_id: String,
    /// Free in it; of a pending one, what will start.
    pub free: Credits,
    /// Pinned of it.
    pub held: Credits,
    /// It has not started.
    pub pending: bool,
}

/// An account's packed state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its declared side.
    pub terms: AccountTerms,
    /// Its credits.
    pub balance: Balance,
    /// Its last event.
    pub sequence: u64,
    /// Open holds.
    pub open_holds: u32,
    /// Its grants that have something free or pinned, or wait.
    pub grants: Vec<GrantBalance>,
}

/// Reads an account's state.
pub fn state(bytes: &[u8]) -> Result<State, Malformed> {
    let mut r = Reader(bytes);
    r.byte()?;
    let (sequence, _clock) = (r.uint(7)?, r.int(7)?);
    let (standing, frozen) = (standing(r.byte()?)?, r.byte()? == 1);
    let (debt, overdraft_limit, credit_limit) =
        (credits(&mut r)?, credits(&mut r)?, credits(&mut r)?);
    let (max_open_holds, open_holds, promised) = (r.u32()?, r.u32()?, credits(&mut r)?);
    let (_next_hold, _indexed, etag) = (r.int(7)?, r.int(7)?, r.u32()?);
    let (_next_no, _created) = (r.u32()?, r.int(7)?);
    let mut balance = Balance {
        debt,
        promised,
        ..Balance::default()
    };
    let mut grants = Vec::new();
    for _ in 0..r.byte()? {
        let (no, _kind, phase, flags) = (r.u32()?, r.byte()?, r.byte()?, r.byte()?);
        let (_priority, _start, _expires) = (r.uint(2)?, r.int(7)?, r.int(7)?);
        let (free, held, grant_id) = (credits(&mut r)?, credits(&mut r)?, r.text()?);
        if flags & 2 != 0 {
            let (_roll_for, _room, _roll_no) = (r.int(7)?, r.int(7)?, r.u32()?);
        }
        let pending = phase == 0;
        *(if pending {
            &mut balance.pending
        } else {
            &mut balance.free
        }) += free;
        balance.held += held;
        grants.push(GrantBalance {
            no,
            grant_id,
            free,
            held,
            pending,
        });
    }
    let terms = AccountTerms {
        standing,
        frozen,
        overdraft_limit,
        credit_limit,
        max_open_holds,
        etag,
    };
    Ok(State {
        terms,
        balance,
        sequence,
        open_holds,
        grants,
    })
}

/// What an operation answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Refused, for these reasons (numbers of `ErrorReason`), the first being the status. Empty: done.
    pub reasons: Vec<u8>,
    /// Sent before.
    pub replayed: bool,
    /// The account's credits.
    pub balance: Balance,
    /// The account's clock.
    pub now: Micros,
    /// The account's last event.
    pub sequence: u64,
    /// The account's declared side.
    pub terms: AccountTerms,
    /// Open holds.
    pub open_holds: u32,
    /// When the account was created.
    pub created_at: Micros,
    /// No open hold ends before it.
    pub next_hold: Option<Micros>,
    /// Of a refusal: the amount at fault, or what it names.
    pub x: i64,
    /// Of a refusal: the bound.
    pub y: i64,
    /// The hold now.
    pub hold: Option<Hold>,
    /// What was done, or had been.
    pub outcome: Option<Outcome>,
    /// The grants behind the numbers in it, as far as they are known.
    pub names: Vec<(u32, GrantKind, String)>,
}

/// Reads an answer behind its status byte.
pub fn answer(bytes: &[u8]) -> Result<Answer, Malformed> {
    let mut r = Reader(bytes);
    let replayed = r.byte()? == 1;
    let balance = Balance {
        free: credits(&mut r)?,
        held: credits(&mut r)?,
        debt: credits(&mut r)?,
        pending: credits(&mut r)?,
        promised: credits(&mut r)?,
    };
    let (now, sequence) = (r.int(7)?, r.uint(7)?);
    let (standing, frozen, overdraft_limit, credit_limit) = (
        standing(r.byte()?)?,
        r.byte()? == 1,
        credits(&mut r)?,
        credits(&mut r)?,
    );
    let (max_open_holds, open_holds, etag) = (r.u32()?, r.u32()?, r.u32()?);
    let (created_at, next_hold) = (r.int(7)?, r.int(7)?);
    let reasons = r.text()?.into_bytes();
    let (x, y) = (r.int(7)?, r.int(7)?);
    let (packed_hold, packed_outcome) = (r.blob()?, r.blob()?);
    let mut names = Vec::new();
    while !r.is_empty() {
        names.push((r.u32()?, kind(r.byte()?)?, r.text()?));
    }
    Ok(Answer {
        reasons,
        replayed,
        balance,
        now,
        sequence,
        terms: AccountTerms {
            standing,
            frozen,
            overdraft_limit,
            credit_limit,
            max_open_holds,
            etag,
        },
        open_holds,
        created_at,
        next_hold: (next_hold > 0).then_some(next_hold),
        x,
        y,
        hold: if packed_hold.is_empty() {
            None
        } else {
            Some(hold(packed_hold)?)
        },
        outcome: if packed_outcome.is_empty() {
            None
        } else {
            Some(outcome(packed_outcome)?)
        },
        names,
    })
}

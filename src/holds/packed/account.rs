//! An account's state, and the answer of an operation on it.

use std::collections::BTreeMap;

use super::{Outcome, credits, hold, kind, outcome, standing};
use crate::{
    domain::{
        account::{AccountTerms, Balance, Micros},
        credits::Credits,
        grant::GrantKind,
        hold::Hold,
    },
    holds::{
        step::{Limits, Passed},
        wire::{Malformed, Reader},
    },
};

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

/// How long the beginning of a state is that [`head`] reads.
pub const HEAD_BYTES: usize = 17;

/// The beginning of an account's state. Its bytes are others after the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// When the state was last written.
    pub clock: Micros,
    /// Events of the account are in quarantine.
    pub frozen: bool,
}

/// Reads the beginning of an account's state.
pub fn head(bytes: &[u8]) -> Result<Head, Malformed> {
    let mut r = Reader(bytes);
    let (_form, _sequence, clock) = (r.byte()?, r.uint(7)?, r.int(7)?);
    let (_standing, frozen) = (r.byte()?, r.byte()? == 1);
    Ok(Head { clock, frozen })
}

/// Reads an account's state.
pub fn state(bytes: &[u8]) -> Result<State, Malformed> {
    let mut r = Reader(bytes);
    // As `lua/state.lua` numbers them.
    if !matches!(r.byte()?, 3 | 4) {
        return Err(Malformed(
            "an account in the form of another program".into(),
        ));
    }
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
        let _amount = credits(&mut r)?;
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
    /// What is left of each kind of grant, if that was asked for.
    pub kinds: Vec<Kind>,
    /// Of a refusal for what the account's plan does not give, and with `kinds`: the plan.
    pub plan: Option<Limits>,
    /// Of a refusal for a spend cap: that.
    pub passed: Option<Passed>,
}

impl Answer {
    /// Refused for how the hold stands: `HOLD_ENDED`, `ABOVE_HOLD`, `ABOVE_MAX_COMMIT` (`lua/prelude.lua`).
    #[must_use]
    pub fn is_refused_by_hold(&self) -> bool {
        self.reasons.iter().any(|reason| (10..=12).contains(reason))
    }
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
        kinds: Vec::new(),
        plan: None,
        passed: None,
    })
}

/// All started grants of a kind that have not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The kind.
    pub kind: GrantKind,
    /// What they were made with.
    pub granted: Credits,
    /// Free in them.
    pub free: Credits,
    /// Pinned of them.
    pub held: Credits,
}

/// Reads grants, and adds up those of each kind.
pub fn kinds(bytes: &[u8]) -> Result<Vec<Kind>, Malformed> {
    let mut r = Reader(bytes);
    let mut kinds: BTreeMap<u8, Kind> = BTreeMap::new();
    while !r.is_empty() {
        let number = r.byte()?;
        let sum = kinds.entry(number).or_insert(Kind {
            kind: kind(number)?,
            granted: Credits::ZERO,
            free: Credits::ZERO,
            held: Credits::ZERO,
        });
        sum.granted += credits(&mut r)?;
        sum.free += credits(&mut r)?;
        sum.held += credits(&mut r)?;
    }
    Ok(kinds.into_values().collect())
}

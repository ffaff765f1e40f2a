//! An event of the stream.

use super::{NEVER, credits, hold, kind, outcome, standing};
use crate::{
    domain::{
        account::AccountTerms,
        credits::Credits,
        event::{Event, Fact, HoldFact, Position},
        grant::{GrantTerms, Rollover},
        subscription::SubscriptionStep,
    },
    holds::wire::{Malformed, Reader},
};

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

fn subscription(json: &[u8]) -> Result<SubscriptionStep, Malformed> {
    serde_json::from_slice(json).map_err(|error| Malformed(format!("a subscription: {error}")))
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
        10 => Fact::Reserve(hold_fact(&mut r, &subject)?),
        11 => Fact::Extend(hold_fact(&mut r, &subject)?),
        12 => Fact::Commit(hold_fact(&mut r, &subject)?),
        13 => Fact::Release(hold_fact(&mut r, &subject)?),
        14 => Fact::HoldExpired(hold_fact(&mut r, &subject)?),
        15 => Fact::Charge(hold_fact(&mut r, &subject)?),
        21 => Fact::LevelChanged {
            id: subject,
            capacity: r.text()?,
            level: r.int(7)?,
        },
        19 => Fact::Subscription(Box::new(subscription(r.blob()?)?)),
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

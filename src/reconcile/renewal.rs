//! The next step of an account's subscription: worked out here from its record, taken by the script as a whole.
//!
//! Owns what a step's effects are in the script's words. The script says which record holds, and refuses a step from any other.

use crate::{
    domain::{
        account::Micros,
        subscription::{Bill, BillKind, Status, SubscriptionStep},
    },
    holds::{
        HoldsError,
        step::{self, By, Effect, Step},
    },
    plans::{self, Call, Order, Phase, Record, Refusal, Subscription, Taken, Wanted, What},
};

/// Ends of cycles and trials in one step, so that an entry stays small however long nobody looked.
const ENDS_MAX: usize = 24;

/// What comes next.
pub(super) enum Next {
    /// This, packed; the record that it leads to; and the order with its instant, if it is a call's.
    Step {
        step: Vec<u8>,
        record: Box<Record>,
        order: Option<String>,
    },
    /// The call was done before; and its order with the instant of that.
    Known(Box<(Call, Record)>, String),
    /// The call is refused.
    Refused(Refusal),
    /// Nothing: the record is as it is.
    Nothing(Box<Record>),
}

/// What becomes of a record next: what is due, then what a call asks for; an empty order asks for nothing.
pub(super) fn next(
    record: &[u8],
    order: &str,
    now: Micros,
    again: bool,
) -> Result<Next, HoldsError> {
    let record: Record = match record {
        [] => Record::default(),
        record => read(record)?,
    };
    if record.next_due().is_some_and(|due| due <= now) {
        let taken = record.due(now, ENDS_MAX);
        let at = taken.effects.last().map(|effect| effect.at);
        let at = at.or(record.next_due()).unwrap_or(now);
        return pack(&record, taken, at, None);
    }
    if order.is_empty() {
        return Ok(Next::Nothing(Box::new(record)));
    }
    let mut order: Order = read(order.as_bytes())?;
    if let Some(call) = record.call(&order) {
        order.at = Some(call.answer.at);
        let order = text(&order)?;
        return Ok(Next::Known(Box::new((call.clone(), record)), order));
    }
    let at = order
        .at
        .filter(|at| again && may_be(&record, &order, *at))
        .unwrap_or(now);
    order.at = Some(at);
    match record.take(&order, at) {
        Ok(taken) => pack(&record, taken, at, Some(order)),
        Err(refusal) => Ok(Next::Refused(refusal)),
    }
}

/// Whether what was done at an instant, and lost, can be done at that instant again: no cycle has ended since.
fn may_be(record: &Record, order: &Order, at: Micros) -> bool {
    match (&order.wanted, &record.latest) {
        (Wanted::Command(_), Some(latest)) => since(latest).is_some_and(|since| since <= at),
        _ => true,
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, HoldsError> {
    serde_json::from_slice(json)
        .map_err(|error| HoldsError::Bug(format!("a subscription cannot be read: {error}")))
}

fn text(value: &impl serde::Serialize) -> Result<String, HoldsError> {
    serde_json::to_string(value)
        .map_err(|error| HoldsError::Bug(format!("a subscription cannot be written: {error}")))
}

/// The same, for the script, which takes it behind a length of two bytes.
fn write(value: &impl serde::Serialize) -> Result<Vec<u8>, HoldsError> {
    let text = text(value)?;
    if text.len() > usize::from(u16::MAX) {
        let why = format!("a subscription of {} bytes is too large", text.len());
        return Err(HoldsError::Bug(why));
    }
    Ok(text.into_bytes())
}

fn pack(
    before: &Record,
    taken: Taken,
    at: Micros,
    order: Option<Order>,
) -> Result<Next, HoldsError> {
    let by = match order.as_ref().map(|order| &order.wanted) {
        None => By::Time,
        Some(wanted) if wanted.is_change_of_plan() => By::CallWithoutDebt,
        Some(_) => By::Call,
    };
    let Taken { after, effects } = taken;
    let Some(latest) = &after.latest else {
        return Err(HoldsError::Bug("a step without a subscription".into()));
    };
    let text = order.as_ref().map(text).transpose()?;
    let said = SubscriptionStep {
        revision: after.revision,
        subscription_id: latest.id.clone(),
        plan: latest.terms.plan.clone(),
        version: latest.terms.version,
        status: status(latest),
        since: since(latest).unwrap_or(at),
        until: latest.next_due(),
        answer: answer(&after, order.is_some())?,
        call_id: order.map(|order| order.call_id).unwrap_or_default(),
        order: text.clone(),
        bills: effects.iter().filter_map(bill).collect(),
    };
    let step = Step {
        from: before.revision,
        by,
        to: after.revision,
        next_due: latest.next_due(),
        gives: after.terms().map(|terms| terms.gives.clone()),
        record: write(&after)?,
        said: write(&said)?,
        at,
        effects: effects
            .iter()
            .flat_map(|effect| in_script(latest, effect))
            .collect(),
    };
    Ok(Next::Step {
        step: step::pack(&step),
        record: Box::new(after),
        order: text,
    })
}

/// Of a call, which is the last that the record remembers.
fn answer(after: &Record, is_call: bool) -> Result<Option<String>, HoldsError> {
    let call = after.calls.last().filter(|_| is_call);
    call.map(|call| text(&call.answer)).transpose()
}

/// Where a subscription stands.
#[must_use]
pub fn status(it: &Subscription) -> Status {
    match it.phase {
        Phase::Ended(_) => Status::Ended,
        _ if it.cancelled => Status::Cancelled,
        Phase::Trial { .. } => Status::Trial,
        Phase::Active(_) => Status::Active,
    }
}

/// When its current cycle or trial began, or it ended.
fn since(it: &Subscription) -> Option<Micros> {
    match &it.phase {
        Phase::Trial { from, .. } => Some(*from),
        Phase::Active(running) => Some(running.rhythm.cycle(it.cycle).from),
        Phase::Ended(ended) => Some(ended.at),
    }
}

fn in_script(latest: &Subscription, effect: &plans::Effect) -> Vec<(Micros, Effect)> {
    let one = |what| vec![(effect.at, what)];
    match &effect.what {
        What::Plan { .. } => one(Effect::Bounds {
            overdraft_limit: latest.terms.gives.overdraft_limit,
            credit_limit: latest.terms.gives.credit_limit,
        }),
        What::Ended { .. } => one(Effect::Bounds {
            overdraft_limit: latest.terms.debt_after.0,
            credit_limit: latest.terms.debt_after.1,
        }),
        What::Grant(grant) => one(Effect::Grant {
            grant_id: grant.grant_id.clone(),
            amount: grant.amount,
            starts_at: grant.starts_at,
            expires_at: grant.expires_at,
            rolls: grant.rolls.map(|rolls| {
                let lasts = rolls.until.map(|until| until - grant.expires_at);
                (lasts.unwrap_or(Micros::MAX), rolls.cap)
            }),
        }),
        What::End { grants, as_ } => {
            let end = |grant_id: &String| {
                let what = Effect::End {
                    grant_id: grant_id.clone(),
                    revoked: *as_ == plans::Ending::Revoked,
                };
                (effect.at, what)
            };
            grants.iter().map(end).collect()
        }
        What::Bill(_) => Vec::new(),
    }
}

fn bill(effect: &plans::Effect) -> Option<Bill> {
    let What::Bill(told) = &effect.what else {
        return None;
    };
    let mut bill = Bill {
        number: effect.number,
        kind: BillKind::Refund,
        cycle: 0,
        charge: rust_decimal::Decimal::ZERO,
        credit: rust_decimal::Decimal::ZERO,
        from: None,
        until: None,
        at: effect.at,
    };
    match told {
        plans::Bill::Charge {
            cycle,
            period,
            amount,
        } => {
            (bill.kind, bill.cycle, bill.charge) = (BillKind::Period, *cycle, *amount);
            (bill.from, bill.until) = (Some(period.from), Some(period.until));
        }
        plans::Bill::Change {
            cycle,
            credit,
            charge,
        } => {
            (bill.kind, bill.cycle) = (BillKind::Change, *cycle);
            (bill.credit, bill.charge) = (*credit, *charge);
        }
        plans::Bill::Refund { amount } => bill.credit = *amount,
    }
    Some(bill)
}

//! An event of the stream as the call that made it, so that it can be made again.

use super::{
    operation::{self, Caller, GrantRequest, NEVER_IN_FORCE, NewAccount, Operation, Verb},
    packed::{self, Outcome},
    step::PLAN_GRANT,
    wire::{Malformed, Reader},
};
use crate::domain::{
    account::{AccountTerms, Standing},
    credits::Credits,
    event::{Event, Fact, HoldFact},
    hold::Hold,
};

/// A call, with what its event says of the acknowledgement.
#[derive(Clone, Debug)]
pub struct Again {
    /// The call.
    pub operation: Operation,
    /// The hold after it.
    pub hold: Option<Hold>,
    /// What it did.
    pub outcome: Option<Outcome>,
    /// Of an update, the etag that it led to.
    pub etag: u32,
}

/// The call behind an event; `None` for what time or quarantine did, which they do again by themselves.
///
/// # Errors
/// A packed form in it cannot be read.
pub fn again(event: &Event) -> Result<Option<Again>, Malformed> {
    let packed = packed::event_outcome(&event.raw)?;
    let outcome = match packed.is_empty() {
        true => None,
        false => Some(packed::outcome(&packed)?),
    };
    let sent = outcome.as_ref().map_or(&[][..], |outcome| &outcome.sent);
    let (mut hold, mut etag) = (None, 0);
    let verb = match &event.fact {
        Fact::AccountCreated(terms) => created(sent, terms)?,
        Fact::AccountUpdated(terms) => {
            etag = terms.etag;
            Verb::UpdateAccount {
                overdraft_limit: Some(terms.overdraft_limit),
                credit_limit: Some(terms.credit_limit),
                max_open_holds: Some(terms.max_open_holds),
                suspend: Some(terms.standing == Standing::Suspended),
                etag: String::new(),
            }
        }
        Fact::AccountClosed(_) => Verb::CloseAccount,
        Fact::Subscription(step) => match &step.order {
            Some(order) => Verb::Subscription {
                order: order.clone(),
            },
            None => return Ok(None),
        },
        Fact::LevelChanged { id, .. } => {
            let (capacity, change) = operation::level(sent)?;
            Verb::Level {
                level_id: id.clone(),
                capacity,
                change,
                most: None,
                unknown: false,
            }
        }
        // Of a subscription: its step makes it again.
        Fact::Grant(terms) if terms.grant_id.starts_with(PLAN_GRANT) => return Ok(None),
        Fact::Grant(terms) => {
            let request = GrantRequest {
                kind: terms.kind,
                priority: terms.priority,
                non_refundable: terms.non_refundable,
                amount: terms.amount,
                starts_at: Some(terms.starts_at),
                expires_at: terms.expires_at,
                expires_in: None,
                rollover: terms.rollover,
                provider: terms.provider.clone(),
                external_reference: terms.external_reference.clone(),
                sent: sent.to_vec(),
                bought: false,
            };
            Verb::Grant {
                grant_id: terms.grant_id.clone(),
                request: Box::new(request),
            }
        }
        Fact::Revoke { grant_id, .. } => Verb::Revoke {
            grant_id: grant_id.clone(),
        },
        Fact::Reserve(fact)
        | Fact::Extend(fact)
        | Fact::Commit(fact)
        | Fact::Release(fact)
        | Fact::Charge(fact)
        | Fact::Refund { hold: fact, .. } => {
            hold = Some(fact.hold.clone());
            of_hold(&event.fact, fact, sent)?
        }
        Fact::AccountFrozen(_)
        | Fact::AccountUnfrozen(_)
        | Fact::GrantStarted { .. }
        | Fact::GrantExpired { .. }
        | Fact::HoldExpired(_) => return Ok(None),
    };
    let caller = Caller {
        actor: event.actor.clone(),
        traceparent: event.traceparent.clone(),
    };
    let operation = Operation {
        account: event.account.clone(),
        verb,
        caller,
        remembered: None,
        loaded: Vec::new(),
        step: Vec::new(),
        replay: None,
    };
    Ok(Some(Again {
        operation,
        hold,
        outcome,
        etag,
    }))
}

fn given(amount: i64) -> Option<Credits> {
    (amount >= 0).then_some(Credits::from_micro(amount))
}

/// A gift is a grant of its own.
fn created(sent: &[u8], terms: &AccountTerms) -> Result<Verb, Malformed> {
    let mut r = Reader(sent);
    Ok(Verb::CreateAccount {
        overdraft_limit: given(r.int(7)?),
        credit_limit: given(r.int(7)?),
        max_open_holds: r.u32()?,
        given: NewAccount {
            overdraft_limit: terms.overdraft_limit,
            credit_limit: terms.credit_limit,
            welcome: None,
        },
    })
}

fn of_hold(fact: &Fact, of: &HoldFact, sent: &[u8]) -> Result<Verb, Malformed> {
    let mut r = Reader(sent);
    let hold_id = of.hold_id.clone();
    Ok(match fact {
        Fact::Extend(_) => Verb::Extend {
            hold_id,
            extend_id: of.op_id.clone(),
            ttl: r.int(7)?,
            amount: given(r.int(7)?),
            in_force: NEVER_IN_FORCE,
        },
        Fact::Commit(_) => {
            let commit = packed::commit(sent)?;
            Verb::Commit {
                hold_id,
                amount: commit.amount,
                usage: commit.usage,
                last: commit.last,
                commit_id: commit.commit_id,
                in_force: NEVER_IN_FORCE,
            }
        }
        Fact::Release(_) => Verb::Release { hold_id },
        Fact::Charge(_) => Verb::Charge {
            hold_id,
            request: of.hold.request.clone(),
            in_force: NEVER_IN_FORCE,
        },
        Fact::Refund { .. } => Verb::Refund {
            hold_id,
            refund_id: of.op_id.clone(),
            amount: Credits::from_micro(r.int(7)?),
        },
        _ => Verb::Reserve {
            hold_id,
            request: of.hold.request.clone(),
            ttl: of.hold.expires_at - of.hold.created_at,
            validate_only: false,
            in_force: NEVER_IN_FORCE,
        },
    })
}

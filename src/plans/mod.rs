//! Subscriptions: what a plan gives in which cycle, and how a subscription starts, changes and ends.
//!
//! Owns the cycles of a subscription by number, its transitions, the proration of money and credits, and the effects that each step
//! has, as data: grants with an id of their subscription and cycle, what ends, which plan holds, what the payment side is to know.
//! Pure: everything is a function of a subscription, a command and an instant. What carries effects out, and when somebody
//! looks, is not here; nor are balances (a grant's rollover is what it carries) and the reading of catalogs: [`Terms`] is a
//! plan as it was agreed, so a later catalog changes no subscription and renewals need none.
//!
//! Reading order: `terms`, `rhythm` (the periods), `subscription`, `effect`, `due` (what time does), `command`, `refusal`,
//! `record` (all that an account's subscriptions come to).

mod command;
mod due;
mod effect;
mod proration;
mod record;
mod refusal;
mod rhythm;
mod subscribe;
mod subscription;
mod terms;

pub use self::{
    command::{Command, When, act},
    due::due,
    effect::{Bill, Effect, Ending, Grant, Rolls, What},
    proration::{credits_left, money_left},
    record::{Answer, Call, Order, Record, Taken, Wanted},
    refusal::{Refusal, Verb},
    rhythm::{Period, Rhythm},
    subscribe::{Subscribe, subscribe},
    subscription::{Done, Ended, Outcome, Phase, Running, Subscription, Why},
    terms::{PaidBy, Rollover, Terms, Trial},
};

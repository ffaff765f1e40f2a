//! A call on a subscription, from what was sent to what came of it: looked up, worked out, sent, or answered as before.

use std::collections::BTreeSet;

use serde_json::json;
use tonic::Status;

use super::{Ask, Came, METHOD, Subscriptions, view};
use crate::{
    catalogs::Version,
    domain::{
        credits::Credits,
        event::{Fact, Position},
        subscription::{SubscriptionStep, call_deed},
    },
    holds::{
        Holds, HoldsError,
        operation::{Caller, Verb},
    },
    plans::{Call, Command, Order, Record, Refusal, Wanted, Why},
    proto::{self, ErrorReason},
    reconcile::Told,
    rpc::{core::Done, status},
};

/// What a call wants.
pub(super) enum Wish<'a> {
    /// What a version of the catalog makes of it.
    OfCatalog(&'a (dyn Fn(&Version) -> Result<Wanted, Status> + Sync)),
    /// This.
    Command(Box<Command>),
}

fn defect(what: impl std::fmt::Display) -> Status {
    status::failed(&HoldsError::Bug(what.to_string()).into())
}

impl Subscriptions {
    async fn run(
        &self,
        account: &str,
        caller: Caller,
        order: String,
    ) -> Result<(Told, Done), Status> {
        let verb = Verb::Subscription { order };
        let (told, done) = self.0.ask_telling(account, caller, verb).await?;
        let told = told.ok_or_else(|| defect("a call on a subscription told nothing"))?;
        Ok((told, done))
    }

    /// The record, all that is due done.
    pub(super) async fn look(
        &self,
        account: &str,
        caller: Caller,
    ) -> Result<(Record, Done), Status> {
        match self.run(account, caller, String::new()).await? {
            (Told::Found(record), done) => Ok((*record, done)),
            _ => Err(defect("a look at a subscription did more than that")),
        }
    }

    /// Does what a call wants; `preview` stops before.
    pub(super) async fn order(
        &self,
        ask: Ask,
        wish: Wish<'_>,
        preview: bool,
    ) -> Result<Came, Status> {
        let (record, done) = self.look(&ask.account, ask.caller.clone()).await?;
        let known = record.find(&ask.subscription_id, &ask.call_id).cloned();
        let known = match known {
            None if !record.knows_all() => self.recorded(&ask, &done).await?,
            known => known,
        };
        if let Some(call) = known {
            return self.repeated(&ask, call, &record, done).await;
        }
        let wanted = match wish {
            Wish::OfCatalog(wanted) => {
                let catalogs = &self.0.catalogs;
                catalogs.step().await.map_err(status::ledger_failed)?;
                let version = catalogs.at(done.answer.now).await;
                wanted(&version.map_err(status::catalog_failed)?)?
            }
            Wish::Command(command) => Wanted::Command(command),
        };
        let order = Order {
            subscription_id: ask.subscription_id.clone(),
            call_id: ask.call_id.clone(),
            sent: ask.sent.clone(),
            wanted,
            at: None,
        };
        if preview {
            let taken = record.take(&order, done.answer.now);
            let after = match taken {
                Ok(taken) => taken.after,
                Err(why) => return Err(self.refused(&ask, &order, why, &done).await?),
            };
            if order.wanted.is_change_of_plan()
                && let Some(terms) = after.terms()
                && terms.gives.credit_limit < done.answer.terms.credit_limit
                && done.answer.balance.debt > terms.gives.credit_limit
            {
                let (debt, limit) = (done.answer.balance.debt, terms.gives.credit_limit);
                return Err(status::in_debt_for_plan(debt, limit));
            }
            return came(&ask.account, &after, done, false);
        }
        let json = serde_json::to_string(&order).map_err(defect)?;
        match self.run(&ask.account, ask.caller.clone(), json).await? {
            (Told::Done(_), done) if done.refused_as(ErrorReason::InDebt) => {
                let limit = Credits::from_micro(done.answer.y);
                Err(status::in_debt_for_plan(done.answer.balance.debt, limit))
            }
            (Told::Done(record), done) => came(&ask.account, &record, done.or_refusal()?, false),
            (Told::Refused(why), done) => Err(self.refused(&ask, &order, why, &done).await?),
            (Told::Known(known), done) => self.repeated(&ask, known.0, &known.1, done).await,
            (Told::Found(_), _) => Err(defect("an order did nothing")),
        }
    }

    /// Why not: of a subscription before the latest only the ledger knows that there was one, and that it is over.
    async fn refused(
        &self,
        ask: &Ask,
        order: &Order,
        why: Refusal,
        done: &Done,
    ) -> Result<Status, Status> {
        if why != Refusal::NotFound {
            return Ok(status::not_subscribed(&why));
        }
        self.0.reached(done).await?;
        let found = self
            .0
            .ledger
            .subscription(&ask.account, &ask.subscription_id);
        let found = found.await.map_err(status::ledger_failed)?;
        let why = match (found, &order.wanted) {
            (None, _) => why,
            (Some(row), wanted) => match payment(wanted) {
                Some(cycle) => Refusal::PaidTooLate { cycle },
                None => Refusal::Over {
                    at: row.since,
                    why: Why::Cancelled,
                },
            },
        };
        Ok(status::not_subscribed(&why))
    }

    /// What only the ledger may know.
    async fn recorded(&self, ask: &Ask, done: &Done) -> Result<Option<Call>, Status> {
        self.0.reached(done).await?;
        let deed = call_deed(&ask.subscription_id, &ask.call_id);
        let found = self.0.ledger.deed(&ask.account, &deed).await;
        let Some(raw) = found.map_err(status::ledger_failed)? else {
            return Ok(None);
        };
        let nowhere = Position {
            partition: 0,
            epoch: 0,
            n: 0,
            index: 0,
        };
        match Holds::decode_event(nowhere, &raw).map_err(defect)?.fact {
            Fact::Subscription(step) => call(&step).map(Some),
            _ => Err(defect("a subscription's deed is another's")),
        }
    }

    /// The answer to a call that was done before (I2, I3).
    async fn repeated(
        &self,
        ask: &Ask,
        call: Call,
        record: &Record,
        done: Done,
    ) -> Result<Came, Status> {
        if call.sent != ask.sent {
            let differs = |name: &&String| call.sent.get(*name) != ask.sent.get(*name);
            let names: BTreeSet<_> = call.sent.keys().chain(ask.sent.keys()).collect();
            let mut fields: Vec<_> = names
                .into_iter()
                .filter(differs)
                .map(String::as_str)
                .collect();
            // Of another call nothing else is comparable.
            if fields.contains(&METHOD) {
                fields = vec![METHOD];
            }
            let recorded = json!({
                "changed": call.answer.changed,
                "granted": call.answer.granted.to_string(),
                "charge": call.answer.charge.to_string(),
                "credit": call.answer.credit.to_string(),
            });
            let what = match ask.call_id.as_str() {
                "" => format!("subscription {}", ask.subscription_id),
                change_id => format!("change {change_id}"),
            };
            return Err(status::id_reused(&what, &fields, &recorded));
        }
        let latest = record.latest.as_ref();
        let subscription = match latest.filter(|it| it.id == ask.subscription_id) {
            Some(latest) => Some(view::subscription(&ask.account, latest)),
            None => {
                self.earlier(&ask.account, &ask.subscription_id, &done)
                    .await?
            }
        };
        Ok(Came {
            subscription,
            answer: call.answer,
            replayed: true,
            done,
        })
    }

    /// A subscription before the latest, as the ledger has it.
    pub(super) async fn earlier(
        &self,
        account: &str,
        subscription_id: &str,
        done: &Done,
    ) -> Result<Option<proto::Subscription>, Status> {
        self.0.reached(done).await?;
        let found = self.0.ledger.subscription(account, subscription_id).await;
        let found = found.map_err(status::ledger_failed)?;
        Ok(found.map(|row| view::earlier(account, subscription_id, row)))
    }
}

/// The cycle whose payment a call tells.
fn payment(wanted: &Wanted) -> Option<u32> {
    match wanted {
        Wanted::Command(command) => match **command {
            Command::Payment { cycle } => Some(cycle),
            _ => None,
        },
        Wanted::Subscribe { .. } => None,
    }
}

/// What the last call of a record came to.
fn came(account: &str, record: &Record, done: Done, replayed: bool) -> Result<Came, Status> {
    let (Some(latest), Some(call)) = (&record.latest, record.calls.last()) else {
        return Err(defect("a record of no call"));
    };
    Ok(Came {
        subscription: Some(view::subscription(account, latest)),
        answer: call.answer.clone(),
        replayed,
        done,
    })
}

/// A call as its event tells it.
fn call(step: &SubscriptionStep) -> Result<Call, Status> {
    let (Some(order), Some(answer)) = (&step.order, &step.answer) else {
        return Err(defect("a call's event without the call"));
    };
    let order: Order = serde_json::from_str(order).map_err(defect)?;
    Ok(Call {
        subscription_id: order.subscription_id,
        call_id: order.call_id,
        sent: order.sent,
        answer: serde_json::from_str(answer).map_err(defect)?,
    })
}

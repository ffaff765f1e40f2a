//! `SubscriptionService`: plans, their cycles, and the money to take for them.
//!
//! What becomes of a subscription is decided by `plans`; what a call wants is looked up in the catalog here.

mod order;
pub mod terms;
mod view;

use std::{collections::BTreeMap, sync::Arc};

use tonic::{Request, Response, Status};

use self::{order::Wish, terms::Asked};
use super::{
    core::{Core, Done, caller},
    fields::{Fields, next_page_token},
    status,
    view::balance,
};
use crate::{
    catalogs::Version,
    holds::operation::Caller,
    plans::{Answer, Command, Wanted, When},
    proto::{self, Durability, subscription_service_server::SubscriptionService},
};

/// The service.
pub struct Subscriptions(pub Arc<Core>);

/// The name of what tells calls with one id apart.
const METHOD: &str = "method";

/// Who asks for what, as sent.
struct Ask {
    account: String,
    caller: Caller,
    subscription_id: String,
    /// Empty: the call makes the subscription.
    call_id: String,
    sent: BTreeMap<String, String>,
}

/// What came of it.
struct Came {
    subscription: Option<proto::Subscription>,
    answer: Answer,
    replayed: bool,
    done: Done,
}

/// The answer of a call that changes a subscription: they all have one form.
macro_rules! answer {
    ($self:ident, $came:expr, $durability:expr, $of:ident) => {{
        let came: Came = $came;
        Ok(Response::new(proto::$of {
            subscription: came.subscription,
            change: Some(view::change(&came.answer)),
            balance: balance(&came.done.answer),
            replayed: came.replayed,
            durability: $self.0.reach(&came.done, $durability).await,
        }))
    }};
}

#[tonic::async_trait]
impl SubscriptionService for Subscriptions {
    async fn subscribe(
        &self,
        request: Request<proto::SubscribeRequest>,
    ) -> Result<Response<proto::SubscribeResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("subscription_id", &r.subscription_id);
        let own = (r.allowance.as_ref(), r.price.as_ref());
        let asked = Asked::read(&mut fields, &r.plan, r.paid_by, own);
        let durability = fields.durability(r.durability, Durability::Ledger);
        fields.finish()?;
        let trial = r.trial;
        let ask = Ask {
            account: r.account_id,
            caller,
            subscription_id: r.subscription_id,
            call_id: String::new(),
            sent: asked
                .sent()
                .chain([("trial".to_owned(), trial.to_string())])
                .collect(),
        };
        let wanted = |version: &Version| {
            let mut fields = Fields::default();
            match asked.terms(&mut fields, version) {
                Some(terms) if fields.count() == 0 => Ok(Wanted::Subscribe {
                    terms: Box::new(terms),
                    trial,
                }),
                _ => Err(fields.refusal()),
            }
        };
        let came = self.order(ask, Wish::OfCatalog(&wanted), false).await?;
        answer!(self, came, durability, SubscribeResponse)
    }

    async fn get_subscription(
        &self,
        request: Request<proto::GetSubscriptionRequest>,
    ) -> Result<Response<proto::GetSubscriptionResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        if !r.subscription_id.is_empty() {
            fields.id("subscription_id", &r.subscription_id);
        }
        fields.finish()?;
        let (record, done) = self.look(&r.account_id, caller).await?;
        let found = match record.latest {
            Some(it) if r.subscription_id.is_empty() || it.id == r.subscription_id => {
                Some(view::subscription(&r.account_id, &it))
            }
            _ if r.subscription_id.is_empty() => None,
            _ => {
                self.earlier(&r.account_id, &r.subscription_id, &done)
                    .await?
            }
        };
        let subscription = Some(found.ok_or_else(status::no_subscription)?);
        Ok(Response::new(proto::GetSubscriptionResponse {
            subscription,
        }))
    }

    async fn change_plan(
        &self,
        request: Request<proto::ChangePlanRequest>,
    ) -> Result<Response<proto::ChangePlanResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        let own = (r.allowance.as_ref(), r.price.as_ref());
        let asked = Asked::read(&mut fields, &r.plan, r.paid_by, own);
        let (mut ask, durability) = change(
            fields,
            caller,
            (r.account_id, r.subscription_id, r.change_id),
            ("change_plan", r.durability),
        )?;
        ask.sent.extend(asked.sent());
        let wanted = |version: &Version| {
            let mut fields = Fields::default();
            match asked.terms(&mut fields, version) {
                Some(terms) if fields.count() == 0 => {
                    Ok(Wanted::Command(Box::new(Command::ChangePlan(terms))))
                }
                _ => Err(fields.refusal()),
            }
        };
        let came = self.order(ask, Wish::OfCatalog(&wanted), r.preview).await?;
        answer!(self, came, durability, ChangePlanResponse)
    }

    async fn cancel_scheduled_change(
        &self,
        request: Request<proto::CancelScheduledChangeRequest>,
    ) -> Result<Response<proto::CancelScheduledChangeResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let ids = (r.account_id, r.subscription_id, r.change_id);
        let call = ("cancel_scheduled_change", r.durability);
        let (ask, durability) = change(Fields::default(), caller, ids, call)?;
        let came = self
            .order(
                ask,
                Wish::Command(Box::new(Command::CancelScheduledChange)),
                false,
            )
            .await?;
        answer!(self, came, durability, CancelScheduledChangeResponse)
    }

    async fn cancel(
        &self,
        request: Request<proto::CancelRequest>,
    ) -> Result<Response<proto::CancelResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let ids = (r.account_id, r.subscription_id, r.change_id);
        let (mut ask, durability) =
            change(Fields::default(), caller, ids, ("cancel", r.durability))?;
        ask.sent.insert("at_once".into(), r.at_once.to_string());
        let when = if r.at_once {
            When::Now
        } else {
            When::PeriodEnd
        };
        let came = self
            .order(ask, Wish::Command(Box::new(Command::Cancel(when))), false)
            .await?;
        answer!(self, came, durability, CancelResponse)
    }

    async fn resume(
        &self,
        request: Request<proto::ResumeRequest>,
    ) -> Result<Response<proto::ResumeResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let ids = (r.account_id, r.subscription_id, r.change_id);
        let (ask, durability) = change(Fields::default(), caller, ids, ("resume", r.durability))?;
        let came = self
            .order(ask, Wish::Command(Box::new(Command::Resume)), false)
            .await?;
        answer!(self, came, durability, ResumeResponse)
    }

    async fn record_payment(
        &self,
        request: Request<proto::RecordPaymentRequest>,
    ) -> Result<Response<proto::RecordPaymentResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        if r.cycle == 0 {
            fields.violation("cycle", "is required, from 1");
        }
        let ids = (r.account_id, r.subscription_id, r.change_id);
        let (mut ask, durability) = change(fields, caller, ids, ("record_payment", r.durability))?;
        ask.sent.insert("cycle".into(), r.cycle.to_string());
        let payment = Command::Payment { cycle: r.cycle };
        let came = self
            .order(ask, Wish::Command(Box::new(payment)), false)
            .await?;
        answer!(self, came, durability, RecordPaymentResponse)
    }

    async fn refund_subscription(
        &self,
        request: Request<proto::RefundSubscriptionRequest>,
    ) -> Result<Response<proto::RefundSubscriptionResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let ids = (r.account_id, r.subscription_id, r.change_id);
        let call = ("refund_subscription", r.durability);
        let (ask, durability) = change(Fields::default(), caller, ids, call)?;
        let came = self
            .order(ask, Wish::Command(Box::new(Command::Refund)), false)
            .await?;
        answer!(self, came, durability, RefundSubscriptionResponse)
    }

    async fn list_bills(
        &self,
        request: Request<proto::ListBillsRequest>,
    ) -> Result<Response<proto::ListBillsResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        let after = fields
            .page_token::<2>(&r.page_token)
            .and_then(|[sequence, number]| Some((sequence, u32::try_from(number).ok()?)));
        let limit = fields.page_size(r.page_size);
        fields.finish()?;
        self.0.caught_up(&r.account_id, caller).await?;
        let page = self.0.ledger.list_bills(&r.account_id, after, limit).await;
        let page = page.map_err(status::ledger_failed)?;
        let next = page
            .next
            .map(|(sequence, number)| next_page_token([sequence, u64::from(number)]));
        Ok(Response::new(proto::ListBillsResponse {
            bills: page.rows.into_iter().map(view::bill).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }
}

/// What all calls on a subscription have.
fn change(
    mut fields: Fields,
    caller: Caller,
    (account, subscription_id, change_id): (String, String, String),
    (call, durability): (&str, i32),
) -> Result<(Ask, Durability), Status> {
    fields.account_id(&account);
    fields.id("subscription_id", &subscription_id);
    fields.id("change_id", &change_id);
    let durability = fields.durability(durability, Durability::Ledger);
    fields.finish()?;
    let ask = Ask {
        account,
        caller,
        subscription_id,
        call_id: change_id,
        sent: BTreeMap::from([(METHOD.to_owned(), call.to_owned())]),
    };
    Ok((ask, durability))
}

//! `GrantService`: credits coming in, and being taken back.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    core::{Core, Done, caller},
    fields::{DAY, Fields, SECOND, next_page_token},
    purchase, reused, status, view,
};
use crate::{
    domain::{
        credits::Credits,
        event::MoveKind,
        grant::{GrantKind, GrantTerms, Rollover},
    },
    holds::{
        operation::{GrantRequest, Verb},
        packed::NEVER,
    },
    ledger::GrantFilter,
    proto::{
        self, Durability, ErrorReason, GrantState, grant_credits_request::Expiry,
        grant_service_server::GrantService,
    },
};

/// The most that a priority can be.
const PRIORITY_MAX: u32 = 1000;
/// The longest time to expiry: a hundred years.
const EXPIRES_IN_MAX: i64 = 36_600 * DAY;
/// The longest rollover: ten years.
const ROLLOVER_MAX: i64 = 3_660 * DAY;
/// Most bytes of a provider's name.
pub const PROVIDER_MAX: usize = 64;
/// Most bytes of its reference.
pub const REFERENCE_MAX: usize = 128;

/// The service.
pub struct Grants(pub Arc<Core>);

/// The checked form of a grant.
fn read(fields: &mut Fields, r: &proto::GrantCreditsRequest) -> GrantRequest {
    const KINDS: &str = "PROMO, ALLOWANCE or TOP_UP";
    let kind = match fields.choice("kind", r.kind, false, KINDS) {
        Some(proto::GrantKind::Promo) => GrantKind::Promo,
        Some(proto::GrantKind::Allowance) => GrantKind::Allowance,
        Some(proto::GrantKind::TopUp) | None => GrantKind::TopUp,
        Some(_) => {
            fields.violation(
                "kind",
                format!("must be {KINDS}; the others are made by Holdbook"),
            );
            GrantKind::TopUp
        }
    };
    let amount = fields.amount("amount", &r.amount, false);
    let priority = match r.priority {
        Some(priority) if priority > PRIORITY_MAX => {
            fields.violation("priority", "must be between 0 and 1000");
            0
        }
        Some(priority) => u16::try_from(priority).unwrap_or(0),
        None => kind.priority(),
    };
    let (expires_at, expires_in) = match r.expiry {
        Some(Expiry::ExpiresAt(instant)) => (fields.instant("expires_at", Some(instant)), None),
        Some(Expiry::ExpiresIn(span)) => (
            None,
            fields.duration("expires_in", Some(span), SECOND, EXPIRES_IN_MAX),
        ),
        None => (None, None),
    };
    let rollover = r.rollover.as_ref().and_then(|rollover| {
        if r.expiry.is_none() {
            fields.violation("rollover", "needs an expiry");
        }
        if rollover.duration.is_none() {
            fields.violation("rollover.duration", "is required");
        }
        let cap = fields.optional_amount("rollover.cap", rollover.cap.as_ref(), false);
        let duration =
            fields.duration("rollover.duration", rollover.duration, SECOND, ROLLOVER_MAX)?;
        Some(Rollover { duration, cap })
    });
    fields.text("provider", &r.provider, PROVIDER_MAX);
    fields.text("external_reference", &r.external_reference, REFERENCE_MAX);
    GrantRequest {
        kind,
        priority,
        non_refundable: r.non_refundable,
        amount,
        starts_at: fields.instant("starts_at", r.starts_at),
        expires_at,
        expires_in,
        rollover,
        provider: r.provider.clone(),
        external_reference: r.external_reference.clone(),
        sent: reused::comparable(r, amount, rollover.and_then(|rollover| rollover.cap)),
        bought: false,
    }
}

#[tonic::async_trait]
impl GrantService for Grants {
    async fn grant_credits(
        &self,
        request: Request<proto::GrantCreditsRequest>,
    ) -> Result<Response<proto::GrantCreditsResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("grant_id", &r.grant_id);
        let made = read(&mut fields, &r);
        let durability = fields.durability(r.durability, Durability::Ledger);
        fields.finish()?;
        let verb = Verb::Grant {
            grant_id: r.grant_id.clone(),
            request: Box::new(made.clone()),
        };
        let done = self.0.ask(&r.account_id, caller, verb).await?;
        if done.refused_as(ErrorReason::Invalid) {
            let field = if made.expires_in.is_some() {
                "expires_in"
            } else {
                "expires_at"
            };
            return Err(status::invalid_field(
                field,
                "must be after now and after the start",
            ));
        }
        let done = reused::grant(done, &made.sent)?.or_refusal()?;
        let settled = view::sum(done.moves(), &[MoveKind::Settle]);
        Ok(Response::new(proto::GrantCreditsResponse {
            grant: Some(as_made(&r.account_id, r.grant_id, made, &done)),
            settled: settled.to_string(),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        }))
    }

    async fn purchase_credits(
        &self,
        request: Request<proto::PurchaseCreditsRequest>,
    ) -> Result<Response<proto::PurchaseCreditsResponse>, Status> {
        purchase::purchase(&self.0, request).await
    }

    async fn list_grants(
        &self,
        request: Request<proto::ListGrantsRequest>,
    ) -> Result<Response<proto::ListGrantsResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        let state: Option<GrantState> =
            fields.choice("state", r.state, true, "a state of a grant, or absent");
        let before_no = fields
            .page_token::<1>(&r.page_token)
            .and_then(|[no]| u32::try_from(no).ok());
        let limit = fields.page_size(r.page_size);
        fields.finish()?;
        let now = self.0.caught_up(&r.account_id, caller).await?;
        let filter = GrantFilter {
            status: state.and_then(view::grant_status),
            now,
        };
        let page = self
            .0
            .ledger
            .list_grants(&r.account_id, &filter, before_no, limit);
        let page = page.await.map_err(status::ledger_failed)?;
        let next = page.next.map(|no| next_page_token([u64::from(no)]));
        Ok(Response::new(proto::ListGrantsResponse {
            grants: page
                .rows
                .into_iter()
                .map(|row| view::grant_row(&r.account_id, row))
                .collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }

    async fn revoke_grant(
        &self,
        request: Request<proto::RevokeGrantRequest>,
    ) -> Result<Response<proto::RevokeGrantResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.any_grant_id(&r.grant_id);
        let durability = fields.durability(r.durability, Durability::Ledger);
        fields.finish()?;
        let verb = Verb::Revoke {
            grant_id: r.grant_id,
        };
        let done = self
            .0
            .ask(&r.account_id, caller, verb)
            .await?
            .or_refusal()?;
        let (lapsed, outstanding) = done.numbers();
        let taken = view::sum(done.moves(), &[MoveKind::Revoke]) + Credits::from_micro(lapsed);
        Ok(Response::new(proto::RevokeGrantResponse {
            revoked: taken.to_string(),
            outstanding: view::credits(outstanding),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        }))
    }
}

/// The grant as it was made, also in the answer to a repeat: what was sent, and what the outcome resolved.
pub fn as_made(
    account_id: &str,
    grant_id: String,
    made: GrantRequest,
    done: &Done,
) -> proto::Grant {
    let (starts_at, expires_at) = done.numbers();
    let issued = view::sum(done.moves(), &[MoveKind::Issue]);
    let started = issued > Credits::ZERO;
    let terms = GrantTerms {
        no: 0,
        grant_id,
        kind: made.kind,
        priority: made.priority,
        amount: made.amount,
        starts_at,
        expires_at: (expires_at != NEVER).then_some(expires_at),
        rollover: made.rollover,
        non_refundable: made.non_refundable,
        started,
        provider: made.provider,
        external_reference: made.external_reference,
    };
    let settled = view::sum(done.moves(), &[MoveKind::Settle]);
    let state = if started {
        GrantState::Active
    } else {
        GrantState::Pending
    };
    view::grant(
        account_id,
        &terms,
        state,
        made.amount - settled,
        Credits::ZERO,
    )
}

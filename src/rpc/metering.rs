//! What `MeteringService` does: each request is checked, run as one operation, and answered.

use std::sync::Arc;

use tonic::Status;

use super::{
    core::{Core, Done},
    fields::{Fields, next_page_token},
    reused, status,
    usage::{Sent, Sum},
    view::{self, BURNED, RETURNED},
};
use crate::{
    domain::{
        credits::Credits,
        event::MoveKind,
        hold::{HoldRequest, HoldState, Method, Overage},
    },
    holds::operation::{Caller, Verb},
    ledger::HoldFilter,
    proto::{self, Durability, ErrorReason},
};

/// The shortest ttl: a millisecond.
const TTL_MIN: i64 = 1000;

/// What the service does, whether one call asks for it or a stream.
pub struct Metering(pub Arc<Core>);

impl Metering {
    pub async fn reserve(
        &self,
        caller: Caller,
        r: proto::ReserveRequest,
    ) -> Result<proto::ReserveResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("hold_id", &r.hold_id);
        let sent = Sent::to_reserve(&mut fields, &r);
        let said = sent.unpriced();
        let made = HoldRequest {
            method: Method::Reserve,
            amount: said.amount.unwrap_or_default(),
            usage: said.usage,
            ttl: fields.duration("ttl", r.ttl, TTL_MIN, self.0.bounds.max_ttl),
            overage: fields
                .choice("overage", r.overage, true, "ALLOW or REJECT, or absent")
                .map(|sent| match sent {
                    proto::Overage::Reject => Overage::Reject,
                    _ => Overage::Allow,
                }),
            max_commit: fields.optional_amount("max_commit", r.max_commit.as_ref(), true),
            labels: fields.labels(&r.labels),
        };
        let durability = fields.durability(r.durability, Durability::Applied);
        fields.finish()?;
        let ttl = made.ttl.unwrap_or(self.0.bounds.default_ttl);
        let verb = |sum: Sum| Verb::Reserve {
            hold_id: r.hold_id.clone(),
            request: HoldRequest {
                amount: sum.amount.unwrap_or_default(),
                usage: sum.usage,
                ..made.clone()
            },
            ttl,
            validate_only: r.validate_only,
            in_force: sum.in_force,
        };
        let done = self.0.ask_for((&r.account_id, caller), &sent, verb).await?;
        self.0.instruments.reserve(outcome_name(&done));
        let done = reused::hold(done, &made)?.or_refusal()?;
        let names = self.0.names(&r.account_id, &done).await?;
        if !done.answer.replayed && !r.validate_only {
            self.0.instruments.holds_open_changed(1);
        }
        Ok(proto::ReserveResponse {
            hold: self.0.hold(&r.account_id, &r.hold_id, &done),
            pinned: view::by_grant(done.moves(), &[MoveKind::Pin], &names),
            promised: view::credits(done.numbers().0),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        })
    }

    pub async fn extend(
        &self,
        caller: Caller,
        r: proto::ExtendRequest,
    ) -> Result<proto::ExtendResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("hold_id", &r.hold_id);
        fields.id("extend_id", &r.extend_id);
        if r.ttl.is_none() {
            fields.violation("ttl", "is required");
        }
        let ttl = fields
            .duration("ttl", r.ttl, TTL_MIN, self.0.bounds.max_ttl)
            .unwrap_or_default();
        let amount = fields.optional_amount("amount", r.amount.as_ref(), false);
        let durability = fields.durability(r.durability, Durability::Applied);
        fields.finish()?;
        let sent = Sent::Amount(amount.unwrap_or_default());
        let verb = |sum: Sum| Verb::Extend {
            hold_id: r.hold_id.clone(),
            extend_id: r.extend_id.clone(),
            ttl,
            amount,
            in_force: sum.in_force,
        };
        let done = self.0.ask_for((&r.account_id, caller), &sent, verb).await?;
        if done.refused_as(ErrorReason::Invalid) {
            let most = super::fields::seconds(self.0.bounds.max_lifetime);
            return Err(status::invalid_field(
                "ttl",
                format!("the hold's whole lifetime must be at most {most} seconds"),
            ));
        }
        let done = reused::extension(done, ttl, amount)?.or_refusal()?;
        let names = self.0.names(&r.account_id, &done).await?;
        Ok(proto::ExtendResponse {
            hold: self.0.hold(&r.account_id, &r.hold_id, &done),
            pinned: view::by_grant(done.moves(), &[MoveKind::Pin], &names),
            promised: view::credits(done.numbers().1),
            expires_at: view::instant(done.numbers().0),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        })
    }

    pub async fn commit(
        &self,
        caller: Caller,
        r: proto::CommitRequest,
    ) -> Result<proto::CommitResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("hold_id", &r.hold_id);
        let sent = Sent::to_commit(&mut fields, r.what.as_ref());
        let last = r.r#final.unwrap_or(true);
        if !last || !r.commit_id.is_empty() {
            fields.id("commit_id", &r.commit_id);
        }
        let durability = fields.durability(r.durability, Durability::Applied);
        fields.finish()?;
        let verb = |sum: Sum| Verb::Commit {
            hold_id: r.hold_id.clone(),
            amount: sum.amount,
            usage: sum.usage,
            last,
            commit_id: r.commit_id.clone(),
            in_force: sum.in_force,
        };
        let done = self.0.ask_for((&r.account_id, caller), &sent, verb).await?;
        if done.refused_as(ErrorReason::LateWindowPassed) {
            self.0.instruments.late_commit_refused();
        }
        let done = reused::commit(done, &sent.unpriced(), last, &r.commit_id)?.or_refusal()?;
        let names = self.0.names(&r.account_id, &done).await?;
        let moves = done.moves();
        let [charged, overdrawn, absorbed] =
            [&BURNED[..], &[MoveKind::Overdraw], &[MoveKind::Absorb]]
                .map(|kinds| view::sum(moves, kinds));
        if !done.answer.replayed {
            let micro = |amount: Credits| amount.micro().unsigned_abs();
            self.0
                .instruments
                .commit(micro(charged), micro(overdrawn), micro(absorbed));
            let ended = done
                .answer
                .hold
                .as_ref()
                .is_some_and(|hold| hold.state == HoldState::Committed);
            self.0.instruments.holds_open_changed(-i64::from(ended));
        }
        Ok(proto::CommitResponse {
            hold: self.0.hold(&r.account_id, &r.hold_id, &done),
            charged: charged.to_string(),
            charged_by_grant: view::by_grant(moves, &BURNED, &names),
            overdrawn: overdrawn.to_string(),
            absorbed: absorbed.to_string(),
            released: view::sum(moves, &RETURNED).to_string(),
            late: reused::was_late(&done),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        })
    }

    pub async fn release(
        &self,
        caller: Caller,
        r: proto::ReleaseRequest,
    ) -> Result<proto::ReleaseResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("hold_id", &r.hold_id);
        let durability = fields.durability(r.durability, Durability::Applied);
        fields.finish()?;
        let verb = Verb::Release {
            hold_id: r.hold_id.clone(),
        };
        let done = self
            .0
            .ask(&r.account_id, caller, verb)
            .await?
            .or_refusal()?;
        let released = done
            .answer
            .hold
            .as_ref()
            .is_some_and(|hold| hold.state == HoldState::Released);
        if released && !done.answer.replayed {
            self.0.instruments.holds_open_changed(-1);
        }
        Ok(proto::ReleaseResponse {
            hold: self.0.hold(&r.account_id, &r.hold_id, &done),
            released: view::sum(done.moves(), &RETURNED).to_string(),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        })
    }

    pub async fn charge(
        &self,
        caller: Caller,
        r: proto::ChargeRequest,
    ) -> Result<proto::ChargeResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("hold_id", &r.hold_id);
        let made = HoldRequest {
            method: Method::Charge,
            amount: fields.amount("amount", &r.amount, true),
            usage: None,
            ttl: None,
            overage: None,
            max_commit: None,
            labels: fields.labels(&r.labels),
        };
        let durability = fields.durability(r.durability, Durability::Applied);
        fields.finish()?;
        let sent = Sent::Amount(made.amount);
        let verb = |sum: Sum| Verb::Charge {
            hold_id: r.hold_id.clone(),
            request: made.clone(),
            in_force: sum.in_force,
        };
        let done = self.0.ask_for((&r.account_id, caller), &sent, verb).await?;
        let done = reused::hold(done, &made)?.or_refusal()?;
        let names = self.0.names(&r.account_id, &done).await?;
        Ok(proto::ChargeResponse {
            hold: self.0.hold(&r.account_id, &r.hold_id, &done),
            charged: view::sum(done.moves(), &BURNED).to_string(),
            charged_by_grant: view::by_grant(done.moves(), &BURNED, &names),
            overdrawn: view::sum(done.moves(), &[MoveKind::Overdraw]).to_string(),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        })
    }

    pub async fn refund(
        &self,
        caller: Caller,
        r: proto::RefundRequest,
    ) -> Result<proto::RefundResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("hold_id", &r.hold_id);
        fields.id("refund_id", &r.refund_id);
        let amount = fields.amount("amount", &r.amount, false);
        let durability = fields.durability(r.durability, Durability::Ledger);
        fields.finish()?;
        let verb = Verb::Refund {
            hold_id: r.hold_id.clone(),
            refund_id: r.refund_id,
            amount,
        };
        let done = self.0.ask(&r.account_id, caller, verb).await?;
        let done = reused::refund(done, amount)?.or_refusal()?;
        let names = self.0.names(&r.account_id, &done).await?;
        let to_debt = done
            .moves()
            .iter()
            .filter(|m| m.kind == MoveKind::Refund && m.grant_no == 0);
        let to_debt: Credits = to_debt.map(|moved| moved.amount).sum();
        Ok(proto::RefundResponse {
            hold: self.0.hold(&r.account_id, &r.hold_id, &done),
            debt_reduced: to_debt.to_string(),
            refunded_to: view::by_grant(done.moves(), &[MoveKind::Refund], &names),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        })
    }

    pub async fn get_hold(
        &self,
        caller: Caller,
        r: proto::GetHoldRequest,
    ) -> Result<proto::GetHoldResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        fields.id("hold_id", &r.hold_id);
        fields.finish()?;
        let verb = Verb::GetHold {
            hold_id: r.hold_id.clone(),
        };
        let done = self
            .0
            .ask(&r.account_id, caller, verb)
            .await?
            .or_refusal()?;
        let names = self.0.names(&r.account_id, &done).await?;
        let pins = done.answer.hold.iter().flat_map(|hold| &hold.pins);
        let pinned = pins
            .map(|pin| view::grant_amount(pin.grant_no, pin.amount, &names))
            .collect();
        Ok(proto::GetHoldResponse {
            hold: self.0.hold(&r.account_id, &r.hold_id, &done),
            pinned,
            balance: view::balance(&done.answer),
        })
    }

    pub async fn list_holds(
        &self,
        caller: Caller,
        r: proto::ListHoldsRequest,
    ) -> Result<proto::ListHoldsResponse, Status> {
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        let state = fields.choice("state", r.state, true, "a state of a hold, or absent");
        let filter = HoldFilter {
            state: state
                .and_then(|state: proto::HoldState| u8::try_from(state as i32).ok())
                .and_then(HoldState::from_number),
            created_from: fields.instant("created_from", r.created_from),
            created_before: fields.instant("created_before", r.created_before),
        };
        let before = fields
            .page_token::<1>(&r.page_token)
            .map(|[sequence]| sequence);
        let limit = fields.page_size(r.page_size);
        fields.finish()?;
        self.0.caught_up(&r.account_id, caller).await?;
        let page = self
            .0
            .ledger
            .list_holds(&r.account_id, &filter, before, limit);
        let page = page.await.map_err(status::ledger_failed)?;
        let next = page.next.map(|sequence| next_page_token([sequence]));
        Ok(proto::ListHoldsResponse {
            holds: page
                .rows
                .into_iter()
                .map(|row| view::hold_row(&r.account_id, row))
                .collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }
}

/// The outcome of a reserve, for the metric.
fn outcome_name(done: &Done) -> &'static str {
    match done.answer.reasons.first() {
        Some(number) => status::reason_name(
            ErrorReason::try_from(i32::from(*number)).unwrap_or(ErrorReason::Bug),
        ),
        None if done.answer.replayed => "replayed",
        None => "reserved",
    }
}

//! `BenchService`: the floor that figures are compared with, served only with `--bench`. It answers messages of Reserve's sizes.

use tonic::{Request, Response, Status};

use super::view;
use crate::proto::{self, bench_service_server::BenchService};

/// The service.
pub struct Bench;

#[tonic::async_trait]
impl BenchService for Bench {
    async fn noop(
        &self,
        request: Request<proto::NoopRequest>,
    ) -> Result<Response<proto::NoopResponse>, Status> {
        let r = request.into_inner().reserve.unwrap_or_default();
        let now = view::instant(1_700_000_000_123_456);
        let hold = proto::Hold {
            account_id: r.account_id,
            hold_id: r.hold_id,
            state: proto::HoldState::Open.into(),
            amount: r.amount.clone(),
            held: r.amount.clone(),
            promised: "0".into(),
            requested: r.amount.clone(),
            charged: "0".into(),
            overdrawn: "0".into(),
            absorbed: "0".into(),
            released: "0".into(),
            refunded: "0".into(),
            created_at: now,
            expires_at: now,
            overage: proto::Overage::Allow.into(),
            ..proto::Hold::default()
        };
        let balance = proto::Balance {
            balance: "1234.567891".into(),
            available: "1234.567891".into(),
            free: "1234.567891".into(),
            held: r.amount.clone(),
            debt: "0".into(),
            pending: "0".into(),
            promised: "0".into(),
            as_of: now,
            sequence: 1_000_000,
        };
        let pinned = proto::GrantAmount {
            grant_id: "topup-1".into(),
            kind: proto::GrantKind::TopUp.into(),
            amount: r.amount,
        };
        Ok(Response::new(proto::NoopResponse {
            reserve: Some(proto::ReserveResponse {
                hold: Some(hold),
                pinned: vec![pinned],
                promised: "0".into(),
                balance: Some(balance),
                replayed: false,
                durability: proto::Durability::Applied.into(),
            }),
        }))
    }
}

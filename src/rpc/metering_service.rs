//! `MeteringService`, call by call and as a stream.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use super::{
    core::caller,
    meter::{self, Answers},
    metering::Metering,
};
use crate::proto::{self, metering_service_server::MeteringService};

/// The service.
pub struct Served {
    /// What it does.
    pub metering: Arc<Metering>,
    /// No new calls: streams end.
    pub closing: watch::Receiver<bool>,
}

/// A unary call.
macro_rules! call {
    ($self:ident.$call:ident($request:ident)) => {{
        let caller = caller(&$request)?;
        let answer = $self.metering.$call(caller, $request.into_inner());
        Ok(Response::new(answer.await?))
    }};
}

#[tonic::async_trait]
impl MeteringService for Served {
    async fn reserve(
        &self,
        request: Request<proto::ReserveRequest>,
    ) -> Result<Response<proto::ReserveResponse>, Status> {
        call!(self.reserve(request))
    }

    async fn extend(
        &self,
        request: Request<proto::ExtendRequest>,
    ) -> Result<Response<proto::ExtendResponse>, Status> {
        call!(self.extend(request))
    }

    async fn commit(
        &self,
        request: Request<proto::CommitRequest>,
    ) -> Result<Response<proto::CommitResponse>, Status> {
        call!(self.commit(request))
    }

    async fn release(
        &self,
        request: Request<proto::ReleaseRequest>,
    ) -> Result<Response<proto::ReleaseResponse>, Status> {
        call!(self.release(request))
    }

    async fn charge(
        &self,
        request: Request<proto::ChargeRequest>,
    ) -> Result<Response<proto::ChargeResponse>, Status> {
        call!(self.charge(request))
    }

    async fn refund(
        &self,
        request: Request<proto::RefundRequest>,
    ) -> Result<Response<proto::RefundResponse>, Status> {
        call!(self.refund(request))
    }

    async fn get_hold(
        &self,
        request: Request<proto::GetHoldRequest>,
    ) -> Result<Response<proto::GetHoldResponse>, Status> {
        call!(self.get_hold(request))
    }

    async fn list_holds(
        &self,
        request: Request<proto::ListHoldsRequest>,
    ) -> Result<Response<proto::ListHoldsResponse>, Status> {
        call!(self.list_holds(request))
    }

    type MeterStream = Answers;

    async fn meter(
        &self,
        request: Request<Streaming<proto::MeterRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let caller = caller(&request)?;
        let (metering, closing) = (Arc::clone(&self.metering), self.closing.clone());
        let answers = meter::answers(metering, caller, request.into_inner(), closing);
        Ok(Response::new(answers))
    }
}

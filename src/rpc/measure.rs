//! Every call's duration by method and status, as a layer around all services.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use tonic::{
    Code,
    body::Body,
    codegen::http::{HeaderMap, Request, Response},
};
use tower::{Layer, Service};

use crate::telemetry::Instruments;

/// Puts `Measured` around a service.
#[derive(Clone)]
pub struct Measure(pub Arc<Instruments>);

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;
    fn layer(&self, inner: S) -> Measured<S> {
        Measured {
            inner,
            instruments: Arc::clone(&self.0),
        }
    }
}

/// A service whose calls are measured.
#[derive(Clone)]
pub struct Measured<S> {
    inner: S,
    instruments: Arc<Instruments>,
}

/// Methods by their paths: a closed list, so that no caller can make new time series.
const METHODS: [&str; 35] = [
    "holdbook.v1.MeteringService/Reserve",
    "holdbook.v1.MeteringService/Extend",
    "holdbook.v1.MeteringService/Commit",
    "holdbook.v1.MeteringService/Release",
    "holdbook.v1.MeteringService/Charge",
    "holdbook.v1.MeteringService/Refund",
    "holdbook.v1.MeteringService/GetHold",
    "holdbook.v1.MeteringService/ListHolds",
    "holdbook.v1.MeteringService/Meter",
    "holdbook.v1.AccountService/CreateAccount",
    "holdbook.v1.AccountService/GetAccount",
    "holdbook.v1.AccountService/UpdateAccount",
    "holdbook.v1.AccountService/CloseAccount",
    "holdbook.v1.AccountService/GetBalance",
    "holdbook.v1.AccountService/ListTransfers",
    "holdbook.v1.AccountService/ChangeLevel",
    "holdbook.v1.GrantService/GrantCredits",
    "holdbook.v1.GrantService/ListGrants",
    "holdbook.v1.GrantService/RevokeGrant",
    "holdbook.v1.GrantService/PurchaseCredits",
    "holdbook.v1.PricingService/Quote",
    "holdbook.v1.PricingService/GetCatalog",
    "holdbook.v1.PricingService/ApplyCatalog",
    "holdbook.v1.SubscriptionService/Subscribe",
    "holdbook.v1.SubscriptionService/GetSubscription",
    "holdbook.v1.SubscriptionService/ChangePlan",
    "holdbook.v1.SubscriptionService/CancelScheduledChange",
    "holdbook.v1.SubscriptionService/Cancel",
    "holdbook.v1.SubscriptionService/Resume",
    "holdbook.v1.SubscriptionService/RecordPayment",
    "holdbook.v1.SubscriptionService/RefundSubscription",
    "holdbook.v1.SubscriptionService/ListBills",
    "holdbook.v1.TestClockService/Now",
    "holdbook.v1.TestClockService/Advance",
    "holdbook.v1.BenchService/Noop",
];

/// By the gRPC codes' numbers, as the semantic conventions spell them.
const STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn method(path: &str) -> &'static str {
    METHODS
        .into_iter()
        .find(|method| path.strip_prefix('/') == Some(method))
        .unwrap_or("other")
}

/// Unary answers that failed carry their status in the headers.
fn status(headers: &HeaderMap) -> &'static str {
    headers.get("grpc-status").map_or("OK", |value| {
        status_name(Code::from_bytes(value.as_bytes()))
    })
}

/// As the semantic conventions spell it.
pub fn status_name(code: Code) -> &'static str {
    STATUSES[code as usize]
}

impl<S, B> Service<Request<B>> for Measured<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (method, started) = (method(request.uri().path()), Instant::now());
        let (call, instruments) = (self.inner.call(request), Arc::clone(&self.instruments));
        Box::pin(async move {
            let answer = call.await;
            let status = answer
                .as_ref()
                .map_or("INTERNAL", |answer| status(answer.headers()));
            instruments.call(method, status, started.elapsed());
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::proto::DESCRIPTORS;

    #[test]
    fn every_method_has_its_name() {
        let set = FileDescriptorSet::decode(DESCRIPTORS).expect("descriptors");
        let mut served = Vec::new();
        for file in &set.file {
            for service in &file.service {
                let methods = service.method.iter().map(|method| method.name());
                served.extend(
                    methods.map(|name| format!("{}.{}/{name}", file.package(), service.name())),
                );
            }
        }
        served.sort_unstable();
        let mut known = METHODS.to_vec();
        known.sort_unstable();
        assert_eq!(known, served);
    }
}

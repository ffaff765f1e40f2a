//! `Meter`: many operations over one stream, each answered by itself.
//!
//! The answers are made while they are read: who does not read stops its own operations, its requests stay where the transport keeps them,
//! and nobody else waits. What has reached Redis by then is done, as with a call whose answer is lost.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures_util::{Stream, StreamExt, stream};
use prost::Message;
use tokio::sync::watch;
use tonic::{Code, Status, Streaming};

use super::{core::trace_of, measure::status_name, metering::Metering, status};
use crate::{
    holds::operation::Caller,
    proto::{
        Failure, MeterRequest, MeterResponse, meter_request::Operation, meter_response::Outcome,
    },
};

/// The answers of a stream.
pub type Answers = Pin<Box<dyn Stream<Item = Result<MeterResponse, Status>> + Send>>;

/// Operations of one stream that are under way at once; named in the proto.
pub const IN_FLIGHT_MAX: usize = 256;

/// Answers all operations that come in, until no more come or the service stops.
pub fn answers(
    metering: Arc<Metering>,
    caller: Caller,
    requests: Streaming<MeterRequest>,
    closing: watch::Receiver<bool>,
) -> Answers {
    let end = Arc::new(Mutex::new(None));
    let ended = Arc::clone(&end);
    let requests = stream::unfold((requests, closing), move |(mut requests, mut closing)| {
        let end = Arc::clone(&end);
        async move {
            let next = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => Err(status::stopping()),
                next = requests.message() => next,
            };
            let next = next.unwrap_or_else(|status| {
                *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
                None
            });
            next.map(|request| (request, (requests, closing)))
        }
    });
    let answers = requests
        .map(move |request| answer(Arc::clone(&metering), caller.clone(), request))
        .buffer_unordered(IN_FLIGHT_MAX)
        .map(Ok);
    // Why no more came in is told when all that did is answered.
    let why =
        stream::once(async move { ended.lock().unwrap_or_else(PoisonError::into_inner).take() });
    Box::pin(answers.chain(why.filter_map(|status| async { status.map(Err) })))
}

async fn answer(metering: Arc<Metering>, caller: Caller, request: MeterRequest) -> MeterResponse {
    let started = Instant::now();
    let (method, outcome) = match request.operation {
        None => (
            "Meter",
            Err(status::invalid_field("operation", "is required")),
        ),
        Some(operation) => run(&metering, traced(caller, &request.traceparent), operation).await,
    };
    let code = outcome.as_ref().map_or_else(Status::code, |_| Code::Ok);
    let instruments = &metering.0.instruments;
    instruments.call(method, status_name(code), started.elapsed());
    MeterResponse {
        sequence: request.sequence,
        outcome: Some(outcome.unwrap_or_else(|status| Outcome::Failed(failure(&status)))),
    }
}

/// An operation has the trace of its own, or the stream's.
fn traced(caller: Caller, traceparent: &str) -> Caller {
    match traceparent {
        "" => caller,
        own => Caller {
            traceparent: trace_of(own).to_owned(),
            ..caller
        },
    }
}

/// The method as metrics name it, and what came of it.
async fn run(
    metering: &Metering,
    caller: Caller,
    operation: Operation,
) -> (&'static str, Result<Outcome, Status>) {
    match operation {
        Operation::Reserve(r) => {
            let answer = metering.reserve(caller, r).await;
            ("Meter/Reserve", answer.map(Outcome::Reserve))
        }
        Operation::Extend(r) => {
            let answer = metering.extend(caller, r).await;
            ("Meter/Extend", answer.map(Outcome::Extend))
        }
        Operation::Commit(r) => {
            let answer = metering.commit(caller, r).await;
            ("Meter/Commit", answer.map(Outcome::Commit))
        }
        Operation::Release(r) => {
            let answer = metering.release(caller, r).await;
            ("Meter/Release", answer.map(Outcome::Release))
        }
        Operation::Charge(r) => {
            let answer = metering.charge(caller, r).await;
            ("Meter/Charge", answer.map(Outcome::Charge))
        }
        Operation::Refund(r) => {
            let answer = metering.refund(caller, r).await;
            ("Meter/Refund", answer.map(Outcome::Refund))
        }
    }
}

/// A status as a message: its details are those of a call.
fn failure(status: &Status) -> Failure {
    let details = tonic_types::pb::Status::decode(status.details());
    Failure {
        code: status.code() as i32,
        message: status.message().to_owned(),
        details: details.map_or_else(|_| Vec::new(), |status| status.details),
    }
}

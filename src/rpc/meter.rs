//! `Meter`: many operations over one stream, each answered by itself.
//!
//! Each is a task of its own, so that it lets go of what it has of the stores whether or not anybody reads. Its answer waits to be read:
//! who does not read has no more begun, and its requests stay where the transport keeps them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
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
        .map(move |request| {
            let sequence = request.sequence;
            let answer = tokio::spawn(answer(Arc::clone(&metering), caller.clone(), request));
            answer.map(move |done| done.unwrap_or_else(|_| broken(sequence)))
        })
        .buffer_unordered(IN_FLIGHT_MAX)
        .map(Ok);
    // Why no more came in is told when all that did is answered.
    let why =
        stream::once(async move { ended.lock().unwrap_or_else(PoisonError::into_inner).take() });
    Box::pin(answers.chain(why.filter_map(|status| async { status.map(Err) })))
}

/// The answer of an operation that panicked.
fn broken(sequence: u64) -> MeterResponse {
    let failure = failure(&Status::internal("a defect; the log says more"));
    MeterResponse {
        sequence,
        outcome: Some(Outcome::Failed(failure)),
    }
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
    macro_rules! run {
        ($($operation:ident => $call:ident),*) => {
            match operation {
                $(Operation::$operation(request) => (
                    concat!("Meter/", stringify!($operation)),
                    metering.$call(caller, request).await.map(Outcome::$operation),
                ),)*
            }
        };
    }
    run!(
        Reserve => reserve, Extend => extend, Commit => commit, Release => release, Charge => charge, Refund => refund
    )
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

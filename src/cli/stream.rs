//! The client's side of `Meter`: many callers share one stream, each waits for its own answer.
//!
//! It does not send anything again: after the end of a stream what was not answered is unknown, and that is its caller's to settle.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::stream;
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::proto::{
    Failure, MeterRequest, MeterResponse, meter_request::Operation, meter_response::Outcome,
    metering_service_client::MeteringServiceClient,
};

/// Requests that wait for the transport; further callers wait.
const WAITING_MAX: usize = 64;

type Answer = oneshot::Sender<Result<Outcome, Status>>;

/// Who waits, by sequence; and, when the stream is over, why.
#[derive(Default)]
struct Waiting {
    callers: HashMap<u64, Answer>,
    over: Option<Status>,
}

/// A stream of operations. A clone is the same stream.
#[derive(Clone)]
pub struct MeterStream {
    requests: mpsc::Sender<MeterRequest>,
    waiting: Arc<Mutex<Waiting>>,
    next: Arc<AtomicU64>,
}

impl MeterStream {
    /// Opens a stream over a channel.
    ///
    /// # Errors
    /// The server did not take it.
    pub async fn open(channel: Channel) -> Result<Self, Status> {
        let (requests, mut sent) = mpsc::channel(WAITING_MAX);
        let outgoing = stream::poll_fn(move |context| sent.poll_recv(context));
        let mut client = MeteringServiceClient::new(channel);
        let incoming = client.meter(outgoing).await?.into_inner();
        let waiting = Arc::default();
        tokio::spawn(listen(incoming, Arc::clone(&waiting)));
        Ok(Self {
            requests,
            waiting,
            next: Arc::default(),
        })
    }

    /// Does one operation.
    ///
    /// # Errors
    /// Its own status, as of a call; or the stream's: then it is not known whether it was done.
    pub async fn call(&self, operation: Operation) -> Result<Outcome, Status> {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        // First a place to send from: a caller that gives up while it waits for one leaves nothing behind.
        let Ok(place) = self.requests.reserve().await else {
            return Err(self.over());
        };
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(over) = &waiting.over {
                return Err(over.clone());
            }
            waiting.callers.insert(sequence, answer);
        }
        let request = MeterRequest {
            sequence,
            traceparent: String::new(),
            operation: Some(operation),
        };
        place.send(request);
        let lost = |_| Err(Status::unavailable("the stream ended"));
        answered.await.unwrap_or_else(lost)
    }
}

impl MeterStream {
    fn over(&self) -> Status {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = || Status::unavailable("the stream ended");
        waiting.over.clone().unwrap_or_else(ended)
    }
}

/// Hands out answers until the stream ends.
async fn listen(mut incoming: Streaming<MeterResponse>, waiting: Arc<Mutex<Waiting>>) {
    let locked = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let why = loop {
        let MeterResponse { sequence, outcome } = match incoming.message().await {
            Ok(Some(response)) => response,
            Ok(None) => break Status::unavailable("the stream ended"),
            Err(status) => break status,
        };
        let answer = match outcome {
            Some(Outcome::Failed(failure)) => Err(status(failure)),
            Some(outcome) => Ok(outcome),
            None => Err(Status::internal("an answer without an outcome")),
        };
        // Who no longer waits does not want it.
        if let Some(caller) = locked().callers.remove(&sequence) {
            let _ = caller.send(answer);
        }
    };
    let mut waiting = locked();
    for (_, caller) in waiting.callers.drain() {
        let _ = caller.send(Err(why.clone()));
    }
    waiting.over = Some(why);
}

/// The status that a call would have had.
#[must_use]
pub fn status(failure: Failure) -> Status {
    let Failure {
        code,
        message,
        details,
    } = failure;
    let whole = tonic_types::pb::Status {
        code,
        message: message.clone(),
        details,
    };
    Status::with_details(Code::from_i32(code), message, whole.encode_to_vec().into())
}

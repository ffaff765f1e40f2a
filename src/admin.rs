//! The admin port: `/healthz`, `/readyz`, `/metrics`.
//!
//! Owns the three answers and nothing of what they say: readiness comes in over a channel, metrics from `telemetry`. Not
//! for the public network; nothing here changes anything.

use std::{collections::BTreeSet, future::Future, io, net::SocketAddr};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use crate::telemetry::Metrics;

/// What the service still waits for before it takes calls; ready when that is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    waiting_for: BTreeSet<String>,
}

impl Readiness {
    /// Not ready until each of these is: `redis`, `postgres`, `partition 3`.
    pub fn waiting_for(parts: impl IntoIterator<Item = impl Into<String>>) -> Readiness {
        Readiness {
            waiting_for: parts.into_iter().map(Into::into).collect(),
        }
    }

    /// Says whether one part is ready now.
    pub fn set(&mut self, part: impl Into<String>, ready: bool) {
        let part = part.into();
        if ready {
            self.waiting_for.remove(&part);
        } else {
            self.waiting_for.insert(part);
        }
    }

    /// Whether the service takes calls.
    pub fn is_ready(&self) -> bool {
        self.waiting_for.is_empty()
    }
}

/// The bound port, not yet served.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
}

#[derive(Clone)]
struct Answers {
    readiness: watch::Receiver<Readiness>,
    metrics: Metrics,
}

impl Admin {
    /// Takes the port, so that a taken one is known before anything else starts.
    pub async fn bind(address: SocketAddr) -> io::Result<Admin> {
        let listener = TcpListener::bind(address).await?;
        Ok(Admin { listener })
    }

    /// Where it listens; the port is the real one when 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done, then answers what is in flight.
    pub async fn serve(
        self,
        readiness: watch::Receiver<Readiness>,
        metrics: Metrics,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(show_metrics))
            .with_state(Answers { readiness, metrics });
        axum::serve(self.listener, router)
            .with_graceful_shutdown(stop)
            .await
    }
}

/// The process lives; whether it can serve is `/readyz`'s to say, or a lost store would restart every replica.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(answers): State<Answers>) -> Response {
    let readiness = answers.readiness.borrow().clone();
    if readiness.is_ready() {
        return "ready\n".into_response();
    }
    let lines: String = readiness
        .waiting_for
        .iter()
        .map(|part| format!("waiting for {part}\n"))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

async fn show_metrics(State(answers): State<Answers>) -> Response {
    match answers.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

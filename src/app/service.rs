//! The service in this process: the order in which it starts, and the order in which it stops.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, RwLock, atomic::AtomicI64},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tonic::transport::server::TcpIncoming;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::open::{self, OpenError, micros};
use crate::{
    admin::{Admin, Readiness},
    catalogs::Catalogs,
    config::Config,
    holds::Holds,
    ledger::Ledger,
    reconcile::{
        Evictor, LedgerWait, LightAudit, Memory, Recovery, Relay, RelayOptions, Replays,
        SecondCopy, Sweeper,
    },
    rpc::{self, Bounds, Core, Extras, Measure},
    telemetry::Metrics,
};

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A store is not fit, or not there.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A port cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The descriptors of the API cannot be served: a defect.
    #[error("the API's descriptors cannot be served: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// The server ended by itself.
    #[error("the server failed: {0}")]
    Serve(String),
}

/// Between two looks at a partition that is being recovered.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);
/// How long one look waits for the ledger.
const DRAIN_LOOK: Duration = Duration::from_secs(2);

/// Bytes of one call or stream that wait to be read.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The transport gives a connection half of this for what small messages that wait cost it, 256 bytes each, and cuts it beyond. So a client
/// that fills the windows of 20 streams with the smallest operations is held up, not cut.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// A running service.
pub struct Service {
    address: SocketAddr,
    admin_address: SocketAddr,
    holds: Holds,
    ledger: Ledger,
    memory: Memory,
    replays: Replays,
    waits: LedgerWait,
    health: HealthReporter,
    readiness: watch::Sender<Readiness>,
    /// No new calls.
    closing: watch::Sender<bool>,
    /// No more background work.
    stopping: watch::Sender<bool>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    background: JoinSet<()>,
    stop_timeout: Duration,
}

async fn raised(mut flag: watch::Receiver<bool>) {
    // The sender lives as long as the service; when it is gone, that is a stop, too.
    let _ = flag.wait_for(|raised| *raised).await;
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ServiceError::Listen { address, error })
}

impl Service {
    /// Starts everything; when it answers, calls are served.
    ///
    /// # Errors
    /// A port, a store or an agreement is missing.
    pub async fn start(config: &Config, metrics: Metrics) -> Result<Self, ServiceError> {
        // Ports first: a taken one is known before anything else happens.
        let listener = listen(config.listen).await?;
        let admin =
            Admin::bind(config.admin_listen)
                .await
                .map_err(|error| ServiceError::Listen {
                    address: config.admin_listen,
                    error,
                })?;
        let local = |address: io::Result<SocketAddr>| {
            address.map_err(|e| ServiceError::Serve(e.to_string()))
        };
        let (address, admin_address) = (local(listener.local_addr())?, local(admin.local_addr())?);
        let (readiness, ready) = watch::channel(Readiness::waiting_for(["stores"]));
        let (closing, _) = watch::channel(false);
        let (stopping, _) = watch::channel(false);
        let mut background = JoinSet::new();
        let (until, shown) = (raised(stopping.subscribe()), metrics.clone());
        background.spawn(async move {
            if let Err(error) = admin.serve(ready, shown, until).await {
                tracing::error!(%error, "the admin port failed");
            }
        });

        let instruments = metrics.instruments();
        let batches = Arc::clone(&instruments);
        let observe = Box::new(move |size: usize| batches.executor_batch(size as u64));
        let holds = open::holds(config, observe).map_err(OpenError::from)?;
        let ledger = Ledger::connect(config.postgres_url.expose(), config.postgres_pool)
            .await
            .map_err(OpenError::from)?
            .giving_up_after(config.postgres_timeout);
        open::stores(config, &holds, &ledger).await?;
        let catalogs = Catalogs::open(ledger.clone())
            .await
            .map_err(OpenError::from)?;
        background.spawn(catalogs.clone().run(stopping.subscribe()));
        let waits = LedgerWait::new(&ledger).await.map_err(OpenError::from)?;
        let (others, fed) = (ledger.clone(), waits.clone());
        let until = stopping.subscribe();
        background.spawn(async move {
            others
                .watch_cursors(
                    move |partition, cursor| fed.reached(partition, cursor),
                    until,
                )
                .await;
        });
        let options = RelayOptions::from(config);
        let memory = Memory::new(
            holds.clone(),
            ledger.clone(),
            waits.clone(),
            config.ledger_wait,
        );
        let copy = SecondCopy::new(holds.partitions(), config.replay_buffer);
        let memory = memory.keeping(copy.clone());
        let replays = Replays::new(
            memory.clone(),
            copy,
            waits.clone(),
            ledger.clone(),
            Arc::clone(&instruments),
        )
        .await
        .map_err(OpenError::from)?;
        let relay = |partition| {
            let (instruments, waits) = (Arc::clone(&instruments), waits.clone());
            Relay::new(
                partition,
                holds.clone(),
                ledger.clone(),
                waits,
                instruments,
                options,
            )
        };
        let watcher = |partition| {
            Recovery::new(
                partition,
                holds.clone(),
                ledger.clone(),
                relay(partition),
                config.test_clock,
            )
            .with_replays(replays.clone())
        };
        let mut watchers: Vec<_> = (0..holds.partitions()).map(watcher).collect();
        open::partitions(&mut watchers).await?;
        for (partition, watcher) in (0..).zip(watchers) {
            background.spawn(watcher.run(stopping.subscribe()));
            background.spawn(relay(partition).run(stopping.subscribe()));
            let sweeper = Sweeper::new(
                partition,
                holds.clone(),
                ledger.clone(),
                memory.clone(),
                Arc::clone(&instruments),
            );
            background.spawn(sweeper.run(stopping.subscribe()));
            if !config.idle_after.is_zero() {
                let evictor = Evictor::new(
                    partition,
                    holds.clone(),
                    ledger.clone(),
                    Arc::clone(&instruments),
                    config.idle_after,
                );
                background.spawn(evictor.run(stopping.subscribe()));
            }
        }

        if !config.audit_pause.is_zero() {
            let audit = LightAudit::new(holds.clone(), ledger.clone(), Arc::clone(&instruments));
            background.spawn(audit.run(config.audit_pause, stopping.subscribe()));
        }

        let bounds = Bounds {
            default_ttl: micros(config.default_ttl),
            max_ttl: micros(config.max_ttl),
            max_lifetime: micros(config.max_lifetime),
        };
        let core = Core {
            clock_seen: AtomicI64::new(0),
            any_hold: RwLock::default(),
            memory: memory.clone(),
            ledger: ledger.clone(),
            catalogs: catalogs.clone(),
            waits: waits.clone(),
            ledger_wait: config.ledger_wait,
            bounds,
            instruments: Arc::clone(&instruments),
        };
        let extras = Extras {
            test_clock: config.test_clock.then(|| (holds.clone(), ledger.clone())),
            bench: config.bench,
            closing: closing.subscribe(),
        };
        let (routes, health) = rpc::routes(Arc::new(core), extras).await?;
        let server = tonic::transport::Server::builder()
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .layer(Measure(instruments))
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                // The builder's own setting counts only for sockets that it opens itself; without it small answers wait for ACKs.
                TcpIncoming::from(listener).with_nodelay(Some(true)),
                raised(closing.subscribe()),
            );
        let server = tokio::spawn(server);
        readiness.send_modify(|readiness| readiness.set("stores", true));
        let stop_timeout = config.stop_timeout;
        Ok(Self {
            address,
            admin_address,
            holds,
            ledger,
            memory,
            replays,
            waits,
            health,
            readiness,
            closing,
            stopping,
            server,
            background,
            stop_timeout,
        })
    }

    /// Where gRPC is served.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The room of Redis.
    #[must_use]
    pub const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Operations as the service runs them.
    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Waits until the ledger has all that is in the streams now, at most `limit`, across recoveries; says whether it has.
    pub async fn drained(&self, limit: Duration) -> bool {
        let all = async {
            for partition in 0..self.holds.partitions() {
                while !self.has_drained(partition).await {
                    tokio::time::sleep(DRAIN_PAUSE).await;
                }
            }
        };
        tokio::time::timeout(limit, all).await.is_ok()
    }

    async fn has_drained(&self, partition: u32) -> bool {
        let era = self.holds.era(partition);
        match self.holds.head(partition).await {
            Ok(head) if head.epoch == era.epoch => {
                self.waits
                    .wait_for(partition, head.epoch, head.n, DRAIN_LOOK)
                    .await
            }
            _ => false,
        }
    }

    /// Stops: no new calls, those in flight are answered, the ledger catches up, each within the limit; what is left then
    /// stays in the stream for the next start.
    ///
    /// # Errors
    /// The server had failed before.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
        self.readiness
            .send_modify(|readiness| readiness.set("stop", false));
        self.health
            .set_service_status("", ServingStatus::NotServing)
            .await;
        self.closing.send_replace(true);
        let served = match tokio::time::timeout(self.stop_timeout, &mut self.server).await {
            Ok(Ok(result)) => result.map_err(|error| ServiceError::Serve(error.to_string())),
            Ok(Err(error)) => Err(ServiceError::Serve(error.to_string())),
            Err(_) => {
                tracing::warn!("calls were still in flight at the limit; they are cut");
                self.server.abort();
                Ok(())
            }
        };
        if !self.drained(self.stop_timeout).await {
            tracing::warn!("the ledger has not caught up; the rest waits in the stream");
        }
        self.stopping.send_replace(true);
        let ended = async { while self.background.join_next().await.is_some() {} };
        if tokio::time::timeout(self.stop_timeout, ended)
            .await
            .is_err()
        {
            tracing::warn!("background work did not end within the limit; it is cut");
        }
        if let Err(error) = self.replays.end().await {
            tracing::debug!(%error, "the next recovery may wait a moment for this process");
        }
        served
    }
}

//! The public API: tonic services over the other rooms.
//!
//! Owns the checking of requests, the form of answers and of errors. It is the only serving room that sees the generated types. It
//! decides nothing about credits: it asks `holds` (through `reconcile::memory`) and reads lists from `ledger`.

mod account;
mod bench;
mod core;
mod fields;
mod grant;
mod level;
mod measure;
mod meter;
mod metering;
mod metering_service;
mod need;
mod prices;
mod purchase;
mod reused;
pub mod status;
mod subscriptions;
mod test_clock;
mod usage;
mod view;

use std::sync::Arc;

use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

pub use self::{
    core::{Bounds, Core},
    measure::Measure,
};
use crate::{
    holds::Holds,
    ledger::Ledger,
    proto::{
        DESCRIPTORS, account_service_server::AccountServiceServer,
        bench_service_server::BenchServiceServer, grant_service_server::GrantServiceServer,
        metering_service_server::MeteringServiceServer,
        pricing_service_server::PricingServiceServer,
        subscription_service_server::SubscriptionServiceServer,
        test_clock_service_server::TestClockServiceServer,
    },
};

/// The largest request; a full one is under 4 KiB.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A catalog's text, of which the handler says itself when it is too long, and its form on the wire.
const CATALOG_BYTES_MAX: usize = 1024 * 1024;

/// What is served beside the main services.
pub struct Extras {
    /// With `--test-clock`.
    pub test_clock: Option<(Holds, Ledger)>,
    /// With `--bench`.
    pub bench: bool,
    /// Streams end: the service stops.
    pub closing: watch::Receiver<bool>,
}

/// All services, and what reports their health.
///
/// # Errors
/// The descriptors cannot be served, which a test would have shown.
pub async fn routes(
    core: Arc<Core>,
    extras: Extras,
) -> Result<(Routes, HealthReporter), tonic_reflection::server::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_serving::<MeteringServiceServer<metering_service::Served>>()
        .await;
    health
        .set_serving::<AccountServiceServer<account::Accounts>>()
        .await;
    health
        .set_serving::<GrantServiceServer<grant::Grants>>()
        .await;
    health
        .set_serving::<PricingServiceServer<prices::Pricing>>()
        .await;
    health
        .set_serving::<SubscriptionServiceServer<subscriptions::Subscriptions>>()
        .await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::builder();
    routes
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(
            MeteringServiceServer::new(metering_service::Served {
                metering: Arc::new(metering::Metering(Arc::clone(&core))),
                closing: extras.closing,
            })
            .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            AccountServiceServer::new(account::Accounts(Arc::clone(&core)))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            GrantServiceServer::new(grant::Grants(Arc::clone(&core)))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            SubscriptionServiceServer::new(subscriptions::Subscriptions(Arc::clone(&core)))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            PricingServiceServer::new(prices::Pricing(core))
                .max_decoding_message_size(CATALOG_BYTES_MAX),
        );
    if let Some((holds, ledger)) = extras.test_clock {
        routes.add_service(TestClockServiceServer::new(test_clock::TestClock(
            holds, ledger,
        )));
    }
    if extras.bench {
        routes.add_service(
            BenchServiceServer::new(bench::Bench).max_decoding_message_size(REQUEST_BYTES_MAX),
        );
    }
    Ok((routes.routes(), health))
}

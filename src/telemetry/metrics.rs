//! The metrics of one service: its instruments and the Prometheus registry that shows them.
//!
//! Owns the meter provider. Always on, whatever the `OTEL_*` variables say.

use std::sync::Arc;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use prometheus::{Registry, TextEncoder};

use super::{Instruments, TelemetryError, export};

/// The instruments and what they have recorded. Clones share both.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
    instruments: Arc<Instruments>,
}

impl Metrics {
    /// Metrics that only `/metrics` shows: one set for each service in a test's process.
    pub fn local() -> Result<Metrics, TelemetryError> {
        Metrics::new(export::resource(), None)
    }

    pub(super) fn new(
        resource: Resource,
        exporter: Option<MetricExporter>,
    ) -> Result<Metrics, TelemetryError> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // One scope, so its name on every line says nothing.
            .scope_info_enabled(false)
            .build()
            .map_err(TelemetryError::Prometheus)?;
        let mut builder = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(reader);
        if let Some(exporter) = exporter {
            builder = builder.with_periodic_exporter(exporter);
        }
        let provider = builder.build();
        let instruments = Arc::new(Instruments::new(&provider.meter("holdbook")));
        Ok(Metrics {
            registry,
            provider,
            instruments,
        })
    }

    /// The instruments, to record on.
    pub fn instruments(&self) -> Arc<Instruments> {
        Arc::clone(&self.instruments)
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> Result<String, TelemetryError> {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(TelemetryError::Encode)
    }

    pub(super) fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }
}

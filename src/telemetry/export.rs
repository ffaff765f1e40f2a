//! What is sent to a collector over OTLP, and what it says about its sender.
//!
//! Owns the providers of traces and logs, the exporters and the resource.

use opentelemetry::{Key, propagation::TextMapCompositePropagator, propagation::TextMapPropagator};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    propagation::{BaggagePropagator, TraceContextPropagator},
    trace::SdkTracerProvider,
};

use super::{
    TelemetryError,
    variables::{OtelVariables, Propagator},
};

const SERVICE_NAME: &str = "holdbook";

/// The exporters and providers that the variables ask for.
pub(super) struct Export {
    pub tracer: Option<SdkTracerProvider>,
    pub logger: Option<SdkLoggerProvider>,
    pub metrics: Option<MetricExporter>,
}

impl Export {
    /// Makes them. An unreachable collector is no error here or later: what cannot be sent is dropped.
    pub fn new(variables: &OtelVariables, resource: &Resource) -> Result<Export, TelemetryError> {
        let tracer = if variables.traces {
            let exporter = SpanExporter::builder()
                .with_tonic()
                .build()
                .map_err(TelemetryError::Exporter)?;
            let builder = SdkTracerProvider::builder().with_resource(resource.clone());
            Some(builder.with_batch_exporter(exporter).build())
        } else {
            None
        };
        let logger = if variables.logs {
            let exporter = LogExporter::builder()
                .with_tonic()
                .build()
                .map_err(TelemetryError::Exporter)?;
            let builder = SdkLoggerProvider::builder().with_resource(resource.clone());
            Some(builder.with_batch_exporter(exporter).build())
        } else {
            None
        };
        let metrics = if variables.metrics {
            Some(
                MetricExporter::builder()
                    .with_tonic()
                    .build()
                    .map_err(TelemetryError::Exporter)?,
            )
        } else {
            None
        };
        Ok(Export {
            tracer,
            logger,
            metrics,
        })
    }
}

/// Who sends: the name and attributes of the standard variables, with our name where they give none.
pub(super) fn resource() -> Resource {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let found = Resource::builder().with_attribute(version.clone()).build();
    let name = found.get(&Key::from_static_str("service.name"));
    let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if is_named {
        found
    } else {
        Resource::builder()
            .with_attribute(version)
            .with_service_name(SERVICE_NAME)
            .build()
    }
}

/// The propagators as one.
pub(super) fn propagator(propagators: &[Propagator]) -> TextMapCompositePropagator {
    let make = |propagator: &Propagator| -> Box<dyn TextMapPropagator + Send + Sync> {
        match propagator {
            Propagator::TraceContext => Box::new(TraceContextPropagator::new()),
            Propagator::Baggage => Box::new(BaggagePropagator::new()),
        }
    };
    TextMapCompositePropagator::new(propagators.iter().map(make).collect())
}

//! Logs, traces and metrics: their set-up, and the list of instruments.
//!
//! Owns the process-wide subscriber (`init`, once), the metrics of a service (`Metrics`, also one for each test) and every
//! metric's name (`Instruments`). Owns no port: `admin` serves the metrics.

mod export;
mod instruments;
mod metrics;
mod variables;

use std::{env, io::stderr, time::Duration};

use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    logs::SdkLoggerProvider,
    trace::SdkTracerProvider,
};
use thiserror::Error;
use tokio::task::spawn_blocking;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::ParseError, layer::SubscriberExt, util::SubscriberInitExt,
    util::TryInitError,
};

use self::export::Export;
pub use self::{
    instruments::{Instruments, Store},
    metrics::Metrics,
    variables::OtelVariables,
};
use crate::config::LogFormat;

/// What is logged to standard error unless `RUST_LOG` says otherwise.
const DEFAULT_LOG: &str = "info";

/// What is exported as traces and logs. The libraries that carry the export are left out: their spans would make more of
/// themselves with each batch sent. `RUST_LOG` does not apply: a quiet terminal must not silence the collector.
const EXPORTED: &str = "info,h2=off,hyper=off,hyper_util=off,tonic=off,tower=off,opentelemetry=off,opentelemetry_sdk=off,opentelemetry_otlp=off";

/// The longest that the last batch of each signal may take at the end.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// What to set up.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// How log lines look.
    pub log_format: LogFormat,
    /// What the `OTEL_*` variables ask for.
    pub variables: OtelVariables,
    /// `RUST_LOG`, when it is set.
    pub log_filter: Option<String>,
}

impl TelemetryConfig {
    /// Reads the environment.
    pub fn from_env(log_format: LogFormat) -> Result<TelemetryConfig, TelemetryError> {
        let get = |name: &str| env::var(name).ok();
        let variables = OtelVariables::read(get)?;
        Ok(TelemetryConfig {
            log_format,
            variables,
            log_filter: get("RUST_LOG").filter(|value| !value.is_empty()),
        })
    }
}

/// Why telemetry could not be set up or shown.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// A variable asks for what is not supported.
    #[error("{variable} is {value:?}; allowed: {allowed}")]
    Variable {
        /// Its name.
        variable: String,
        /// What it says.
        value: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// The log filter cannot be read.
    #[error(
        "RUST_LOG is {value:?}, which is no filter ({source}); allowed: a level, or target=level, comma-separated"
    )]
    Filter {
        /// What it says.
        value: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// An exporter's variables do not fit together.
    #[error("the OTLP exporter cannot be made: {0}")]
    Exporter(#[source] ExporterBuildError),
    /// The Prometheus registry could not be made.
    #[error("the Prometheus registry cannot be made: {0}")]
    Prometheus(#[source] OTelSdkError),
    /// The metrics could not be written as text.
    #[error("the metrics cannot be written as text: {0}")]
    Encode(#[source] prometheus::Error),
    /// Something else has set up logging in this process.
    #[error("logging is set up already: {0}")]
    Twice(#[source] TryInitError),
}

/// What was set up; keep it until the end of the process.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Metrics,
    tracer: Option<SdkTracerProvider>,
    logger: Option<SdkLoggerProvider>,
}

/// Sets up logs, traces and metrics for the whole process; once, and inside the runtime.
pub fn init(config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let resource = export::resource();
    let Export {
        tracer,
        logger,
        metrics,
    } = Export::new(&config.variables, &resource)?;
    let metrics = Metrics::new(resource, metrics)?;
    global::set_text_map_propagator(export::propagator(&config.variables.propagators));

    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![terminal(config)?];
    if let Some(provider) = &tracer {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("holdbook"));
        layers.push(layer.with_filter(EnvFilter::new(EXPORTED)).boxed());
    }
    if let Some(provider) = &logger {
        layers.push(
            OpenTelemetryTracingBridge::new(provider)
                .with_filter(EnvFilter::new(EXPORTED))
                .boxed(),
        );
    }
    // A filter on each layer and none for all: a global one would also keep spans from the collector.
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(TelemetryError::Twice)?;
    Ok(Telemetry {
        metrics,
        tracer,
        logger,
    })
}

/// The layer that writes to standard error; standard output is for results.
fn terminal(
    config: &TelemetryConfig,
) -> Result<Box<dyn Layer<Registry> + Send + Sync>, TelemetryError> {
    let value = config.log_filter.as_deref().unwrap_or(DEFAULT_LOG);
    let filter = EnvFilter::try_new(value).map_err(|source| TelemetryError::Filter {
        value: value.to_owned(),
        source,
    })?;
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr);
    Ok(match config.log_format {
        LogFormat::Text => layer.with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

impl Telemetry {
    /// The metrics, to record and to show.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Sends what is still waiting and stops exporting. A collector that does not answer costs a few seconds and nothing
    /// else.
    pub async fn shutdown(self) {
        let Telemetry {
            metrics,
            tracer,
            logger,
        } = self;
        // The SDK blocks, and its exporters need this runtime's threads meanwhile.
        let stopping = [
            spawn_blocking(move || {
                report(
                    "metrics",
                    metrics.provider().shutdown_with_timeout(FLUSH_LIMIT),
                )
            }),
            spawn_blocking(move || {
                tracer.map_or((), |provider| {
                    report("traces", provider.shutdown_with_timeout(FLUSH_LIMIT))
                })
            }),
            spawn_blocking(move || {
                logger.map_or((), |provider| {
                    report("logs", provider.shutdown_with_timeout(FLUSH_LIMIT))
                })
            }),
        ];
        for stopped in stopping {
            if let Err(error) = stopped.await {
                tracing::warn!(%error, "telemetry did not stop in good order");
            }
        }
    }
}

fn report(signal: &'static str, result: OTelSdkResult) {
    if let Err(error) = result {
        tracing::warn!(signal, %error, "the last batch was not sent");
    }
}

//! OpenTelemetry's standard environment variables, as far as the SDK leaves them to us.
//!
//! Owns reading them; endpoints, headers, timeouts, samplers, intervals and resource attributes are read by the SDK
//! itself. Nothing is exported unless an endpoint is set, so that a trial needs no collector.

use super::TelemetryError;

/// What may be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Traces => "TRACES",
            Signal::Metrics => "METRICS",
            Signal::Logs => "LOGS",
        }
    }
}

/// How a trace's context travels in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Propagator {
    TraceContext,
    Baggage,
}

/// What the variables ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtelVariables {
    pub(super) traces: bool,
    pub(super) metrics: bool,
    pub(super) logs: bool,
    pub(super) propagators: Vec<Propagator>,
}

impl OtelVariables {
    /// Reads them by `get`, usually from the environment. An empty one counts as unset, as the standard says.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<OtelVariables, TelemetryError> {
        let get = |name: &str| {
            get(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        // The standard: only "true", in any case, disables; everything else is false.
        let disabled =
            get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exports = |signal| Ok(!disabled && exports(signal, &get)?);
        Ok(OtelVariables {
            traces: exports(Signal::Traces)?,
            metrics: exports(Signal::Metrics)?,
            logs: exports(Signal::Logs)?,
            // Propagators work also while the SDK is disabled, as the standard says.
            propagators: propagators(get("OTEL_PROPAGATORS"))?,
        })
    }
}

/// Whether a signal goes out over OTLP: its exporter says so or says nothing, and there is an endpoint.
fn exports(signal: Signal, get: &impl Fn(&str) -> Option<String>) -> Result<bool, TelemetryError> {
    let signal_name = signal.name();
    let name = format!("OTEL_{signal_name}_EXPORTER");
    let wanted = match get(&name).as_deref() {
        None | Some("otlp") => true,
        Some("none") => false,
        // The admin port serves it in any case.
        Some("prometheus") if signal == Signal::Metrics => false,
        Some(value) => return Err(wrong(name, value, "otlp or none")),
    };
    let endpoint = get(&format!("OTEL_EXPORTER_OTLP_{signal_name}_ENDPOINT"))
        .or_else(|| get("OTEL_EXPORTER_OTLP_ENDPOINT"));
    if !wanted || endpoint.is_none() {
        return Ok(false);
    }
    for name in [
        format!("OTEL_EXPORTER_OTLP_{signal_name}_PROTOCOL"),
        "OTEL_EXPORTER_OTLP_PROTOCOL".to_owned(),
    ] {
        match get(&name).as_deref() {
            None => {}
            Some("grpc") => break,
            Some(value) => return Err(wrong(name, value, "grpc")),
        }
    }
    Ok(true)
}

fn propagators(value: Option<String>) -> Result<Vec<Propagator>, TelemetryError> {
    let value = value.unwrap_or_else(|| "tracecontext,baggage".to_owned());
    let mut found = Vec::new();
    for name in value.split(',').map(str::trim) {
        let propagator = match name {
            "tracecontext" => Propagator::TraceContext,
            "baggage" => Propagator::Baggage,
            "none" => return Ok(Vec::new()),
            _ => {
                return Err(wrong(
                    "OTEL_PROPAGATORS".to_owned(),
                    name,
                    "tracecontext, baggage or none",
                ));
            }
        };
        // A name given twice counts once.
        if !found.contains(&propagator) {
            found.push(propagator);
        }
    }
    Ok(found)
}

fn wrong(variable: String, value: &str, allowed: &'static str) -> TelemetryError {
    TelemetryError::Variable {
        variable,
        value: value.to_owned(),
        allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<OtelVariables, TelemetryError> {
        OtelVariables::read(|name| {
            let found = variables.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// Which of traces, metrics and logs go out.
    fn exported(variables: &[(&str, &str)]) -> [bool; 3] {
        let read = read(variables).expect("allowed values");
        [read.traces, read.metrics, read.logs]
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

    #[test]
    fn nothing_is_exported_without_an_endpoint() {
        assert_eq!(exported(&[]), [false; 3]);
        assert_eq!(exported(&[("OTEL_TRACES_EXPORTER", "otlp")]), [false; 3]);
        assert_eq!(exported(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), [false; 3]);
    }

    #[test]
    fn an_endpoint_exports_everything_or_its_signal() {
        assert_eq!(exported(&[ENDPOINT]), [true; 3]);
        assert_eq!(
            exported(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://c:4317")]),
            [false, false, true]
        );
    }

    #[test]
    fn signals_can_be_switched_off() {
        assert_eq!(
            exported(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]),
            [false, true, true]
        );
        assert_eq!(
            exported(&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "prometheus")]),
            [true, false, true]
        );
        assert_eq!(
            exported(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]),
            [false; 3]
        );
        assert_eq!(exported(&[ENDPOINT, ("OTEL_SDK_DISABLED", "1")]), [true; 3]);
    }

    #[test]
    fn what_is_not_supported_is_told() {
        for (name, value, allowed) in [
            ("OTEL_LOGS_EXPORTER", "console", "otlp or none"),
            ("OTEL_TRACES_EXPORTER", "prometheus", "otlp or none"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "grpc"),
            (
                "OTEL_PROPAGATORS",
                "tracecontext,b3",
                "tracecontext, baggage or none",
            ),
        ] {
            let told = read(&[ENDPOINT, (name, value)])
                .expect_err(name)
                .to_string();
            assert!(told.contains(name) && told.contains(allowed), "{told}");
        }
        let signal_wins = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
        read(&[
            ENDPOINT,
            signal_wins,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ])
        .expect_err("the other two signals");
    }

    #[test]
    fn propagators_are_the_standards() {
        let of = |value| {
            read(&[("OTEL_PROPAGATORS", value)])
                .expect(value)
                .propagators
        };
        assert_eq!(of(""), [Propagator::TraceContext, Propagator::Baggage]);
        assert_eq!(of("baggage, baggage"), [Propagator::Baggage]);
        assert_eq!(of("none"), []);
    }
}

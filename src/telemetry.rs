//! Tracing and OpenTelemetry set-up; the list of instruments.

//! The integration tests: one binary, real servers.

mod dev;
mod telemetry;

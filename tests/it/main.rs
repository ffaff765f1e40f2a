//! The integration tests: one binary, real servers.

mod dev;
mod model;
mod support;
mod telemetry;

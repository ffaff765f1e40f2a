//! The integration tests: one binary, real servers.

mod cli;
mod dev;
mod model;
mod support;
mod telemetry;
mod tidy;

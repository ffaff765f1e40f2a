//! The integration tests: one binary, real servers.

mod audit;
mod awaited;
mod backpressure;
mod catalog;
mod chaos;
mod cli;
mod crash;
mod dev;
mod errors;
mod evict;
mod farm;
mod ledger;
mod loader;
mod meter;
mod model;
mod model_plans;
mod outage;
mod partition;
mod plans;
mod protocol;
mod python;
mod recovery;
mod replay;
mod support;
mod telemetry;
mod tidy;

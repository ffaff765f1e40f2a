//! Holdbook meters credits: atomic holds in Redis, a double-entry ledger in Postgres.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod dev;
pub mod domain;
pub mod holds;
pub mod ledger;
pub mod proto;
pub mod reconcile;
pub mod rpc;
pub mod telemetry;

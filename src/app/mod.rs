//! Wiring: how the rooms are put together, started and stopped. The only room that knows every other.
//!
//! `open` makes sure that both stores are fit and agree, `service` runs the service in this process, `dev` puts private
//! servers under it, `commands` and `partitions` are the subcommands that need no running
//! service.

mod commands;
mod dev;
mod open;
mod partitions;
mod service;

pub use self::{
    commands::{CommandError, audit, migrate, quarantine, serve},
    dev::{dev, replay_dev},
    open::{OpenError, stores as open_stores},
    partitions::partition,
    service::{Service, ServiceError},
};

//! Relay, sweeper, audit.

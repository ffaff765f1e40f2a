//! The subcommands that are clients of the gRPC API.

pub mod client;
mod names;
pub mod refusal;
pub mod replay;
pub mod scenario;
mod totals;

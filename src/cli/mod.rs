//! The subcommands that are clients of the gRPC API.

//! Environment and flags into typed configuration.

//! The generated types of `proto/holdbook/v1`. Only `rpc` and `cli` (and tests) see them.
#![allow(missing_docs, clippy::all)]

tonic::include_proto!("holdbook.v1");

/// The encoded descriptors of `proto/`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/holdbook.bin"));

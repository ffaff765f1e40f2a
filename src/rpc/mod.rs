//! tonic: the public API.

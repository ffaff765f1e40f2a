//! One integration binary.
mod model;
mod support;

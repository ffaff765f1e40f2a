//! One integration binary.

mod ledger;
mod support;

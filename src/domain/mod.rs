//! The words of the business, pure: amounts, what an account is, what happened, and how that is posted.
//!
//! Owns the nouns that every other room shares and the posting rule. Does no input or output, knows neither Redis nor
//! Postgres nor gRPC, and imports nothing of ours.

pub mod account;
pub mod credits;
pub mod event;
pub mod grant;
pub mod hold;
pub mod plan;
pub mod posting;

//! The catalog: what a product sells, what a usage costs, and the one YAML file in which that is written.
//!
//! Owns the words of prices and plans, the reading and checking of the file with every mistake and its place, and the
//! arithmetic of prices. Pure: knows no store, no clock, no caller. What happens to an account or a subscription is not here.
//!
//! Reading order: `meter` and `plan` (the words), `quote` (what a usage costs), `read` (the file), `diff`, `warnings`.

/// A value in JSON as it shows itself.
macro_rules! as_text {
    ($($of:ty)*) => {
        $(impl serde::Serialize for $of {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        })*
    };
}

pub mod amount;
pub mod catalog;
pub mod diff;
pub mod meter;
mod mistake;
pub mod plan;
pub mod quote;
mod read;
mod warnings;
pub mod words;
mod yaml;

pub use self::{
    catalog::Catalog,
    mistake::{Mistake, Mistakes, Place},
    warnings::warnings,
};

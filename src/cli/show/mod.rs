//! How answers are shown: as tables to read or as JSON to work with.
//!
//! An answer becomes a `Record` once (`nouns`), and both forms come from it. In JSON amounts are strings and instants
//! RFC 3339, so that nothing is lost in a float.

mod answers;
mod nouns;
mod record;

use std::io::{self, Write};

use clap::ValueEnum;

pub use self::nouns::{bills, grants, holds, transfers};
pub use self::record::{Record, Value};

/// The form of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned tables.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

impl Output {
    /// Shows an answer.
    pub fn show(self, answer: &Record, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Table => write!(out, "{}", answer.tables()),
            Self::Json => writeln!(out, "{}", json(answer)),
        }
    }
}

/// A record as an indented JSON document.
pub fn json(record: &Record) -> String {
    // Records have string keys and no floats, so there is nothing that JSON could not say.
    serde_json::to_string_pretty(record).unwrap_or_default()
}

//! `holdbook catalog`: catalogs as files, and the versions of a server's.

mod file;
mod quote;
mod served;

use std::{fmt, io, path::PathBuf};

use clap::{Args, Subcommand};

pub use self::quote::QuoteArgs;
pub(super) use self::quote::quote;
use super::{
    ClientError,
    show::{Record, Value},
    values::{ServerArgs, instant},
};
use crate::pricing::Mistake;

/// What is done with catalogs.
#[derive(Clone, Debug, Subcommand)]
pub enum CatalogCommand {
    /// Check a catalog's file: a summary, or every mistake with its line and column
    #[command(after_help = "Example:
  holdbook catalog check tests/catalogs/creatify.yaml

Mistakes are told as FILE:LINE:COLUMN: what, and the exit code is 2. docs/catalog.md says what a catalog can hold.")]
    Check {
        /// The catalog
        file: PathBuf,
    },
    /// Compare two catalogs' files: prices and plans added, removed and changed
    #[command(after_help = "Example:
  holdbook catalog diff tests/catalogs/scriptkit.yaml tests/catalogs/studio.yaml

Two files that say the same differently do not differ. Mistakes are told as by `check`.")]
    Diff {
        /// The catalog as it was
        old: PathBuf,
        /// The catalog as it shall be
        new: PathBuf,
    },
    /// Make a file the newest version of the server's catalog; says what it changes
    #[command(
        after_help = "Examples: look first, then apply what was looked at, from the new year on
  holdbook catalog apply tests/catalogs/creatify.yaml --validate-only
  holdbook catalog apply tests/catalogs/creatify.yaml --effective-at 2027-01-01T00:00:00Z --expect-version 3

Applied again the same file changes nothing. Mistakes are told as FILE:LINE:COLUMN: what, and the exit code is 2."
    )]
    Apply(ApplyArgs),
    /// A version of the server's catalog, with its text
    #[command(after_help = "Example: the text of the version in force, as a file
  holdbook --output json catalog get | jq -r .yaml > catalog.yaml")]
    Get {
        /// Which [default: the one in force now]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        version: Option<u64>,
    },
}

/// A catalog to apply.
#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    /// The catalog
    file: PathBuf,
    /// Check and compare only
    #[arg(long)]
    validate_only: bool,
    /// When it takes effect, not before the newest version does [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    effective_at: Option<prost_types::Timestamp>,
    /// Only if this is the newest version, 0 for none [default: whatever is]
    #[arg(long, value_name = "N")]
    expect_version: Option<u64>,
}

/// A catalog's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What is wrong in it, or in both.
    #[error(transparent)]
    Mistakes(#[from] FileMistakes),
    /// It cannot be written out.
    #[error("cannot compare: {0}")]
    Compare(#[from] serde_json::Error),
}

/// What is wrong, and in which file. Never empty.
#[derive(Debug, thiserror::Error)]
pub struct FileMistakes(Vec<(PathBuf, Mistake)>);

impl fmt::Display for FileMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (path, mistake)) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n" };
            write!(f, "{gap}{}:{mistake}", path.display())?;
        }
        Ok(())
    }
}

impl FileMistakes {
    /// For a program.
    pub(super) fn record(&self) -> Record {
        let row = |(path, mistake): &(PathBuf, Mistake)| {
            Record::of([
                ("file", Value::Text(path.display().to_string())),
                ("line", count(mistake.place.line)),
                ("column", count(mistake.place.column)),
                ("what", Value::Text(mistake.what.clone())),
            ])
        };
        Record::of([(
            "mistakes",
            Value::Rows(
                self.0.iter().map(row).collect(),
                &["file", "line", "column", "what"],
            ),
        )])
    }
}

/// Does it.
pub(super) async fn run(
    server: &ServerArgs,
    command: CatalogCommand,
) -> Result<Record, ClientError> {
    match command {
        CatalogCommand::Check { file } => Ok(file::check(&file)?),
        CatalogCommand::Diff { old, new } => Ok(file::compare(&old, &new)?),
        CatalogCommand::Apply(args) => served::apply(server, args).await,
        CatalogCommand::Get { version } => served::get(server, version).await,
    }
}

/// A line or a column is far below what 64 bits hold.
fn count(number: usize) -> Value {
    Value::Count(u64::try_from(number).unwrap_or(u64::MAX))
}

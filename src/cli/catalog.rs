//! `holdbook catalog`: catalogs as files, without a server.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use clap::Subcommand;

use super::show::{Record, Value};
use crate::pricing::{
    Catalog, Mistake,
    diff::{Change, diff},
    meter::Meter,
    plan::Plan,
};

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
pub(super) fn run(command: &CatalogCommand) -> Result<Record, CatalogError> {
    match command {
        CatalogCommand::Check { file } => Ok(summary(&read(file)??)),
        CatalogCommand::Diff { old, new } => match (read(old)?, read(new)?) {
            (Ok(old), Ok(new)) => Ok(changes(&diff(Some(&old), &new)?)),
            (Err(one), Err(other)) => {
                let both = one.0.into_iter().chain(other.0);
                Err(FileMistakes(both.collect()).into())
            }
            (Err(one), _) | (_, Err(one)) => Err(one.into()),
        },
    }
}

fn read(path: &Path) -> Result<Result<Catalog, FileMistakes>, CatalogError> {
    let text = fs::read_to_string(path).map_err(|error| CatalogError::File {
        path: path.to_owned(),
        error,
    })?;
    let named = |mistake| (path.to_owned(), mistake);
    Ok(Catalog::read(&text)
        .map_err(|mistakes| FileMistakes(mistakes.0.into_iter().map(named).collect())))
}

fn summary(catalog: &Catalog) -> Record {
    let meters = catalog
        .meters
        .iter()
        .flat_map(|(name, meter)| prices(name, meter))
        .collect();
    let plans = catalog
        .plans
        .iter()
        .map(|(name, it)| plan(name, it))
        .collect();
    let pack = |(name, pack): (&String, &crate::pricing::catalog::Pack)| {
        let price = catalog
            .pack_price(name, None)
            .map_or(Value::Absent, |price| Value::Amount(price.to_string()));
        Record::of([
            ("pack", Value::text(name)),
            ("credits", Value::Amount(pack.credits.to_string())),
            ("price", price),
        ])
    };
    Record::of([
        ("catalog", Value::text(&catalog.name)),
        ("currency", Value::text(&catalog.currency)),
        (
            "meters",
            Value::Rows(meters, &["meter", "when", "price", "increment", "unit"]),
        ),
        (
            "plans",
            Value::Rows(plans, &["plan", "allowance", "cycle", "price", "by_year"]),
        ),
        (
            "packs",
            Value::Rows(
                catalog.packs.iter().map(pack).collect(),
                &["pack", "credits", "price"],
            ),
        ),
    ])
}

fn prices<'a>(name: &'a str, meter: &'a Meter) -> impl Iterator<Item = Record> + 'a {
    meter.prices.0.iter().map(move |row| {
        Record::of([
            ("meter", Value::text(name)),
            ("when", Value::Text(row.to_string())),
            ("price", Value::Amount(row.price.to_string())),
            ("increment", Value::Amount(meter.increment.to_string())),
            ("unit", Value::text(&meter.unit)),
        ])
    })
}

fn plan(name: &str, plan: &Plan) -> Record {
    let by_year = plan
        .yearly_price()
        .map_or(Value::Absent, |price| Value::Amount(price.to_string()));
    Record::of([
        ("plan", Value::text(name)),
        ("allowance", Value::Amount(plan.allowance.to_string())),
        ("cycle", Value::Text(plan.cycle.to_string())),
        (
            "price",
            plan.price
                .map_or(Value::Absent, |price| Value::Amount(price.to_string())),
        ),
        ("by_year", by_year),
    ])
}

fn changes(changes: &[Change]) -> Record {
    let text = |text: &Option<String>| {
        text.as_ref()
            .map_or(Value::Absent, |text| Value::Text(text.clone()))
    };
    let row = |change: &Change| {
        let kind = match (&change.old, &change.new) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        Record::of([
            ("change", Value::text(kind)),
            ("what", Value::text(&change.what)),
            ("old", text(&change.old)),
            ("new", text(&change.new)),
        ])
    };
    Record::of([(
        "changes",
        Value::Rows(
            changes.iter().map(row).collect(),
            &["change", "what", "old", "new"],
        ),
    )])
}

/// A line or a column is far below what 64 bits hold.
fn count(number: usize) -> Value {
    Value::Count(u64::try_from(number).unwrap_or(u64::MAX))
}

//! Catalogs as files, read and compared without a server.

use std::{fs, path::Path};

use super::{CatalogError, FileMistakes};
use crate::{
    cli::show::{Record, Value},
    pricing::{
        Catalog,
        diff::{Change, diff},
        meter::Meter,
        plan::Plan,
        warnings,
    },
};

/// A summary.
pub(super) fn check(file: &Path) -> Result<Record, CatalogError> {
    Ok(summary(&read(file)??))
}

/// What differs, and what somebody will meet.
pub(super) fn compare(old: &Path, new: &Path) -> Result<Record, CatalogError> {
    match (read(old)?, read(new)?) {
        (Ok(old), Ok(new)) => Ok(Record::of([
            ("changes", changes(diff(Some(&old), &new)?)),
            ("warnings", told(warnings(&old, &new))),
        ])),
        (Err(one), Err(other)) => {
            let both = one.0.into_iter().chain(other.0);
            Err(FileMistakes(both.collect()).into())
        }
        (Err(one), _) | (_, Err(one)) => Err(one.into()),
    }
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, CatalogError> {
    fs::read_to_string(path).map_err(|error| CatalogError::File {
        path: path.to_owned(),
        error,
    })
}

fn read(path: &Path) -> Result<Result<Catalog, FileMistakes>, CatalogError> {
    let text = text(path)?;
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

/// Facts that differ.
pub(super) fn changes(changes: Vec<Change>) -> Value {
    let text = |text: Option<String>| text.map_or(Value::Absent, Value::Text);
    let row = |change: Change| {
        let kind = match (&change.old, &change.new) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        Record::of([
            ("change", Value::text(kind)),
            ("what", Value::text(&change.what)),
            ("old", text(change.old)),
            ("new", text(change.new)),
        ])
    };
    Value::Rows(
        changes.into_iter().map(row).collect(),
        &["change", "what", "old", "new"],
    )
}

/// Warnings, one a row.
pub(super) fn told(warnings: Vec<String>) -> Value {
    let row = |warning| Record::of([("warning", Value::Text(warning))]);
    Value::Rows(warnings.into_iter().map(row).collect(), &["warning"])
}

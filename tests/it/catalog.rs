//! Catalogs: five products' prices and plans as files, what they say, and what is said of broken ones.

mod applied;
mod broken;
mod capped;
mod choices;
mod command;
mod customer;
mod docs;
mod metered;
mod mutated;
mod priced;
mod prices;
mod products;
mod quotes;
mod renewed;
mod shop;
mod sold;
mod subscribed;
mod tables;
mod typed;
mod usages;

use std::{fs, path::PathBuf};

use holdbook::pricing::Catalog;

/// The five products.
const PRODUCTS: [&str; 5] = [
    "json2video",
    "studio",
    "scriptkit",
    "creatify",
    "openai-prepaid",
];

/// A file under `tests/catalogs`.
fn path(name: &str) -> PathBuf {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "catalogs"]
        .iter()
        .collect();
    folder.join(name)
}

fn text(name: &str) -> String {
    let path = path(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A product's catalog.
pub fn product(name: &str) -> Catalog {
    let file = format!("{name}.yaml");
    Catalog::read(&text(&file)).unwrap_or_else(|mistakes| panic!("{file}:\n{mistakes}"))
}

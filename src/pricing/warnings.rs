//! What somebody will meet when one catalog follows another: it is allowed, and said.

use std::collections::BTreeMap;

use super::{Catalog, meter::Meter};

/// What is no longer sold or known, and what now means something else. Prices that change are no warning.
#[must_use]
pub fn warnings(old: &Catalog, new: &Catalog) -> Vec<String> {
    let mut found = Vec::new();
    if old.name != new.name {
        found.push(format!(
            "this is the catalog \"{}\", the one before is \"{}\"",
            new.name, old.name
        ));
    }
    if old.currency != new.currency {
        found.push(format!(
            "currency: money was {} and is {}",
            old.currency, new.currency
        ));
    }
    let mut gone = |of: &str, names: Vec<&String>, what: &str| {
        found.extend(names.iter().map(|name| format!("{of}.{name}: {what}")));
    };
    gone(
        "meters",
        missing(&old.meters, &new.meters),
        "is gone: a usage of it is refused",
    );
    gone(
        "overrides",
        missing(&old.overrides, &new.overrides),
        "is gone: a quote that names it is refused",
    );
    gone(
        "contracts",
        missing(&old.contracts, &new.contracts),
        "is gone: the account pays what everybody pays",
    );
    gone(
        "plans",
        missing(&old.plans, &new.plans),
        "is gone: nobody can come to it any more",
    );
    gone(
        "packs",
        missing(&old.packs, &new.packs),
        "is gone: it cannot be bought any more",
    );
    gone(
        "trust_tiers",
        missing(&old.trust_tiers, &new.trust_tiers),
        "is gone: its bound is unknown",
    );
    for (name, old) in &old.meters {
        if let Some(new) = new.meters.get(name) {
            found.extend(of_meter(name, old, new));
        }
    }
    found
}

fn missing<'a, T>(old: &'a BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Vec<&'a String> {
    old.keys().filter(|name| !new.contains_key(*name)).collect()
}

fn of_meter(name: &str, old: &Meter, new: &Meter) -> Vec<String> {
    let mut found = Vec::new();
    if old.unit != new.unit {
        found.push(format!(
            "meters.{name}.unit: a quantity was in {} and is in {}",
            old.unit, new.unit
        ));
    }
    for attribute in &new.attributes {
        if !old.attributes.iter().any(|it| it.name == attribute.name) {
            found.push(format!(
                "meters.{name}.attributes.{}: is new: a usage without it may be refused",
                attribute.name
            ));
        }
    }
    for attribute in &old.attributes {
        let place = format!("meters.{name}.attributes.{}", attribute.name);
        let Some(same) = new.attributes.iter().find(|it| it.name == attribute.name) else {
            found.push(format!("{place}: is gone: a usage that says it is refused"));
            continue;
        };
        for value in &attribute.values {
            if !same.values.iter().any(|known| known.covers(value)) {
                found.push(format!(
                    "{place}.{value}: is gone: a usage of it is refused"
                ));
            }
        }
    }
    found
}

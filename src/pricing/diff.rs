//! What differs between two catalogs: each price, each setting of a plan, with its old and its new value.
//!
//! Both are written out as facts, defaults included, so two files that say the same differently do not differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Catalog;

/// One fact that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which, as `plans.starter.allowance` or `meters.render.prices.resolution=hd`.
    pub what: String,
    /// As it was; `None`: there was none.
    pub old: Option<String>,
    /// As it is; `None`: there is none any more.
    pub new: Option<String>,
}

/// All that differs, by name; everything, where there was no catalog before.
///
/// # Errors
/// A catalog that cannot be written out, which none is.
pub fn diff(old: Option<&Catalog>, new: &Catalog) -> Result<Vec<Change>, serde_json::Error> {
    let old = old.map(facts).transpose()?.unwrap_or_default();
    let new = facts(new)?;
    let all: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |what: &String| {
        let (old, new) = (old.get(what).cloned(), new.get(what).cloned());
        (old != new).then(|| Change {
            what: what.clone(),
            old,
            new,
        })
    };
    Ok(all.into_iter().filter_map(change).collect())
}

fn facts(catalog: &Catalog) -> Result<BTreeMap<String, String>, serde_json::Error> {
    let mut facts = BTreeMap::new();
    collect(&serde_json::to_value(catalog)?, "", &mut facts);
    Ok(facts)
}

/// What is absent or empty is no fact: it shows as added or removed when the other side has it.
fn collect(value: &Value, name: &str, facts: &mut BTreeMap<String, String>) {
    if let Value::Object(fields) = value {
        for (field, value) in fields {
            let gap = if name.is_empty() { "" } else { "." };
            collect(value, &format!("{name}{gap}{field}"), facts);
        }
        return;
    }
    let text = text(value);
    if !text.is_empty() {
        facts.insert(name.to_owned(), text);
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let nested = values.iter().any(Value::is_array);
            let texts: Vec<_> = values.iter().map(text).collect();
            texts.join(if nested { "; " } else { ", " })
        }
        other => other.to_string(),
    }
}

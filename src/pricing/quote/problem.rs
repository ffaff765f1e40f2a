//! What is wrong with a usage, with what the catalog knows.

use crate::{
    domain::credits::Credits,
    pricing::meter::{Attribute, Meter},
};

/// One thing that is wrong with a usage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// The field of the request, as `usage[0].attributes.model`.
    pub field: String,
    /// What is wrong, and what is known or allowed.
    pub what: String,
}

/// Every problem of a usage. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|it| format!("{}: {}", it.field, it.what)).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    fn of(item: usize, field: &str, what: String) -> Self {
        Self {
            field: format!("usage[{item}]{field}"),
            what,
        }
    }

    pub(super) fn meter<'a>(item: usize, name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let what = format!("unknown meter \"{name}\"; known: {}", join(known));
        Self::of(item, ".meter", what)
    }

    pub(super) fn attribute(item: usize, name: &str, meter: &Meter) -> Self {
        let known = join(meter.attributes.iter().map(|it| it.name.as_str()));
        let what = if known.is_empty() {
            format!("unknown attribute \"{name}\"; the meter has none")
        } else {
            format!("unknown attribute \"{name}\"; known: {known}")
        };
        Self::of(item, &format!(".attributes.{name}"), what)
    }

    pub(super) fn missing(item: usize, attribute: &Attribute) -> Self {
        let Attribute { name, .. } = attribute;
        let what = format!("missing; known values of {name}: {}", values(attribute));
        Self::of(item, &format!(".attributes.{name}"), what)
    }

    pub(super) fn value(item: usize, attribute: &Attribute, value: &str) -> Self {
        let Attribute { name, .. } = attribute;
        let what = format!("unknown {name} \"{value}\"; known: {}", values(attribute));
        Self::of(item, &format!(".attributes.{name}"), what)
    }

    pub(super) fn price_needed(item: usize, min: Credits, max: Credits) -> Self {
        let what = format!("missing; the price is from {min} to {max}, and only the run knows it");
        Self::of(item, ".price", what)
    }

    pub(super) fn price_outside(item: usize, price: Credits, min: Credits, max: Credits) -> Self {
        let what = format!("{price} is not from {min} to {max}");
        Self::of(item, ".price", what)
    }

    pub(super) fn price_fixed(item: usize) -> Self {
        Self::of(item, ".price", "the catalog fixes this price".to_owned())
    }

    pub(super) fn no_price(item: usize) -> Self {
        Self::of(item, "", "the catalog has no price for it".to_owned())
    }

    pub(super) fn too_large(item: usize) -> Self {
        let what = format!("comes to more than {}", Credits::MAX);
        Self::of(item, ".quantity", what)
    }

    pub(super) fn total_too_large() -> Self {
        Self {
            field: "usage".to_owned(),
            what: format!("comes to more than {}", Credits::MAX),
        }
    }

    pub(super) fn price_list<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self {
            field: "override".to_owned(),
            what: format!("unknown override \"{name}\"; known: {}", join(known)),
        }
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn values(attribute: &Attribute) -> String {
    let values: Vec<_> = attribute.values.iter().map(ToString::to_string).collect();
    values.join(", ")
}

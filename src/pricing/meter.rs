//! Meters: what is counted, and what it costs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Serialize, Serializer};

use super::{
    amount::Quantity,
    words::{Counted, Known, LimitedBy, Rounding, TierMode},
};
use crate::domain::credits::Credits;

/// More combinations of attributes cannot be looked through while somebody waits.
pub(super) const COMBINATIONS_MAX: usize = 10_000;

/// Something that is counted and has a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meter {
    /// What is counted: `second`, `image`, `token`.
    pub unit: String,
    /// So many units are counted at once.
    pub increment: Quantity,
    /// How a started increment is counted; `None`: exactly.
    pub rounding: Option<Rounding>,
    /// Where increments are rounded.
    pub counted: Counted,
    /// Decimal places of a line's amount.
    pub decimals: u32,
    /// How a line's amount is brought to them.
    pub amount_rounding: Rounding,
    /// What the price depends on, the most important first.
    #[serde(serialize_with = "by_name")]
    pub attributes: Vec<Attribute>,
    /// The prices.
    pub prices: Prices,
    /// The plan's limits that an item is compared with.
    pub limited_by: Vec<LimitedBy>,
    /// The features that a plan must have.
    pub features: Vec<String>,
    /// The capacities that must not be full.
    pub capacities: Vec<String>,
}

/// A property of an item that its price depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attribute {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// Its values.
    pub values: Vec<Pattern>,
    /// Whether a quote may be without it.
    pub known: Known,
}

/// One value, or all that begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// This value.
    Exact(String),
    /// Every longer value that begins so; written with a `*` at its end.
    Prefix(String),
}

impl Pattern {
    /// Reads `hd` or `instagram-*`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(start) => Self::Prefix(start.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether all that the other matches is matched.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Exact(_), Self::Prefix(_)) => false,
            (Self::Prefix(start), Self::Exact(value)) => {
                value.len() > start.len() && value.starts_with(start.as_str())
            }
            (Self::Prefix(start), Self::Prefix(other)) => other.starts_with(start.as_str()),
        }
    }

    /// The greater, the more is said.
    fn weight(&self) -> usize {
        match self {
            Self::Exact(_) => usize::MAX,
            Self::Prefix(start) => 1 + start.len(),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(value) => f.write_str(value),
            Self::Prefix(start) => write!(f, "{start}*"),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The prices of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices(pub Vec<Row>);

/// A price and the attributes that it is for; what is not named may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The attributes.
    pub when: BTreeMap<String, Pattern>,
    /// The price.
    pub price: Price,
}

impl Row {
    /// Whether the row is for these values.
    #[must_use]
    pub fn covers(&self, values: &BTreeMap<&str, Pattern>) -> bool {
        self.when.iter().all(|(name, pattern)| {
            values
                .get(name.as_str())
                .is_some_and(|value| pattern.covers(value))
        })
    }

    /// What the row says of each attribute, in the meter's order.
    fn weights(&self, attributes: &[Attribute]) -> Vec<usize> {
        let weight =
            |attribute: &Attribute| self.when.get(&attribute.name).map_or(0, Pattern::weight);
        attributes.iter().map(weight).collect()
    }
}

/// `any`, or `resolution=hd, model=pro`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.when.is_empty() {
            return f.write_str("any");
        }
        let pairs: Vec<_> = self
            .when
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        f.write_str(&pairs.join(", "))
    }
}

impl Prices {
    /// Whether a price is exact only afterwards.
    #[must_use]
    pub fn has_ranges(&self) -> bool {
        let mut prices = self.0.iter().map(|row| &row.price);
        prices.any(|price| matches!(price, Price::Range { .. }))
    }

    /// The row for these values: of the first attribute that rows differ in, the one that says more: a value before a
    /// beginning, a longer beginning before a shorter, anything last. The rows' order does not matter.
    #[must_use]
    pub fn find(
        &self,
        attributes: &[Attribute],
        values: &BTreeMap<&str, Pattern>,
    ) -> Option<usize> {
        let fitting = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, row)| row.covers(values));
        fitting
            .max_by_key(|(_, row)| row.weights(attributes))
            .map(|(at, _)| at)
    }
}

impl Prices {
    /// Every combination of the values that these attributes declare or rows name; `None`: too many.
    pub(super) fn combinations<'a>(
        &self,
        attributes: &[&'a Attribute],
    ) -> Option<Vec<BTreeMap<&'a str, Pattern>>> {
        let mut all = vec![BTreeMap::new()];
        for attribute in attributes {
            let named = self
                .0
                .iter()
                .filter_map(|row| row.when.get(&attribute.name));
            let values: BTreeSet<_> = attribute.values.iter().chain(named).collect();
            if all.len() * values.len() > COMBINATIONS_MAX {
                return None;
            }
            let mut longer = Vec::with_capacity(all.len() * values.len());
            for known in &all {
                for value in &values {
                    let mut known: BTreeMap<&'a str, Pattern> = known.clone();
                    known.insert(attribute.name.as_str(), (*value).clone());
                    longer.push(known);
                }
            }
            all = longer;
        }
        Some(all)
    }
}

/// Rows by what they are for, so that two versions of a catalog can be compared row by row.
impl Serialize for Prices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|row| (row.to_string(), &row.price)))
    }
}

/// The price of an increment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Price {
    /// Always the same.
    Flat(Credits),
    /// Known exactly only when the job is done.
    Range {
        /// At least.
        min: Credits,
        /// At most.
        max: Credits,
    },
    /// By quantity.
    Tiers {
        /// How.
        mode: TierMode,
        /// From the first.
        steps: Vec<Step>,
    },
}

/// One tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Up to and with this quantity; the last has no end.
    pub up_to: Option<Quantity>,
    /// The price of an increment in it.
    pub price: Credits,
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat(price) => write!(f, "{price}"),
            Self::Range { min, max } => write!(f, "{min} to {max}"),
            Self::Tiers { mode, steps } => {
                f.write_str(match mode {
                    TierMode::Graduated => "graduated",
                    TierMode::Volume => "volume",
                })?;
                for Step { up_to, price } in steps {
                    match up_to {
                        Some(end) => write!(f, ", {price} up to {end}")?,
                        None => write!(f, ", then {price}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn by_name<S: Serializer>(attributes: &[Attribute], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|it| (&it.name, it)))
}

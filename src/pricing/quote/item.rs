//! One item of a usage: checked against its meter, and the prices that it can have.

use std::collections::BTreeMap;

use super::{Item, problem::Problem};
use crate::pricing::{
    meter::{Attribute, Meter, Pattern, Price, Prices},
    words::Known,
};

/// What an item is priced with.
pub(super) struct Priced<'a> {
    pub(super) item: &'a Item,
    pub(super) meter: &'a Meter,
    /// The row of each price that it can have: one, if all its attributes are known.
    pub(super) rows: Vec<usize>,
    pub(super) prices: &'a Prices,
}

impl<'a> Priced<'a> {
    /// Looks an item up; `done`: the job has run, so everything about it is known.
    pub(super) fn new(
        at: usize,
        item: &'a Item,
        (meter, prices): (&'a Meter, &'a Prices),
        done: bool,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let given = |name: &String| meter.attributes.iter().any(|it| it.name == *name);
        for name in item.attributes.keys().filter(|name| !given(name)) {
            problems.push(Problem::attribute(at, name, meter));
        }
        // Of a job that made nothing, nothing more is asked.
        let may_miss =
            |attribute: &Attribute| attribute.known == Known::After && (!done || item.is_nothing());
        let (mut values, mut open) = (BTreeMap::new(), Vec::new());
        for attribute in &meter.attributes {
            let Some(value) = item.attributes.get(&attribute.name) else {
                if may_miss(attribute) {
                    open.push(attribute);
                } else {
                    problems.push(Problem::missing(at, attribute));
                }
                continue;
            };
            let pattern = Pattern::Exact(value.clone());
            if attribute.values.iter().any(|known| known.covers(&pattern)) {
                values.insert(attribute.name.as_str(), pattern);
            } else {
                problems.push(Problem::value(at, attribute, value));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let rows = rows(meter, prices, &values, &open);
        let priced = Self {
            item,
            meter,
            rows,
            prices,
        };
        match priced.own_price(at, done) {
            Some(problem) => Err(vec![problem]),
            None => Ok(priced),
        }
    }

    /// The prices that it can have.
    pub(super) fn prices(&self) -> impl Iterator<Item = Price> + '_ {
        let row = |row: &usize| Some(self.prices.0.get(*row)?.price.clone());
        self.rows
            .iter()
            .filter_map(row)
            .filter_map(|price| match (self.item.price, price) {
                (Some(own), Price::Range { min, max }) => {
                    (min..=max).contains(&own).then_some(Price::Flat(own))
                }
                (_, price) => Some(price),
            })
    }

    /// Whether the item says its price exactly where it must and may.
    fn own_price(&self, at: usize, done: bool) -> Option<Problem> {
        let prices = self.rows.iter().filter_map(|row| self.prices.0.get(*row));
        let ranges: Vec<_> = prices
            .filter_map(|row| match row.price {
                Price::Range { min, max } => Some((min, max)),
                Price::Flat(_) | Price::Tiers { .. } => None,
            })
            .collect();
        let bounds = ranges
            .iter()
            .copied()
            .reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
        match (self.item.price, bounds) {
            _ if self.rows.is_empty() => Some(Problem::no_price(at)),
            (None, None) => None,
            (None, Some((min, max))) => {
                (done && !self.item.is_nothing()).then(|| Problem::price_needed(at, min, max))
            }
            (Some(_), None) => Some(Problem::price_fixed(at)),
            (Some(own), Some((min, max))) => {
                let fits = ranges.iter().any(|(min, max)| (*min..=*max).contains(&own));
                (!fits).then(|| Problem::price_outside(at, own, min, max))
            }
        }
    }
}

/// The rows for what is known and everything that the rest could be.
fn rows(
    meter: &Meter,
    prices: &Prices,
    values: &BTreeMap<&str, Pattern>,
    open: &[&Attribute],
) -> Vec<usize> {
    // Reading the catalog has bounded these.
    let combinations = prices.combinations(open).unwrap_or_default();
    let mut rows: Vec<_> = combinations
        .into_iter()
        .filter_map(|mut all| {
            all.extend(values.iter().map(|(name, value)| (*name, value.clone())));
            prices.find(&meter.attributes, &all)
        })
        .collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

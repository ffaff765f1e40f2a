//! What a usage costs: the range before a job, the exact charge after it.
//!
//! A quote of a usage is never below the charge of the same usage, or of less of it: that is why a hold of the quote's
//! maximum is enough. Nothing is looked up and nothing is changed.

mod arithmetic;
mod item;
mod problem;

use std::collections::BTreeMap;

pub use self::problem::{Problem, Problems};
use self::{arithmetic::bounds, item::Priced};
use super::{
    Catalog,
    amount::Quantity,
    meter::{Meter, Price},
    words::Counted,
};
use crate::domain::credits::Credits;

/// So much of one meter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The meter.
    pub meter: String,
    /// How much, in its unit.
    pub quantity: Quantity,
    /// What its price depends on.
    pub attributes: BTreeMap<String, String>,
    /// The price that the run came to, where the catalog's is a range.
    pub price: Option<Credits>,
}

impl Item {
    fn is_nothing(&self) -> bool {
        self.quantity == Quantity::ZERO
    }
}

/// One line of a quote or a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<Amount> {
    /// The meter.
    pub meter: String,
    /// The items that it is for, by their place in the usage: more than one where the meter adds them up.
    pub items: Vec<usize>,
    /// How much was asked for.
    pub quantity: Quantity,
    /// How much of it is charged, in whole increments.
    pub charged: Quantity,
    /// What it costs.
    pub amount: Amount,
}

/// From and to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// The least that the usage costs.
    pub minimum: Credits,
    /// The most that it, or less of it, costs.
    pub maximum: Credits,
}

/// What a usage will cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The lines.
    pub lines: Vec<Line<Between>>,
    /// Their sum.
    pub total: Between,
}

/// What a usage has cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The lines.
    pub lines: Vec<Line<Credits>>,
    /// Their sum.
    pub total: Credits,
}

impl Catalog {
    /// The name of an account's own prices, if it has any.
    #[must_use]
    pub fn contract(&self, account: &str) -> Option<&str> {
        self.contracts.get(account).map(String::as_str)
    }

    /// What a usage will cost an account that has these prices of its own, or none.
    ///
    /// # Errors
    /// All that is unknown, missing or too large.
    pub fn quote(&self, usage: &[Item], own: Option<&str>) -> Result<Quote, Problems> {
        let lines = self.lines(usage, own, false)?;
        let minimum = total(lines.iter().map(|line| line.amount.minimum))?;
        let maximum = total(lines.iter().map(|line| line.amount.maximum))?;
        let total = Between { minimum, maximum };
        Ok(Quote { lines, total })
    }

    /// What a usage has cost: everything about it is known now.
    ///
    /// # Errors
    /// All that is unknown, missing or too large.
    pub fn charge(&self, usage: &[Item], own: Option<&str>) -> Result<Charge, Problems> {
        let lines = self.lines(usage, own, true)?;
        let exact = |line: Line<Between>| Line {
            meter: line.meter,
            items: line.items,
            quantity: line.quantity,
            charged: line.charged,
            // Of what is known exactly the least is what it costs; the most may be that of a little less (volume tiers).
            amount: line.amount.minimum,
        };
        let lines: Vec<_> = lines.into_iter().map(exact).collect();
        let total = total(lines.iter().map(|line| line.amount))?;
        Ok(Charge { lines, total })
    }

    fn lines(
        &self,
        usage: &[Item],
        own: Option<&str>,
        done: bool,
    ) -> Result<Vec<Line<Between>>, Problems> {
        let own = own.map(|name| {
            let known = || self.overrides.keys().map(String::as_str);
            let found = self.overrides.get(name);
            found.ok_or_else(|| Problems(vec![Problem::price_list(name, known())]))
        });
        let own = own.transpose()?;
        let (mut parts, mut problems) = (Vec::<Part<'_>>::new(), Vec::new());
        for (at, item) in usage.iter().enumerate() {
            let Some(meter) = self.meters.get(&item.meter) else {
                let known = self.meters.keys().map(String::as_str);
                problems.push(Problem::meter(at, &item.meter, known));
                continue;
            };
            let prices = own
                .and_then(|own| own.get(&item.meter))
                .unwrap_or(&meter.prices);
            match Priced::new(at, item, (meter, prices), done) {
                Ok(priced) => add(&mut parts, at, &priced),
                Err(more) => problems.extend(more),
            }
        }
        let mut lines = Vec::new();
        for part in parts {
            match part.line() {
                Some(line) => lines.push(line),
                None => problems.push(Problem::too_large(
                    part.items.first().copied().unwrap_or_default(),
                )),
            }
        }
        if problems.is_empty() {
            Ok(lines)
        } else {
            Err(Problems(problems))
        }
    }
}

/// What becomes a line.
struct Part<'a> {
    name: &'a str,
    meter: &'a Meter,
    items: Vec<usize>,
    /// `None`: more than a quantity can be.
    quantity: Option<Quantity>,
    rows: Vec<usize>,
    prices: Vec<Price>,
}

/// Adds an item to the line of its price, if its meter adds up, or makes it a line.
fn add<'a>(parts: &mut Vec<Part<'a>>, at: usize, priced: &Priced<'a>) {
    let (item, meter) = (priced.item, priced.meter);
    let same = |part: &&mut Part<'_>| {
        meter.counted == Counted::Aggregated && part.name == item.meter && part.rows == priced.rows
    };
    match parts.iter_mut().find(same) {
        Some(part) => {
            part.items.push(at);
            part.quantity = part.quantity.and_then(|sum| sum.plus(item.quantity));
        }
        None => parts.push(Part {
            name: &item.meter,
            meter,
            items: vec![at],
            quantity: Some(item.quantity),
            rows: priced.rows.clone(),
            prices: priced.prices().collect(),
        }),
    }
}

impl Part<'_> {
    /// `None` if it comes to more than an account can hold.
    fn line(&self) -> Option<Line<Between>> {
        let quantity = self.quantity?;
        let charged = arithmetic::charged(self.meter, quantity)?;
        let each = self
            .prices
            .iter()
            .map(|price| bounds(self.meter, price, charged));
        let each = each.collect::<Option<Vec<_>>>()?;
        let amount = Between {
            minimum: each.iter().map(|it| it.minimum).min()?,
            maximum: each.iter().map(|it| it.maximum).max()?,
        };
        Some(Line {
            meter: self.name.to_owned(),
            items: self.items.clone(),
            quantity,
            charged,
            amount,
        })
    }
}

fn total(amounts: impl Iterator<Item = Credits>) -> Result<Credits, Problems> {
    let mut sum = Credits::ZERO;
    for amount in amounts {
        // Both are at most the maximum, and twice that is far below what 64 bits hold.
        sum += amount;
        if sum > Credits::MAX {
            return Err(Problems(vec![Problem::total_too_large()]));
        }
    }
    Ok(sum)
}

//! The prices of a meter, or those that an account has instead.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{
    super::{
        amount::Quantity,
        meter::{Attribute, COMBINATIONS_MAX, Pattern, Price, Prices, Row, Step},
        mistake::Place,
        yaml::{Key, Node, Value},
    },
    Fields, Reader,
    names::unknown,
};

/// What a price is read against.
pub(super) struct Priced<'a> {
    /// `None`: they are wrong, and nothing is compared with them.
    pub(super) attributes: Option<&'a [Attribute]>,
    pub(super) increment: Quantity,
}

impl Reader {
    /// Exactly one of `price`, `tiers` and `prices`.
    pub(super) fn prices(
        &mut self,
        fields: &mut Fields<'_>,
        priced: &Priced<'_>,
    ) -> Option<Prices> {
        let given = [
            fields.get("price"),
            fields.get("tiers"),
            fields.get("prices"),
        ];
        match given {
            [Some(price), None, None] => Some(single(self.price(price)?)),
            [None, Some(tiers), None] => Some(single(self.tiers(tiers, priced)?)),
            [None, None, Some(rows)] => self.rows(rows, priced),
            _ => {
                self.wrong(
                    fields.place,
                    format!(
                        "{} needs exactly one of \"price\", \"tiers\" and \"prices\"",
                        fields.of
                    ),
                );
                None
            }
        }
    }

    /// A number, or `{min, max}`.
    fn price(&mut self, node: &Node) -> Option<Price> {
        if !matches!(node.value, Value::Map(_)) {
            return self.credits(node, "price").map(Price::Flat);
        }
        let mut fields = self.fields(node, "a range")?;
        let min = fields.required(self, "min", Self::credits);
        let max = fields.required(self, "max", Self::credits);
        fields.done(self);
        let (min, max) = (min?, max?);
        if min >= max {
            self.wrong(
                node.place,
                format!("a range from {min} to {max}: \"min\" must be below \"max\""),
            );
            return None;
        }
        Some(Price::Range { min, max })
    }

    fn tiers(&mut self, node: &Node, priced: &Priced<'_>) -> Option<Price> {
        let mut fields = self.fields(node, "tiers")?;
        let mode = fields.required(self, "mode", Self::word);
        let steps = fields.need(self, "steps");
        fields.done(self);
        let nodes = self.list(steps?, "steps")?;
        let steps: Vec<_> = nodes
            .iter()
            .map(|node| (node.place, self.step(node, priced.increment)))
            .collect();
        if steps.is_empty() {
            self.wrong(node.place, "tiers need at least one step");
        }
        let mut last = Quantity::ZERO;
        for (at, (place, step)) in steps.iter().enumerate() {
            let Some(Step { up_to, .. }) = step else {
                continue;
            };
            match (up_to, at + 1 == steps.len()) {
                (Some(_), true) => self.wrong(
                    *place,
                    "the last step has no \"up_to\": it is for all that is more",
                ),
                (None, false) => self.wrong(*place, "a step that is not the last needs \"up_to\""),
                (Some(end), false) if *end <= last => {
                    self.wrong(
                        *place,
                        format!("up_to: {end} is not above the step before, {last}"),
                    );
                }
                (Some(end), false) => last = *end,
                (None, true) => {}
            }
        }
        let steps = steps
            .into_iter()
            .map(|(_, step)| step)
            .collect::<Option<Vec<_>>>()?;
        Some(Price::Tiers { mode: mode?, steps })
    }

    fn step(&mut self, node: &Node, increment: Quantity) -> Option<Step> {
        let mut fields = self.fields(node, "a step")?;
        let end = fields.get("up_to");
        let up_to = end.and_then(|node| self.quantity(node, "up_to"));
        let price = fields.required(self, "price", Self::credits);
        fields.done(self);
        if let (Some(node), Some(end)) = (end, up_to)
            && increment > Quantity::ZERO
            && end.decimal() % increment.decimal() != Decimal::ZERO
        {
            self.wrong(
                node.place,
                format!("up_to: {end} is not a multiple of the increment {increment}"),
            );
            return None;
        }
        Some(Step {
            up_to,
            price: price?,
        })
    }

    fn rows(&mut self, node: &Node, priced: &Priced<'_>) -> Option<Prices> {
        let nodes = self.list(node, "prices")?;
        let read: Vec<_> = nodes
            .iter()
            .map(|node| (node.place, self.row(node, priced)))
            .collect();
        // A row that could not be read may have been the one that others are compared with.
        let places: Vec<_> = read.iter().map(|(place, _)| *place).collect();
        let rows = read
            .into_iter()
            .map(|(_, row)| row)
            .collect::<Option<Vec<_>>>()?;
        if rows.is_empty() {
            self.wrong(node.place, "prices need at least one row");
            return None;
        }
        for (at, row) in rows.iter().enumerate() {
            if let Some(first) = rows[..at].iter().position(|other| other.when == row.when) {
                let line = places[first].line;
                self.wrong(
                    places[at],
                    format!("a second price for {row}; the first is on line {line}"),
                );
            }
        }
        let prices = Prices(rows);
        if let Some(attributes) = priced.attributes {
            self.every_value_has_a_price(node.place, &places, &prices, attributes);
        }
        Some(prices)
    }

    fn row(&mut self, node: &Node, priced: &Priced<'_>) -> Option<Row> {
        let mut fields = self.fields(node, "a row of prices")?;
        let when = match fields.get("when") {
            Some(when) => self.when(when, priced.attributes),
            None => Some(BTreeMap::new()),
        };
        let price = match (fields.get("price"), fields.get("tiers")) {
            (Some(price), None) => self.price(price),
            (None, Some(tiers)) => self.tiers(tiers, priced),
            _ => {
                self.wrong(
                    node.place,
                    "a row of prices needs exactly one of \"price\" and \"tiers\"",
                );
                None
            }
        };
        fields.done(self);
        Some(Row {
            when: when?,
            price: price?,
        })
    }

    fn when(
        &mut self,
        node: &Node,
        attributes: Option<&[Attribute]>,
    ) -> Option<BTreeMap<String, Pattern>> {
        let mut found = Vec::new();
        for (key, value) in self.map(node, "when")? {
            let attribute = attributes.map(|known| self.attribute(key, known));
            let pattern = self.pattern(value, &key.text);
            let right = match (attribute, &pattern) {
                (Some(None), _) | (_, None) => false,
                (Some(Some(attribute)), Some(pattern)) => self.value(value, attribute, pattern),
                (None, Some(_)) => true,
            };
            found.push(pattern.filter(|_| right).map(|it| (key.text.clone(), it)));
        }
        found.into_iter().collect()
    }

    fn attribute<'a>(&mut self, key: &Key, known: &'a [Attribute]) -> Option<&'a Attribute> {
        let found = known.iter().find(|it| it.name == key.text);
        if found.is_none() {
            let names = known.iter().map(|it| it.name.as_str());
            self.wrong(key.place, unknown("attribute", &key.text, names));
        }
        found
    }

    /// Whether the attribute can have the value, or one of those that begin so.
    fn value(&mut self, node: &Node, attribute: &Attribute, pattern: &Pattern) -> bool {
        let mut values = attribute.values.iter();
        let fits = values.any(|known| known.covers(pattern) || pattern.covers(known));
        if !fits {
            let known: Vec<_> = attribute.values.iter().map(ToString::to_string).collect();
            let (what, name) = (format!("value of {}", attribute.name), pattern.to_string());
            self.wrong(
                node.place,
                unknown(&what, &name, known.iter().map(String::as_str)),
            );
        }
        fits
    }

    /// No declared value is without a price, and no price without a value that it is for.
    fn every_value_has_a_price(
        &mut self,
        place: Place,
        places: &[Place],
        prices: &Prices,
        attributes: &[Attribute],
    ) {
        let Some(combinations) = prices.combinations(&attributes.iter().collect::<Vec<_>>()) else {
            self.wrong(
                place,
                format!("more than {COMBINATIONS_MAX} combinations of attributes"),
            );
            return;
        };
        let mut used = BTreeSet::new();
        for values in combinations {
            if let Some(row) = prices.find(attributes, &values) {
                used.insert(row);
            } else if attributes
                .iter()
                .all(|it| it.values.contains(&values[it.name.as_str()]))
            {
                let pairs: Vec<_> = values
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                self.wrong(place, format!("no price for {}", pairs.join(", ")));
            }
        }
        for (at, row) in prices.0.iter().enumerate() {
            let twice = prices.0[..at]
                .iter()
                .chain(&prices.0[at + 1..])
                .any(|other| other.when == row.when);
            if !used.contains(&at) && !twice {
                self.wrong(
                    places[at],
                    format!(
                        "the price for {row} is never used: other rows say more for all its values"
                    ),
                );
            }
        }
    }
}

fn single(price: Price) -> Prices {
    Prices(vec![Row {
        when: BTreeMap::new(),
        price,
    }])
}

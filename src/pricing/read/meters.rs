//! Meters, and the prices that an account has instead of theirs.

use std::collections::BTreeMap;

use super::{
    super::{
        amount::{DECIMALS, Quantity},
        meter::{Attribute, Meter, Pattern, Prices},
        words::{Counted, Known, LimitedBy, Rounding},
        yaml::{Node, Value},
    },
    Fields, Reader,
    names::unknown,
    prices::Priced,
    top::Names,
};

/// A line's arithmetic is exact up to it; for more a larger unit is counted.
const INCREMENT_MAX: i64 = 1_000_000;

impl Reader {
    pub(super) fn meters(&mut self, node: &Node, names: &Names) -> BTreeMap<String, Meter> {
        let mut meters = BTreeMap::new();
        for (key, node) in self.named(node, "meters") {
            if let Some(meter) = self.meter(node, names) {
                meters.insert(key.text.clone(), meter);
            }
        }
        meters
    }

    fn meter(&mut self, node: &Node, names: &Names) -> Option<Meter> {
        let mut fields = self.fields(node, "a meter")?;
        let unit = fields.required(self, "unit", Self::name);
        let increment = match fields.get("increment") {
            Some(node) => self.increment(node),
            None => Quantity::from_micro(1_000_000),
        };
        let rounding = fields.optional(self, "rounding", |reader, node, name| {
            reader.word_or(node, name, "exact")
        });
        let counted = fields.optional(self, "counted", Self::word);
        let decimals = fields.optional(self, "amount_decimals", |reader, node, name| {
            reader.whole(node, name, 0, DECIMALS)
        });
        let amount_rounding = fields.optional(self, "amount_rounding", Self::word);
        let known = match fields.get("attributes") {
            Some(node) => self.attributes(node),
            None => Some(Vec::new()),
        };
        let priced = Priced {
            attributes: known.as_deref(),
            // A wrong increment has been told once.
            increment: increment.unwrap_or_default(),
        };
        let prices = self.prices(&mut fields, &priced);
        let right = known.is_some();
        let attributes = known.unwrap_or_default();
        let limited_by = self.limited_by(&mut fields, unit.as_deref(), &attributes, names);
        let features = fields
            .get("features")
            .map(|node| self.all_known(node, "feature", names.features.iter().map(String::as_str)));
        let capacities = fields.get("capacities").map(|node| {
            self.all_known(
                node,
                "capacity",
                names.capacities.keys().map(String::as_str),
            )
        });
        let counted = counted.unwrap_or(Counted::PerItem);
        if counted == Counted::Aggregated {
            self.aggregated(node, &attributes, prices.as_ref());
        }
        fields.done(self);
        Some(Meter {
            unit: unit?,
            increment: increment?,
            rounding: rounding.unwrap_or(Some(Rounding::Up)),
            counted,
            decimals: decimals.unwrap_or(DECIMALS),
            amount_rounding: amount_rounding.unwrap_or(Rounding::HalfEven),
            prices: prices?,
            attributes: right.then_some(attributes)?,
            limited_by,
            features: features.unwrap_or_default(),
            capacities: capacities.unwrap_or_default(),
        })
    }

    fn increment(&mut self, node: &Node) -> Option<Quantity> {
        let increment = self.quantity(node, "increment")?;
        let max = Quantity::from_micro(INCREMENT_MAX * 1_000_000)?;
        if increment == Quantity::ZERO || increment > max {
            self.wrong(
                node.place,
                format!("increment: {increment} is not above 0 and at most {max}"),
            );
            return None;
        }
        Some(increment)
    }

    /// What is added up must have one price, and that must be known beforehand.
    fn aggregated(&mut self, node: &Node, attributes: &[Attribute], prices: Option<&Prices>) {
        if let Some(late) = attributes.iter().find(|it| it.known == Known::After) {
            self.wrong(node.place, format!("\"counted: aggregated\" needs attributes that are known before; {} is known after", late.name));
        }
        let ranges = prices.is_some_and(Prices::has_ranges);
        if ranges {
            self.wrong(
                node.place,
                "\"counted: aggregated\" needs prices that are known before; one is a range",
            );
        }
    }

    /// `None` if there is a mistake: then nothing is compared with them.
    fn attributes(&mut self, node: &Node) -> Option<Vec<Attribute>> {
        let before = self.mistakes.len();
        let mut found = Vec::new();
        for (key, node) in self.named(node, "attributes") {
            let (values, known) = match &node.value {
                Value::Map(_) => {
                    let Some(mut fields) = self.fields(node, "an attribute") else {
                        continue;
                    };
                    let values = fields.need(self, "values");
                    let known = fields.optional(self, "known", Self::word);
                    fields.done(self);
                    (values, known)
                }
                _ => (Some(node), None),
            };
            let values = values
                .map(|node| self.values(node, &key.text))
                .unwrap_or_default();
            found.push(Attribute {
                name: key.text.clone(),
                values,
                known: known.unwrap_or(Known::Before),
            });
        }
        (self.mistakes.len() == before).then_some(found)
    }

    fn values(&mut self, node: &Node, name: &str) -> Vec<Pattern> {
        let mut values: Vec<Pattern> = Vec::new();
        let nodes = self.list(node, name).unwrap_or_default();
        if nodes.is_empty() && matches!(node.value, Value::List(_)) {
            self.wrong(node.place, format!("{name} needs at least one value"));
        }
        for node in nodes {
            let Some(pattern) = self.pattern(node, name) else {
                continue;
            };
            match values.iter().find(|other| other.covers(&pattern)) {
                Some(other) => self.wrong(
                    node.place,
                    format!("{name}: {pattern} is in {other} already"),
                ),
                None => values.push(pattern),
            }
        }
        values
    }

    pub(super) fn pattern(&mut self, node: &Node, name: &str) -> Option<Pattern> {
        self.read(node, name, |text| {
            let stars = text.matches('*').count();
            let right = !text.is_empty() && text.len() <= 64 && stars <= 1 && (stars == 0 || text.len() > 1 && text.ends_with('*'));
            right.then(|| Pattern::new(text)).ok_or_else(|| {
                "is no value: at most 64 letters, and `*` only once, at the end, after at least one letter".to_owned()
            })
        })
    }

    fn limited_by(
        &mut self,
        fields: &mut Fields<'_>,
        unit: Option<&str>,
        attributes: &[Attribute],
        names: &Names,
    ) -> Vec<LimitedBy> {
        let mut found = Vec::new();
        let Some(nodes) = fields
            .get("limited_by")
            .and_then(|node| self.list(node, "limited_by"))
        else {
            return found;
        };
        for node in nodes {
            match self.word(node, "limited_by") {
                Some(LimitedBy::Duration) if unit.is_some_and(|unit| unit != "second") => {
                    self.wrong(
                        node.place,
                        "limited_by: \"duration\" needs \"unit: second\"",
                    );
                }
                Some(LimitedBy::Resolution) => {
                    self.sized(node, attributes, names);
                    found.push(LimitedBy::Resolution);
                }
                Some(limit) => found.push(limit),
                None => {}
            }
        }
        found
    }

    /// Each value of the attribute `resolution` must have its place among the catalog's resolutions.
    fn sized(&mut self, node: &Node, attributes: &[Attribute], names: &Names) {
        let Some(attribute) = attributes.iter().find(|it| it.name == "resolution") else {
            self.wrong(
                node.place,
                "limited_by: \"resolution\" needs an attribute named resolution",
            );
            return;
        };
        for value in &attribute.values {
            if !names
                .resolutions
                .iter()
                .flatten()
                .any(|known| known.covers(value))
            {
                self.wrong(
                    node.place,
                    format!(
                        "limited_by: the resolution {value} is not in the catalog's \"resolutions\""
                    ),
                );
            }
        }
    }

    /// By name and meter.
    pub(super) fn overrides(
        &mut self,
        node: &Node,
        meters: &BTreeMap<String, Meter>,
        written: Option<&Node>,
    ) -> BTreeMap<String, BTreeMap<String, Prices>> {
        let mut overrides = BTreeMap::new();
        for (key, node) in self.named(node, "overrides") {
            let mut prices = BTreeMap::new();
            for (name, node) in self.map(node, "an override").unwrap_or_default() {
                let known = written.into_iter().flat_map(Node::keys);
                if !known.clone().any(|meter| meter == name.text) {
                    self.wrong(name.place, unknown("meter", &name.text, known));
                } else if let Some(meter) = meters.get(&name.text)
                    && let Some(found) = self.overridden(node, meter)
                {
                    prices.insert(name.text.clone(), found);
                }
            }
            overrides.insert(key.text.clone(), prices);
        }
        overrides
    }

    /// By account, as accounts are named: not as the catalog names.
    pub(super) fn contracts(
        &mut self,
        node: &Node,
        overrides: Option<&Node>,
    ) -> BTreeMap<String, String> {
        let mut contracts = BTreeMap::new();
        for (account, node) in self.map(node, "contracts").unwrap_or_default() {
            let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let is_account =
                (1..=64).contains(&account.text.len()) && account.text.bytes().all(sign);
            if !is_account {
                let what = format!("\"{}\" is no account: [A-Za-z0-9._-]{{1,64}}", account.text);
                self.wrong(account.place, what);
            }
            let known = overrides.into_iter().flat_map(Node::keys);
            if let Some(name) = self.known(node, "override", known) {
                contracts.insert(account.text.clone(), name);
            }
        }
        contracts
    }

    fn overridden(&mut self, node: &Node, meter: &Meter) -> Option<Prices> {
        let mut fields = self.fields(node, "a meter's override")?;
        let priced = Priced {
            attributes: Some(&meter.attributes),
            increment: meter.increment,
        };
        let prices = self.prices(&mut fields, &priced);
        fields.done(self);
        if meter.counted == Counted::Aggregated {
            self.aggregated(node, &[], prices.as_ref());
        }
        prices
    }
}

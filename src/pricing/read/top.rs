//! The top of a catalog's file, and the names that its parts share.

use std::collections::BTreeMap;

use super::{
    super::{Catalog, meter::Pattern, words::Stacking, yaml::Node},
    Reader,
};

/// Names that plans and meters take from the top. Where names are taken for known ones, what is written counts, be it right
/// or wrong: one mistake is told once.
#[derive(Default)]
pub(super) struct Names {
    pub(super) features: Vec<String>,
    pub(super) capacities: BTreeMap<String, String>,
    pub(super) resolutions: Vec<Vec<Pattern>>,
}

/// Reads all. Names come before what takes them, whatever their order in the file.
pub(super) fn read(reader: &mut Reader, root: &Node) -> Option<Catalog> {
    let mut fields = reader.fields(root, "a catalog")?;
    let name = fields.required(reader, "catalog", Reader::name);
    let currency = fields.optional(reader, "currency", Reader::currency);
    let names = Names {
        features: fields
            .get("features")
            .map(|node| reader.own_names(node, "features"))
            .unwrap_or_default(),
        capacities: fields
            .get("capacities")
            .map(|node| reader.units(node))
            .unwrap_or_default(),
        resolutions: fields
            .get("resolutions")
            .map(|node| reader.resolutions(node))
            .unwrap_or_default(),
    };
    let written = fields.need(reader, "meters");
    let meters = written
        .map(|node| reader.meters(node, &names))
        .unwrap_or_default();
    let prices = fields.get("overrides");
    let overrides = prices.map(|node| reader.overrides(node, &meters, written));
    let contracts = fields
        .get("contracts")
        .map(|node| reader.contracts(node, prices));
    let defaults = fields.get("plan_defaults");
    let written = fields.get("plans");
    let plans = written
        .map(|node| reader.plans(node, defaults, &names))
        .unwrap_or_default();
    let accounts = fields.get("accounts");
    let accounts = reader.accounts(accounts, written);
    let packs = fields.get("packs").map(|node| reader.packs(node));
    let pack_discounts = fields.optional(reader, "pack_discounts", Reader::word);
    let written = fields.get("purchases");
    let purchases = written.and_then(|node| reader.purchases(node));
    let trust_tiers = fields.get("trust_tiers").map(|node| {
        if written.is_none() {
            reader.wrong(
                node.place,
                "trust_tiers: the catalog has no \"purchases\" to bound",
            );
        }
        reader.trust_tiers(node, purchases.as_ref())
    });
    fields.done(reader);
    Some(Catalog {
        name: name?,
        currency: currency.unwrap_or_else(|| "USD".to_owned()),
        accounts: accounts?,
        meters,
        overrides: overrides.unwrap_or_default(),
        contracts: contracts.unwrap_or_default(),
        plans,
        packs: packs.unwrap_or_default(),
        pack_discounts: pack_discounts.unwrap_or(Stacking::Multiply),
        purchases,
        trust_tiers: trust_tiers.unwrap_or_default(),
        features: names.features,
        capacities: names.capacities,
        resolutions: names.resolutions,
    })
}

impl Reader {
    fn currency(&mut self, node: &Node, name: &str) -> Option<String> {
        self.read(node, name, |text| {
            let right = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
            right
                .then(|| text.to_owned())
                .ok_or_else(|| "is not a currency: three capital letters, as USD".to_owned())
        })
    }

    fn units(&mut self, node: &Node) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (key, node) in self.named(node, "capacities") {
            // Known also with a wrong unit, which has been told.
            let unit = self.name(node, &key.text).unwrap_or_default();
            found.insert(key.text.clone(), unit);
        }
        found
    }

    fn resolutions(&mut self, node: &Node) -> Vec<Vec<Pattern>> {
        let mut found: Vec<Vec<Pattern>> = Vec::new();
        for row in self.list(node, "resolutions").unwrap_or_default() {
            let mut same = Vec::new();
            for node in self.list(row, "a row of resolutions").unwrap_or_default() {
                let Some(pattern) = self.pattern(node, "resolutions") else {
                    continue;
                };
                let other = found
                    .iter()
                    .flatten()
                    .chain(&same)
                    .find(|known: &&Pattern| known.covers(&pattern) || pattern.covers(known));
                match other {
                    Some(other) => {
                        let what = format!(
                            "resolutions: {pattern} and {other} are both there, so its size is not clear"
                        );
                        self.wrong(node.place, what);
                    }
                    None => same.push(pattern),
                }
            }
            found.push(same);
        }
        found
    }
}

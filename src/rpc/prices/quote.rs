//! A usage as a caller sends it, checked, and what it costs as a caller reads it.

use std::collections::BTreeMap;

use crate::{
    catalogs::Version,
    pricing::{
        amount::Quantity,
        quote::{Between, Charge, Item, Line, Problems, Quote},
    },
    proto,
    rpc::fields::Fields,
};

/// Most items of a usage.
const ITEMS_MAX: usize = 100;
/// Most bytes of the name of a meter or an attribute.
pub(super) const NAME_MAX: usize = 64;
/// Most bytes of an attribute's value.
const VALUE_MAX: usize = 128;
/// Most attributes of an item.
const ATTRIBUTES_MAX: usize = 16;

/// The checked form of a usage, also of one with quantities that are none, so that all else in it is looked at, too; `None`: it is
/// too large to be looked at.
pub(super) fn usage(fields: &mut Fields, sent: &[proto::UsageItem]) -> Option<Vec<Item>> {
    let before = fields.count();
    if sent.len() > ITEMS_MAX {
        fields.violation("usage", "must be at most 100 items");
    }
    for (at, item) in sent.iter().take(ITEMS_MAX).enumerate() {
        fields.text(&format!("usage[{at}].meter"), &item.meter, NAME_MAX);
        let fits = |(name, value): (&String, &String)| {
            let text = name.chars().chain(value.chars());
            name.len() <= NAME_MAX
                && value.len() <= VALUE_MAX
                && !text.into_iter().any(char::is_control)
        };
        if item.attributes.len() > ATTRIBUTES_MAX || !item.attributes.iter().all(fits) {
            fields.violation(
                &format!("usage[{at}].attributes"),
                "must be at most 16, names up to 64 bytes, values up to 128, without control characters",
            );
        }
    }
    if fields.count() > before {
        return None;
    }
    let items = sent.iter().enumerate().map(|(at, item)| Item {
        meter: item.meter.clone(),
        quantity: quantity(fields, at, &item.quantity),
        attributes: BTreeMap::from_iter(item.attributes.clone()),
        price: fields.optional_amount(&format!("usage[{at}].price"), item.price.as_ref(), true),
    });
    Some(items.collect())
}

fn quantity(fields: &mut Fields, at: usize, text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|error| {
        fields.violation(&format!("usage[{at}].quantity"), error.to_string());
        Quantity::ZERO
    })
}

/// What a usage costs; what is wrong with it is noted.
pub(super) fn price(
    fields: &mut Fields,
    version: &Version,
    usage: &[Item],
    own: Option<&str>,
    exact: bool,
) -> proto::QuoteResponse {
    let priced = if exact {
        version.catalog.charge(usage, own).map(as_quote)
    } else {
        version.catalog.quote(usage, own)
    };
    match priced {
        Ok(quote) => answer(quote, version.number()),
        Err(Problems(problems)) => {
            for problem in problems {
                fields.violation(&problem.field, problem.what);
            }
            proto::QuoteResponse::default()
        }
    }
}

/// What it has cost is the least and the most.
fn as_quote(charge: Charge) -> Quote {
    let both = |amount| Between {
        minimum: amount,
        maximum: amount,
    };
    let line = |line: Line<_>| Line {
        meter: line.meter,
        items: line.items,
        quantity: line.quantity,
        charged: line.charged,
        amount: both(line.amount),
    };
    Quote {
        lines: charge.lines.into_iter().map(line).collect(),
        total: both(charge.total),
    }
}

fn answer(quote: Quote, version: u64) -> proto::QuoteResponse {
    let line = |line: Line<Between>| proto::QuoteLine {
        meter: line.meter,
        // Few enough to be counted.
        items: line
            .items
            .iter()
            .filter_map(|at| u32::try_from(*at).ok())
            .collect(),
        quantity: line.quantity.to_string(),
        charged: line.charged.to_string(),
        minimum: line.amount.minimum.to_string(),
        maximum: line.amount.maximum.to_string(),
    };
    proto::QuoteResponse {
        lines: quote.lines.into_iter().map(line).collect(),
        minimum: quote.total.minimum.to_string(),
        maximum: quote.total.maximum.to_string(),
        version,
    }
}

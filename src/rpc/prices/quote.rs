//! What a usage costs, as a caller reads it.

use crate::{
    catalogs::Version,
    pricing::quote::{Between, Charge, Item, Line, Quote},
    proto,
    rpc::fields::Fields,
};

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
        Err(problems) => {
            fields.problems("usage", problems);
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

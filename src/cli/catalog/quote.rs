//! `holdbook quote`: what a usage costs.

use clap::Args;

use crate::{
    cli::{
        ClientError, services,
        show::{Record, Value},
        values::{ServerArgs, item},
    },
    proto::{QuoteLine, QuoteRequest, UsageItem},
};

/// A usage.
#[derive(Args, Clone, Debug)]
pub struct QuoteArgs {
    /// What is used, as 'render 45 resolution=hd'; price=2 where the run came to it
    #[arg(required = true, value_parser = item)]
    items: Vec<UsageItem>,
    /// The run is over: minimum and maximum are what is charged
    #[arg(long)]
    exact: bool,
    /// Prices that the catalog has under this name instead
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    r#override: String,
    /// Prices of this account, if it has its own
    #[arg(
        long,
        value_name = "ACCOUNT",
        default_value = "",
        hide_default_value = true
    )]
    account: String,
    /// The catalog's version [default: the one in force now]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks.
pub(in crate::cli) async fn quote(args: QuoteArgs) -> Result<Record, ClientError> {
    let mut pricing = services(&args.server).await?.pricing;
    let request = QuoteRequest {
        usage: args.items,
        r#override: args.r#override,
        version: args.version.unwrap_or_default(),
        exact: args.exact,
        account_id: args.account,
    };
    let answer = pricing.quote(request).await?.into_inner();
    let lines = answer.lines.iter().map(line).collect();
    Ok(Record::of([
        ("minimum", Value::credits(&answer.minimum)),
        ("maximum", Value::credits(&answer.maximum)),
        ("version", Value::Count(answer.version)),
        (
            "lines",
            Value::Rows(
                lines,
                &["meter", "quantity", "charged", "minimum", "maximum"],
            ),
        ),
    ]))
}

fn line(line: &QuoteLine) -> Record {
    let items: Vec<_> = line.items.iter().map(ToString::to_string).collect();
    Record::of([
        ("meter", Value::text(&line.meter)),
        ("items", Value::Text(items.join(","))),
        ("quantity", Value::credits(&line.quantity)),
        ("charged", Value::credits(&line.charged)),
        ("minimum", Value::credits(&line.minimum)),
        ("maximum", Value::credits(&line.maximum)),
    ])
}

//! Arguments that several subcommands share, and how instants, durations and labels are written on the command line.
//!
//! Ids and amounts pass as they are typed: the service checks them and names every one that is wrong.

use clap::Args;
use jiff::{Span, SpanRelativeTo, Timestamp};
use tonic::Status;

use crate::proto::{Durability, UsageItem};

/// Which server.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    /// Address of the service
    #[arg(
        long,
        env = "HOLDBOOK_SERVER",
        default_value = "http://127.0.0.1:7600",
        global = true,
        value_name = "URL"
    )]
    pub server: String,
}

/// How much an answer waits for.
#[derive(Args, Clone, Copy, Debug)]
pub struct DurabilityArgs {
    /// Answer once Redis has it (applied) or once the ledger has it (ledger) [default: the call's own]
    #[arg(long)]
    durability: Option<Durability>,
}

impl DurabilityArgs {
    /// For the request.
    pub fn proto(self) -> i32 {
        self.durability.unwrap_or_default().into()
    }
}

/// Which part of a list.
#[derive(Args, Clone, Debug)]
pub struct PageArgs {
    /// Most rows in the answer, 1 to 1000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    page_size: u32,
    /// The next_page_token of the answer before
    #[arg(long, default_value = "", hide_default_value = true)]
    page_token: String,
    /// All pages, one after the other
    #[arg(long, conflicts_with = "page_token")]
    all: bool,
}

impl PageArgs {
    /// Fetches one page, or all; the token that comes back is that of the next page.
    pub async fn fetch<T>(
        &self,
        mut page: impl AsyncFnMut(u32, String) -> Result<(Vec<T>, String), Status>,
    ) -> Result<(Vec<T>, String), Status> {
        let (mut rows, mut token) = page(self.page_size, self.page_token.clone()).await?;
        while self.all && !token.is_empty() {
            let (more, next) = page(self.page_size, token).await?;
            rows.extend(more);
            token = next;
        }
        Ok((rows, token))
    }
}

/// An instant such as `2026-11-30T12:00:00Z`.
pub fn instant(text: &str) -> Result<prost_types::Timestamp, String> {
    let at: Timestamp = text
        .parse()
        .map_err(|_| "an instant in RFC 3339, such as 2026-11-30T12:00:00Z".to_owned())?;
    Ok(prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    })
}

/// A duration such as `300ms`, `10m`, `1h30m` or `30d`; a day has 24 hours.
pub fn duration(text: &str) -> Result<prost_types::Duration, String> {
    let duration = text
        .parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .filter(|duration| !duration.is_negative())
        .ok_or_else(|| "a duration, such as 300ms, 10m, 1h30m or 30d".to_owned())?;
    Ok(prost_types::Duration {
        seconds: duration.as_secs(),
        nanos: duration.subsec_nanos(),
    })
}

/// A label such as `project=moon`.
pub fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "a label, such as project=moon".to_owned())
}

/// An item of a usage, such as `render 45 resolution=hd`.
pub fn item(text: &str) -> Result<UsageItem, String> {
    let form = || "an item, such as 'render 45 resolution=hd'".to_owned();
    let mut words = text.split_whitespace();
    let (Some(meter), Some(quantity)) = (words.next(), words.next()) else {
        return Err(form());
    };
    let mut item = UsageItem {
        meter: meter.to_owned(),
        quantity: quantity.to_owned(),
        ..UsageItem::default()
    };
    for word in words {
        let (name, value) = label(word).map_err(|_| form())?;
        if name == "price" {
            item.price = Some(value);
        } else {
            item.attributes.insert(name, value);
        }
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_and_a_day_has_24_hours() {
        let parts = |text| duration(text).map(|duration| (duration.seconds, duration.nanos));
        assert_eq!(parts("300ms"), Ok((0, 300_000_000)));
        assert_eq!(parts("1h30m"), Ok((5400, 0)));
        assert_eq!(parts("30d"), Ok((2_592_000, 0)));
        assert!(parts("-1s").is_err());
        assert!(parts("1 month").is_err());
        assert!(parts("10").is_err());
    }

    #[test]
    fn instants_are_rfc_3339() {
        let parts = |text| instant(text).map(|at| (at.seconds, at.nanos));
        assert_eq!(parts("1970-01-01T00:01:00.5Z"), Ok((60, 500_000_000)));
        assert_eq!(parts("1970-01-01T01:00:00+01:00"), Ok((0, 0)));
        assert!(parts("2026-11-30").is_err());
    }

    #[test]
    fn labels_split_at_the_first_equals_sign() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(label("a").is_err());
        assert!(label("=b").is_err());
    }
}

//! What `holdbook bench` can be told.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use jiff::{Span, SpanRelativeTo};

use super::super::values::{self, ServerArgs};
use crate::proto::UsageItem;

/// A load to make.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// How long it is measured
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) duration: Duration,
    /// How long the load runs before that
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(super) warm_up: Duration,
    /// Turns a second, begun on time whatever the server does, each measured from when it should have begun. Absent: a new turn begins when
    /// one ends
    #[arg(long, value_name = "TURNS")]
    pub(super) rate: Option<NonZeroU64>,
    /// Turns at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) in_flight: u32,
    /// Connections that they share
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) connections: u32,
    /// How operations go to the server
    #[arg(long, value_enum, default_value = "unary")]
    pub(super) over: Over,
    /// New accounts to spread the turns over
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) accounts: u32,
    /// How the turns are spread over them
    #[arg(long, value_enum, default_value = "uniform")]
    pub(super) spread: Spread,
    /// Of a hundred holds so many are released; the others are committed
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) releases: u8,
    /// Reserve and commit by this usage instead of an amount, such as 'render 45 resolution=hd'
    #[arg(long, value_name = "ITEM", value_parser = values::item)]
    pub(super) usage: Vec<UsageItem>,
    /// Which turns go where
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Draw the latencies into this file
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// Which server.
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// The way of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Over {
    /// A call each
    Unary,
    /// Messages of one stream for each connection
    Stream,
}

/// Which account a turn is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Spread {
    /// Each as often
    Uniform,
    /// The n-th most used an n-th as often as the first
    Zipf,
    /// One account has all
    Hot,
}

/// A time such as `10s` or `2m`.
fn time(text: &str) -> Result<Duration, String> {
    text.parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "a time, such as 10s or 2m".to_owned())
}

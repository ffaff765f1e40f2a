//! Pairs over `MeteringService.Meter`.

use std::time::Duration;

use holdbook::{
    cli::stream::MeterStream,
    proto::{meter_request::Operation, meter_response::Outcome as Answer},
};
use tonic::transport::Channel;

use super::{
    DRAIN_MAX, Outcome, customers,
    load::{self, Load},
    stack::Stack,
};

/// Streams that the callers share, each over a connection of its own.
const STREAMS: usize = 2;

/// Pairs, and operations in a call of the program.
pub struct Streams {
    /// The time is until the ledger had them all.
    pub pairs: Load,
    pub grouping: f64,
}

async fn pair(stream: MeterStream, phase: String, number: u64) -> Outcome<u64> {
    let reserve = Operation::Reserve(customers::reserve(&phase, number));
    let commit = Operation::Commit(customers::commit(&phase, number));
    match (stream.call(reserve).await?, stream.call(commit).await?) {
        (Answer::Reserve(_), Answer::Commit(_)) => Ok(2),
        other => Err(format!("the stream answered {other:?}").into()),
    }
}

/// The load of a round.
pub async fn pairs(
    stack: &Stack,
    channels: &[Channel],
    round: usize,
    length: Duration,
) -> Outcome<Streams> {
    let mut streams = Vec::with_capacity(STREAMS);
    for channel in &channels[..STREAMS] {
        streams.push(MeterStream::open(channel.clone()).await?);
    }
    let phase = format!("stream{round}");
    let turn = move |stream, number| pair(stream, phase.clone(), number);
    let before = calls(stack).await?;
    let mut pairs = load::together(&streams, length, turn).await?;
    let batches = calls(stack).await? - before;
    pairs.took += stack.drain(DRAIN_MAX).await?;
    Ok(Streams {
        grouping: pairs.calls as f64 / batches as f64,
        pairs,
    })
}

/// Of the program, so far.
async fn calls(stack: &Stack) -> Outcome<u64> {
    stack.info("commandstats", "cmdstat_fcall:calls=").await
}

//! Redis' memory: all that it has allocated, before and after accounts, their open holds, and those holds' ends.

use std::{
    io::{self, Write},
    time::Duration,
};

use holdbook::proto::metering_service_client::MeteringServiceClient;

use super::{
    DRAIN_MAX, Outcome, customers,
    load::{self, IN_FLIGHT},
    round,
    stack::Stack,
};

/// Holds, spread over all accounts.
const HOLDS: u64 = 50_000;
/// After it nothing of a load is in the streams.
const SETTLED: Duration = Duration::from_secs(2);

/// Each.
#[derive(Clone, Copy)]
pub struct Bytes {
    pub account: f64,
    pub open_hold: f64,
    pub ended_hold: f64,
}

/// On a stack of its own, which keeps nothing in its streams that the ledger has.
pub async fn measure() -> Outcome<Bytes> {
    let stack = Stack::start(&["--stream-tail=0ms"]).await?;
    let outcome = measure_on(&stack).await;
    let stopped = stack.stop().await;
    let bytes = outcome?;
    stopped?;
    Ok(bytes)
}

async fn used(stack: &Stack) -> Outcome<f64> {
    stack.drain(DRAIN_MAX).await?;
    tokio::time::sleep(SETTLED).await;
    // Buffers of connections that are gone are no account's.
    stack.redis::<()>(&["MEMORY", "PURGE"]).await?;
    Ok(stack.info("memory", "used_memory:").await? as f64)
}

async fn measure_on(stack: &Stack) -> Outcome<Bytes> {
    let channels = round::connect(stack.url()).await?;
    // What is there without any account, and once for each connection.
    let warm = customers::ACCOUNTS..customers::ACCOUNTS + IN_FLIGHT;
    customers::create_plain(&channels, warm).await?;
    let empty = used(stack).await?;
    customers::create_plain(&channels, 0..customers::ACCOUNTS).await?;
    let accounts = used(stack).await?;
    let reserve = |channel, number| async move {
        let mut metering = MeteringServiceClient::new(channel);
        metering.reserve(customers::reserve("m", number)).await?;
        Ok(1)
    };
    load::callers(IN_FLIGHT, &channels, Duration::MAX, HOLDS, reserve).await?;
    let open = used(stack).await?;
    let commit = |channel, number| async move {
        let mut metering = MeteringServiceClient::new(channel);
        metering.commit(customers::commit("m", number)).await?;
        Ok(1)
    };
    load::callers(IN_FLIGHT, &channels, Duration::MAX, HOLDS, commit).await?;
    let ended = used(stack).await?;
    let (count, holds) = (customers::ACCOUNTS as f64, HOLDS as f64);
    let bytes = Bytes {
        account: (accounts - empty) / count,
        open_hold: (open - accounts) / holds,
        ended_hold: (ended - accounts) / holds,
    };
    writeln!(
        io::stdout(),
        "# Redis' memory: {count} accounts with two grants {:.1} MB, {holds} open holds {:.1} MB, the same ended {:.1} MB",
        (accounts - empty) / 1e6,
        (open - accounts) / 1e6,
        (ended - accounts) / 1e6
    )?;
    Ok(bytes)
}

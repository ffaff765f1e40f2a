//! One round: each of the three servers' calls in turn, alone and together.

use std::{fmt, time::Duration};

use holdbook::proto::{
    CommitRequest, NoopRequest, NoopResponse, ReserveRequest,
    bench_service_client::BenchServiceClient, metering_service_client::MeteringServiceClient,
};
use tokio::process::Child;
use tonic::transport::{Channel, Endpoint};

use super::{
    DRAIN_MAX, Outcome, bare, customers,
    load::{self, CONNECTIONS, Load, Times},
    stack::Stack,
};

/// Blocks in which one caller's calls alternate, and calls in each.
const BLOCKS: u64 = 4;
const BLOCK_CALLS: u64 = 750;
/// How long many callers reserve and commit, and how long they do nothing on each server.
const PAIRS_LENGTH: Duration = Duration::from_secs(4);
const NOOP_LENGTH: Duration = Duration::from_secs(2);
/// Connections with one caller each.
const SEPARATE: usize = 32;
/// Of the warm-up, for each load.
const WARM_UP: Duration = Duration::from_millis(500);

/// One caller.
pub struct Alone {
    pub reserve: Times,
    pub noop: Times,
    pub bare: Times,
}

/// Many callers.
pub struct Together {
    /// Reserve and Commit; the time is until the ledger had them all.
    pub pairs: Load,
    /// The same, until they were answered.
    pub answered_per_s: f64,
    /// Of Postgres' processes, until then.
    pub postgres_cpu: Duration,
    pub lag_entries: u64,
    pub drained_after: Duration,
    /// As `pairs`, each call by usage.
    pub by_usage: Load,
    pub noop: Load,
    pub bare: Load,
}

/// What a round came to.
pub struct Round {
    /// One write to the disk.
    pub disk: Times,
    pub alone: Alone,
    pub together: Together,
}

impl Alone {
    /// Against the faster of both no-ops.
    pub fn p50_vs_noop(&self) -> f64 {
        self.reserve.p50_ms() / self.noop.p50_ms().min(self.bare.p50_ms())
    }

    /// Against the faster of both no-ops.
    pub fn p99_vs_noop(&self) -> f64 {
        self.reserve.p99_ms() / self.noop.p99_ms().min(self.bare.p99_ms())
    }
}

impl Round {
    /// Against the faster of both no-ops.
    pub fn reserve_p50_vs_noop(&self) -> f64 {
        self.alone.p50_vs_noop()
    }

    /// Against the faster of both no-ops.
    pub fn unary_calls_vs_noop(&self) -> f64 {
        let Together {
            pairs, noop, bare, ..
        } = &self.together;
        pairs.calls_per_s() / noop.calls_per_s().max(bare.calls_per_s())
    }
}

impl Together {
    /// By usage against by amount.
    pub fn usage_vs_amount(&self) -> f64 {
        self.by_usage.calls_per_s() / self.pairs.calls_per_s()
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alone, together) = (&self.alone, &self.together);
        write!(
            f,
            "disk write {:.3} ms; reserve {:.3} ms, no-ops {:.3} and {:.3} ms, {:.2}; {:.0} calls/s, no-ops {:.0} and {:.0}/s, {:.2}; by usage {:.2} of them; ledger {} entries behind, drained in {} ms",
            self.disk.p50_ms(),
            alone.reserve.p50_ms(),
            alone.noop.p50_ms(),
            alone.bare.p50_ms(),
            self.reserve_p50_vs_noop(),
            together.pairs.calls_per_s(),
            together.noop.calls_per_s(),
            together.bare.calls_per_s(),
            self.unary_calls_vs_noop(),
            together.usage_vs_amount(),
            together.lag_entries,
            together.drained_after.as_millis(),
        )
    }
}

/// Connections to both servers.
pub struct Callers {
    pub service: Vec<Channel>,
    bare: Vec<Channel>,
    /// Of both, in that order.
    urls: [String; 2],
    /// Ends with this.
    _bare_server: Child,
}

/// Connections to a server.
pub async fn connect(url: &str) -> Outcome<Vec<Channel>> {
    let mut channels = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        channels.push(Endpoint::from_shared(url.to_owned())?.connect().await?);
    }
    Ok(channels)
}

async fn noop(channel: Channel, number: u64) -> Outcome<u64> {
    let request = NoopRequest {
        reserve: Some(customers::reserve("noop", number)),
    };
    BenchServiceClient::new(channel).noop(request).await?;
    Ok(1)
}

/// Reserve and Commit of one job.
async fn pair(channel: Channel, phase: String, number: u64) -> Outcome<u64> {
    let mut metering = MeteringServiceClient::new(channel);
    metering.reserve(customers::reserve(&phase, number)).await?;
    metering.commit(customers::commit(&phase, number)).await?;
    Ok(2)
}

/// The same by usage.
async fn pair_by_usage(channel: Channel, phase: String, number: u64) -> Outcome<u64> {
    let mut metering = MeteringServiceClient::new(channel);
    let reserve = customers::reserve_by_usage(&phase, number);
    metering.reserve(reserve).await?;
    let commit = customers::commit_by_usage(&phase, number);
    metering.commit(commit).await?;
    Ok(2)
}

/// The same, all on one account.
async fn pair_on_one(channel: Channel, phase: String, number: u64) -> Outcome<u64> {
    let mut metering = MeteringServiceClient::new(channel);
    let account_id = customers::account_id(0);
    let reserve = ReserveRequest {
        account_id: account_id.clone(),
        ..customers::reserve(&phase, number)
    };
    metering.reserve(reserve).await?;
    let commit = CommitRequest {
        account_id,
        ..customers::commit(&phase, number)
    };
    metering.commit(commit).await?;
    Ok(2)
}

impl Callers {
    /// Starts the bare server with an answer that the service gave, and connects to both.
    pub async fn connect(stack: &Stack) -> Outcome<Self> {
        let service = connect(stack.url()).await?;
        let mut bench = BenchServiceClient::new(service[0].clone());
        let request = NoopRequest {
            reserve: Some(customers::reserve("noop", 0)),
        };
        let answer: NoopResponse = bench.noop(request).await?.into_inner();
        let (bare_server, url) = bare::start(&answer, stack.folder()).await?;
        Ok(Self {
            service,
            bare: connect(&url).await?,
            urls: [stack.url().to_owned(), url],
            _bare_server: bare_server,
        })
    }

    /// Connections, caches and the allocator find their sizes.
    pub async fn warm_up(&self, stack: &Stack) -> Outcome<()> {
        load::together(&self.bare, WARM_UP, noop).await?;
        load::together(&self.service, WARM_UP, noop).await?;
        let turn = |channel, number| pair(channel, "warm".to_owned(), number);
        load::together(&self.service, WARM_UP, turn).await?;
        let turn = |channel, number| pair_by_usage(channel, "usage".to_owned(), number);
        load::together(&self.service, WARM_UP, turn).await?;
        stack.drain(DRAIN_MAX).await?;
        Ok(())
    }

    pub async fn round(&self, stack: &Stack, number: usize) -> Outcome<Round> {
        Ok(Round {
            disk: stack.disk().await?,
            alone: self.alone(stack, &format!("alone{number}")).await?,
            together: self.together(stack, number).await?,
        })
    }

    /// The ledger has everything before a no-op is timed, so that its work does not slow that down.
    pub async fn alone(&self, stack: &Stack, phase: &str) -> Outcome<Alone> {
        let mut alone = Alone {
            reserve: Times::new()?,
            noop: Times::new()?,
            bare: Times::new()?,
        };
        for block in 0..BLOCKS {
            let numbers = block * BLOCK_CALLS..(block + 1) * BLOCK_CALLS;
            let service = self.service[0].clone();
            let times = load::alone(numbers.clone(), async |number| {
                let mut metering = MeteringServiceClient::new(service.clone());
                metering.reserve(customers::reserve(phase, number)).await?;
                Ok(())
            });
            alone.reserve.add(&times.await?)?;
            stack.drain(DRAIN_MAX).await?;
            for (channels, times) in [
                (&self.service, &mut alone.noop),
                (&self.bare, &mut alone.bare),
            ] {
                let idle = load::alone(numbers.clone(), async |number| {
                    noop(channels[0].clone(), number).await.map(drop)
                });
                times.add(&idle.await?)?;
            }
        }
        self.finish(phase, BLOCKS * BLOCK_CALLS).await?;
        stack.drain(DRAIN_MAX).await?;
        Ok(alone)
    }

    /// Commits the holds that one caller left open, untimed.
    async fn finish(&self, phase: &str, count: u64) -> Outcome<()> {
        let phase = phase.to_owned();
        let turn = move |channel, number| {
            let phase = phase.clone();
            async move {
                let mut metering = MeteringServiceClient::new(channel);
                metering.commit(customers::commit(&phase, number)).await?;
                Ok(1)
            }
        };
        load::callers(load::IN_FLIGHT, &self.service, Duration::MAX, count, turn).await?;
        Ok(())
    }

    /// In every second round the no-ops come first, so that what drifts on the machine does not always meet the same one.
    async fn together(&self, stack: &Stack, round: usize) -> Outcome<Together> {
        let idle = async || {
            let service = load::together(&self.service, NOOP_LENGTH, noop).await?;
            let bare = load::together(&self.bare, NOOP_LENGTH, noop).await?;
            Outcome::Ok((service, bare))
        };
        let early = if round.is_multiple_of(2) {
            Some(idle().await?)
        } else {
            None
        };
        let by_usage = async || {
            let phase = format!("usage{round}");
            let turn = move |channel, number| pair_by_usage(channel, phase.clone(), number);
            let mut pairs = load::together(&self.service, PAIRS_LENGTH, turn).await?;
            pairs.took += stack.drain(DRAIN_MAX).await?;
            Outcome::Ok(pairs)
        };
        let early_usage = match early {
            Some(_) => Some(by_usage().await?),
            None => None,
        };
        let (phase, cpu) = (format!("together{round}"), stack.postgres_cpu().await?);
        let turn = move |channel, number| pair(channel, phase.clone(), number);
        let mut pairs = load::together(&self.service, PAIRS_LENGTH, turn).await?;
        let answered_per_s = pairs.calls_per_s();
        let lag_entries = stack.lag().await?;
        let drained_after = stack.drain(DRAIN_MAX).await?;
        pairs.took += drained_after;
        let postgres_cpu = stack.postgres_cpu().await? - cpu;
        let by_usage = match early_usage {
            Some(early) => early,
            None => by_usage().await?,
        };
        let (noop, bare) = match early {
            Some(both) => both,
            None => idle().await?,
        };
        Ok(Together {
            pairs,
            answered_per_s,
            postgres_cpu,
            lag_entries,
            drained_after,
            by_usage,
            noop,
            bare,
        })
    }

    /// [`SEPARATE`] connections, each with one call at a time: pairs against the faster no-op.
    pub async fn separate(&self, stack: &Stack, round: usize) -> Outcome<f64> {
        let [service, bare] = &self.urls;
        let (service, bare) = (open(service).await?, open(bare).await?);
        let length = NOOP_LENGTH;
        let own = load::callers(SEPARATE, &service, length, u64::MAX, noop).await?;
        let phase = format!("separate{round}");
        let turn = move |channel, number| pair(channel, phase.clone(), number);
        let mut pairs = load::callers(SEPARATE, &service, PAIRS_LENGTH, u64::MAX, turn).await?;
        pairs.took += stack.drain(DRAIN_MAX).await?;
        let bare = load::callers(SEPARATE, &bare, length, u64::MAX, noop).await?;
        Ok(pairs.calls_per_s() / own.calls_per_s().max(bare.calls_per_s()))
    }

    /// All callers on one account, so that one partition works.
    pub async fn hot(&self, stack: &Stack, round: usize) -> Outcome<Load> {
        let phase = format!("hot{round}");
        let turn = move |channel, number| pair_on_one(channel, phase.clone(), number);
        let mut pairs = load::together(&self.service, PAIRS_LENGTH, turn).await?;
        pairs.took += stack.drain(DRAIN_MAX).await?;
        Ok(pairs)
    }
}

async fn open(url: &str) -> Outcome<Vec<Channel>> {
    let mut channels = Vec::with_capacity(SEPARATE);
    while channels.len() < SEPARATE {
        channels.extend(connect(url).await?);
    }
    channels.truncate(SEPARATE);
    Ok(channels)
}

//! Every instrument of the service, its name and its attributes, each once.
//!
//! Owns what is measured and how it is called; where it goes is `metrics`' and `export`'s. Recording takes no lock of ours
//! and no heap: names in attributes are static.
//!
//! Credits are counted in whole micro-credits, never in fractions of a credit: no sum of ours is ever a float.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter},
};

/// Bounds of durations, in seconds: from a script call to the longest wait of a caller.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Bounds of batch sizes.
const SIZES: [f64; 11] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

const MICRO_CREDITS: &str = "{microcredit}";

/// The stores that calls go to, by their names in the semantic conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Holds.
    Redis,
    /// The ledger.
    Postgres,
}

impl Store {
    fn system_name(self) -> &'static str {
        match self {
            Store::Redis => "redis",
            Store::Postgres => "postgresql",
        }
    }
}

/// All instruments.
#[derive(Debug)]
pub struct Instruments {
    calls: Histogram<f64>,
    store_operations: Histogram<f64>,
    reserves: Counter<u64>,
    charged: Counter<u64>,
    overdrawn: Counter<u64>,
    absorbed: Counter<u64>,
    late_refused: Counter<u64>,
    holds_open: UpDownCounter<i64>,
    lag_events: Gauge<u64>,
    lag_seconds: Gauge<f64>,
    replay_buffer: Gauge<u64>,
    relay_batch_size: Histogram<u64>,
    relay_batch_duration: Histogram<f64>,
    partition_open: Gauge<u64>,
    quarantined: Counter<u64>,
    executor_batch_size: Histogram<u64>,
    swept: Counter<u64>,
    audited: Counter<u64>,
    differences: Counter<u64>,
    dropped: Counter<u64>,
}

impl Instruments {
    /// Makes them all.
    pub fn new(meter: &Meter) -> Instruments {
        let seconds = |name, description| {
            let builder = meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description);
            builder.with_boundaries(SECONDS.to_vec()).build()
        };
        let sizes = |name, unit, description| {
            let builder = meter
                .u64_histogram(name)
                .with_unit(unit)
                .with_description(description);
            builder.with_boundaries(SIZES.to_vec()).build()
        };
        let counter = |name, unit, description| {
            meter
                .u64_counter(name)
                .with_unit(unit)
                .with_description(description)
                .build()
        };
        let gauge = |name, unit, description| {
            meter
                .u64_gauge(name)
                .with_unit(unit)
                .with_description(description)
                .build()
        };
        let instruments = Instruments {
            calls: seconds(
                "rpc.server.call.duration",
                "Time from a request's arrival to its answer",
            ),
            store_operations: seconds("db.client.operation.duration", "Time that a store took"),
            reserves: counter("holdbook.reserves", "{reserve}", "Reserves by outcome"),
            charged: counter(
                "holdbook.commits.charged",
                MICRO_CREDITS,
                "Micro-credits committed and paid by grants",
            ),
            overdrawn: counter(
                "holdbook.commits.overdrawn",
                MICRO_CREDITS,
                "Micro-credits committed that became debt",
            ),
            absorbed: counter(
                "holdbook.commits.absorbed",
                MICRO_CREDITS,
                "Micro-credits committed that the platform paid",
            ),
            late_refused: counter(
                "holdbook.commits.late_refused",
                "{commit}",
                "Commits after the late commit window",
            ),
            holds_open: meter
                .i64_up_down_counter("holdbook.holds.open")
                .with_unit("{hold}")
                .with_description("Holds that this process opened, less those that it ended")
                .build(),
            lag_events: gauge(
                "holdbook.ledger.lag.events",
                "{event}",
                "Stream entries that the ledger does not have yet",
            ),
            // The unit is in the name; given as the unit too, the Prometheus name would say it twice.
            replay_buffer: gauge(
                "holdbook.replay.buffer",
                "{acknowledgement}",
                "Acknowledgements of a partition that are kept until the ledger has them",
            ),
            lag_seconds: meter
                .f64_gauge("holdbook.ledger.lag.seconds")
                .with_description(
                    "Age of the oldest entry that the ledger does not have yet, in seconds",
                )
                .build(),
            relay_batch_size: sizes(
                "holdbook.relay.batch.size",
                "{event}",
                "Events posted in one transaction",
            ),
            relay_batch_duration: seconds(
                "holdbook.relay.batch.duration",
                "Time from reading a batch to its commit",
            ),
            partition_open: gauge(
                "holdbook.partition.open",
                "",
                "1 while the partition takes calls, else 0",
            ),
            quarantined: counter(
                "holdbook.quarantine.events",
                "{event}",
                "Events that could not be posted",
            ),
            executor_batch_size: sizes(
                "holdbook.executor.batch.size",
                "{operation}",
                "Operations in one script call",
            ),
            swept: counter(
                "holdbook.sweeper.touched",
                "{account}",
                "Accounts touched because something was due",
            ),
            audited: counter(
                "holdbook.audit.accounts",
                "{account}",
                "Accounts that the light audit compared",
            ),
            differences: counter(
                "holdbook.audit.differences",
                "{difference}",
                "Differences that the light audit found, again in each round",
            ),
            dropped: counter(
                "holdbook.accounts.dropped",
                "{account}",
                "Idle accounts dropped from Redis",
            ),
        };
        instruments.show_zeros();
        instruments
    }

    /// A rate over a counter that is not there yet misses its first step, so those that alerts watch exist from the start.
    fn show_zeros(&self) {
        for counter in [
            &self.charged,
            &self.overdrawn,
            &self.absorbed,
            &self.late_refused,
            &self.quarantined,
            &self.swept,
            &self.audited,
            &self.differences,
            &self.dropped,
        ] {
            counter.add(0, &[]);
        }
        self.holds_open.add(0, &[]);
    }

    /// A call was answered. `method` is `package.Service/Method`, `status` the gRPC status' upper-case name.
    pub fn call(&self, method: &'static str, status: &'static str, elapsed: Duration) {
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", status),
        ];
        self.calls.record(elapsed.as_secs_f64(), &attributes);
    }

    /// A store answered.
    pub fn store_operation(&self, store: Store, operation: &'static str, elapsed: Duration) {
        let attributes = [
            KeyValue::new("db.system.name", store.system_name()),
            KeyValue::new("db.operation.name", operation),
        ];
        self.store_operations
            .record(elapsed.as_secs_f64(), &attributes);
    }

    /// A reserve was decided: `held`, `replayed`, or the reason of its refusal.
    pub fn reserve(&self, outcome: &'static str) {
        self.reserves.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// A commit or charge was applied, for the first time: how it was paid, in micro-credits.
    pub fn commit(&self, charged_micro: u64, overdrawn_micro: u64, absorbed_micro: u64) {
        self.charged.add(charged_micro, &[]);
        self.overdrawn.add(overdrawn_micro, &[]);
        self.absorbed.add(absorbed_micro, &[]);
    }

    /// A commit came after the late commit window (H11).
    pub fn late_commit_refused(&self) {
        self.late_refused.add(1, &[]);
    }

    /// Holds were opened (more than 0) or ended (less).
    pub fn holds_open_changed(&self, by: i64) {
        self.holds_open.add(by, &[]);
    }

    /// Acknowledgements of a partition that are kept until the ledger has them.
    pub fn replay_buffer(&self, partition: u16, kept: u64) {
        self.replay_buffer.record(kept, &[of(partition)]);
    }

    /// How far the ledger is behind a partition's stream.
    pub fn ledger_lag(&self, partition: u16, events: u64, age: Duration) {
        let attributes = [of(partition)];
        self.lag_events.record(events, &attributes);
        self.lag_seconds.record(age.as_secs_f64(), &attributes);
    }

    /// The relay posted a batch.
    pub fn relay_batch(&self, events: u64, elapsed: Duration) {
        self.relay_batch_size.record(events, &[]);
        self.relay_batch_duration.record(elapsed.as_secs_f64(), &[]);
    }

    /// A partition opened or closed.
    pub fn partition_open(&self, partition: u16, open: bool) {
        self.partition_open
            .record(u64::from(open), &[of(partition)]);
    }

    /// Events went to quarantine: a person must look.
    pub fn quarantined(&self, events: u64) {
        self.quarantined.add(events, &[]);
    }

    /// An executor sent a batch to the script.
    pub fn executor_batch(&self, operations: u64) {
        self.executor_batch_size.record(operations, &[]);
    }

    /// The sweeper touched accounts on which something was due.
    pub fn swept(&self, accounts: u64) {
        self.swept.add(accounts, &[]);
    }

    /// The light audit compared accounts. A person must look at every difference.
    pub fn audited(&self, accounts: u64, differences: u64) {
        self.audited.add(accounts, &[]);
        self.differences.add(differences, &[]);
    }

    /// Idle accounts were dropped from Redis.
    pub fn dropped(&self, accounts: u64) {
        self.dropped.add(accounts, &[]);
    }
}

fn of(partition: u16) -> KeyValue {
    KeyValue::new("holdbook.partition", i64::from(partition))
}

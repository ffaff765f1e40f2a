//! The trace file: jobs of a GPU cluster, and what each is worth.
//!
//! Pure: text in, jobs and exact amounts out. Each amount is rounded once, half away from zero, to six places.

use rust_decimal::{Decimal, RoundingStrategy};

/// Credits per GPU-second: 0.0003.
const PRICE: (i64, u32) = (3, 4);
/// Thousandths of a GPU that a job is metered for at least.
const MILLI_GPU_MIN: u64 = 100;
/// The least estimate: 0.01 credits.
const ESTIMATE_MIN: (i64, u32) = (1, 2);

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Done: charged in full.
    Succeeded,
    /// Still running at the end of the trace: charged in full.
    Running,
    /// Charged half.
    Failed,
    /// Never started: released.
    Pending,
}

/// A job of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its line, the first job being line 1.
    pub line: usize,
    /// Its name, which is the hold's id.
    pub name: String,
    /// Thousandths of GPUs that it is metered for.
    pub milli_gpu: u64,
    /// How it ended.
    pub phase: Phase,
    /// Seconds of the trace at which it began.
    pub created: u64,
    /// Seconds of the trace at which it ended.
    pub deleted: u64,
}

impl Job {
    /// What its creation reserves: the price of half its lifetime.
    pub fn estimate(&self) -> Decimal {
        round(self.price() / Decimal::TWO).max(Decimal::new(ESTIMATE_MIN.0, ESTIMATE_MIN.1))
    }

    /// What its deletion commits; none when it releases.
    pub fn cost(&self) -> Option<Decimal> {
        match self.phase {
            Phase::Succeeded | Phase::Running => Some(round(self.price())),
            Phase::Failed => Some(round(self.price() / Decimal::TWO)),
            Phase::Pending => None,
        }
    }

    /// Not rounded: thousandths of GPUs times whole seconds times the price have seven decimals.
    fn price(&self) -> Decimal {
        let milli_gpu_seconds =
            Decimal::from(self.deleted - self.created) * Decimal::from(self.milli_gpu);
        milli_gpu_seconds * Decimal::new(PRICE.0, PRICE.1 + 3)
    }
}

fn round(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero)
}

/// The file is not such a trace.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// The header lacks a column.
    #[error("line 1: the header has no column `{column}`; needed are {COLUMNS:?}")]
    Column {
        /// Which one.
        column: &'static str,
    },
    /// A field is not what it should be.
    #[error("line {line}, column `{column}`: {got:?} is not {allowed}")]
    Field {
        /// Of the file, the header being line 1.
        line: usize,
        /// Which one.
        column: &'static str,
        /// What stands there.
        got: String,
        /// What may stand there.
        allowed: &'static str,
    },
}

const COLUMNS: [&str; 6] = [
    "name",
    "num_gpu",
    "gpu_milli",
    "pod_phase",
    "creation_time",
    "deletion_time",
];

/// The jobs of a trace: comma-separated lines under a header, no quotes.
pub fn read(text: &str) -> Result<Vec<Job>, TraceError> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        *place = header
            .iter()
            .position(|name| name.trim() == column)
            .ok_or(TraceError::Column { column })?;
    }
    lines
        .filter(|line| !line.trim().is_empty())
        .enumerate()
        .map(|(index, line)| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let values = places.map(|place| fields.get(place).copied().unwrap_or_default());
            job(index + 1, values)
        })
        .collect()
}

fn job(line: usize, values: [&str; COLUMNS.len()]) -> Result<Job, TraceError> {
    let wrong = |column: usize, allowed| TraceError::Field {
        line: line + 1,
        column: COLUMNS[column],
        got: values[column].to_owned(),
        allowed,
    };
    let count = |column: usize, max: u64| {
        let value = values[column].parse::<u64>().ok();
        value
            .filter(|value| *value <= max)
            .ok_or_else(|| wrong(column, "a whole number in range"))
    };
    let phase = match values[3] {
        "Succeeded" => Phase::Succeeded,
        "Running" => Phase::Running,
        "Failed" => Phase::Failed,
        "Pending" => Phase::Pending,
        _ => return Err(wrong(3, "Succeeded, Running, Failed or Pending")),
    };
    let (created, deleted) = (count(4, SECONDS_MAX)?, count(5, SECONDS_MAX)?);
    if deleted < created {
        return Err(wrong(5, "at or after creation_time"));
    }
    if values[0].is_empty() {
        return Err(wrong(0, "a name"));
    }
    Ok(Job {
        line,
        name: values[0].to_owned(),
        milli_gpu: (count(1, GPUS_MAX)? * count(2, MILLI_MAX)?).max(MILLI_GPU_MIN),
        phase,
        created,
        deleted,
    })
}

/// Bounds that keep every product exact.
const SECONDS_MAX: u64 = 10_000_000_000;
const GPUS_MAX: u64 = 1_000_000;
const MILLI_MAX: u64 = 1_000_000;

//! What can go wrong between Holdbook and Postgres, and who has to act on it.

use std::error::Error;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use super::Cursor;

/// Why the ledger did not do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Postgres does not answer, or not now: try again.
    #[error("the ledger does not answer: {0}")]
    Unavailable(String),
    /// The cursor is elsewhere: another relay was here. Read it again.
    #[error("the cursor of partition {partition} is no longer at {from}: another relay moved it")]
    Overtaken {
        /// The partition.
        partition: u32,
        /// Where it was believed to be.
        from: Cursor,
    },
    /// Entries that do not follow the cursor without a hole. Never skipped: somebody has to look.
    #[error(
        "partition {partition}: after {after} came entry {found}; entries must follow one another without a hole"
    )]
    Gap {
        /// The partition.
        partition: u32,
        /// The last one known.
        after: Cursor,
        /// What came instead of the next one.
        found: Cursor,
    },
    /// The database is not the one that was asked for: an operator has to act.
    #[error("{0}")]
    Setup(String),
    /// A defect of Holdbook.
    #[error("defect in the ledger: {0}")]
    Bug(String),
}

impl From<tokio_postgres::Error> for LedgerError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = describe(&error);
        match error.code() {
            Some(code) if is_passing(code) => Self::Unavailable(text),
            Some(_) => Self::Bug(text),
            // Without a code it is either the connection or a value that does not fit its column.
            None if error.is_closed() || is_of_connection(&error) => Self::Unavailable(text),
            None => Self::Bug(text),
        }
    }
}

impl From<PoolError> for LedgerError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(_) => Self::Unavailable("no connection came free in time".into()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Classes of SQLSTATE that pass by themselves: connection, resources, operator intervention, system, rolled back, a
/// standby that cannot write, a lock that was not granted in time.
fn is_passing(code: &SqlState) -> bool {
    let code = code.code();
    ["08", "40", "53", "57", "58"]
        .iter()
        .any(|class| code.starts_with(class))
        || code == "25006"
        || code == "55P03"
}

fn is_of_connection(error: &tokio_postgres::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

/// The whole of a Postgres error in one line.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let detail = db
            .detail()
            .map(|detail| format!(": {detail}"))
            .unwrap_or_default();
        return format!("{}{detail} [{}]", db.message(), db.code().code());
    }
    let cause = error
        .source()
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    format!("{error}{cause}")
}

/// Why one event cannot be posted, whatever is tried: it goes to quarantine.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct DataError(pub String);

/// Why a batch was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// An event in it cannot be posted.
    Data(DataError),
    /// The ledger itself.
    Ledger(LedgerError),
}

impl From<DataError> for WriteError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<LedgerError> for WriteError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<tokio_postgres::Error> for WriteError {
    fn from(error: tokio_postgres::Error) -> Self {
        // 22 is a value that the column cannot hold, 23 a broken constraint: the event's fault, not the server's.
        let of_data = error
            .code()
            .is_some_and(|code| code.code().starts_with("22") || code.code().starts_with("23"));
        if of_data {
            Self::Data(DataError(describe(&error)))
        } else {
            Self::Ledger(error.into())
        }
    }
}

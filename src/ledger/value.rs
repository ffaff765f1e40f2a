//! Numbers, instants and amounts, between Rust's types and the columns'.

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::Row;

use super::error::{DataError, LedgerError, WriteError};
use crate::domain::{account::Micros, credits::Credits, event::Position};

/// A value that its column cannot hold: of an event, the event's fault.
#[derive(Debug)]
pub(super) struct OutOfRange(String);

impl From<OutOfRange> for DataError {
    fn from(error: OutOfRange) -> Self {
        Self(error.0)
    }
}

impl From<OutOfRange> for WriteError {
    fn from(error: OutOfRange) -> Self {
        Self::Data(error.into())
    }
}

impl From<OutOfRange> for LedgerError {
    fn from(error: OutOfRange) -> Self {
        Self::Bug(error.0)
    }
}

pub(super) fn bigint(value: u64) -> Result<i64, OutOfRange> {
    i64::try_from(value).map_err(|_| OutOfRange(format!("{value} is above 2^63 - 1")))
}

pub(super) fn int(value: u32) -> Result<i32, OutOfRange> {
    i32::try_from(value).map_err(|_| OutOfRange(format!("{value} is above 2^31 - 1")))
}

pub(super) fn smallint(value: u32) -> Result<i16, OutOfRange> {
    i16::try_from(value).map_err(|_| OutOfRange(format!("{value} is above 2^15 - 1")))
}

/// A number that is 0 for none.
pub(super) fn optional_int(value: u32) -> Result<Option<i32>, OutOfRange> {
    if value == 0 {
        Ok(None)
    } else {
        int(value).map(Some)
    }
}

pub(super) fn unsigned(value: i64) -> Result<u64, OutOfRange> {
    u64::try_from(value).map_err(|_| OutOfRange(format!("{value} is below 0")))
}

pub(super) fn unsigned_int(value: i32) -> Result<u32, OutOfRange> {
    u32::try_from(value).map_err(|_| OutOfRange(format!("{value} is below 0")))
}

pub(super) fn instant(micros: Micros) -> Result<Timestamp, OutOfRange> {
    Timestamp::from_microsecond(micros).map_err(|_| {
        OutOfRange(format!(
            "{micros} us is no instant between the years -9999 and 9999"
        ))
    })
}

pub(super) fn optional_instant(micros: Option<Micros>) -> Result<Option<Timestamp>, OutOfRange> {
    micros.map(instant).transpose()
}

pub(super) fn credits(value: Decimal) -> Result<Credits, OutOfRange> {
    Credits::from_decimal(value)
        .ok_or_else(|| OutOfRange(format!("{value} is no number of micro-credits")))
}

pub(super) fn micros(instant: Timestamp) -> Micros {
    instant.as_microsecond()
}

/// Of columns `partition`, `epoch`, `n` and `index`.
pub(super) fn position(row: &Row) -> Result<Position, OutOfRange> {
    Ok(Position {
        partition: unsigned_int(row.get("partition"))?,
        epoch: unsigned(row.get("epoch"))?,
        n: unsigned(row.get("n"))?,
        index: unsigned_int(row.get("index"))?,
    })
}

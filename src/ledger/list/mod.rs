//! Pages of an account's rows, for callers. The key of a page's last row leads to the next page, so that rows which come in
//! between neither repeat nor hide others.

mod bills;
mod grants;
mod holds;
mod transfers;

use tokio_postgres::Row;

pub(super) use self::grants::row as grant_row;
pub use self::{
    bills::{BillKey, BillRow, SubscriptionRow},
    grants::{GrantFilter, GrantRow},
    holds::{HoldFilter, HoldRow},
    transfers::{TransferFilter, TransferKey, TransferRow},
};
use super::LedgerError;

/// Some rows, and where the next ones start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// In order, at most as many as were asked for.
    pub rows: Vec<T>,
    /// What to ask the next page after; `None` when this was the last.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// From the rows of a query that asked for one more than `limit`.
    pub(in crate::ledger) fn of(
        found: &[Row],
        limit: u32,
        row: impl Fn(&Row) -> Result<T, LedgerError>,
        key: impl Fn(&T) -> K,
    ) -> Result<Self, LedgerError> {
        let limit = limit as usize;
        let rows = found
            .iter()
            .take(limit)
            .map(row)
            .collect::<Result<Vec<_>, _>>()?;
        let next = if found.len() > limit {
            rows.last().map(key)
        } else {
            None
        };
        Ok(Self { rows, next })
    }
}

/// A word in the ledger that this program does not know: a newer one wrote it.
fn unknown(column: &str, word: &str) -> LedgerError {
    LedgerError::Bug(format!(
        "{column} {word:?} in the ledger is unknown to this program"
    ))
}

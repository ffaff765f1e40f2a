//! Holds, newest first.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::{Row, types::Json};

use super::{
    super::{Ledger, LedgerError, columns, value},
    Page, unknown,
};
use crate::domain::{
    account::Micros,
    credits::Credits,
    hold::{HoldState, Method},
};

/// Which holds are wanted; absent is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldFilter {
    /// In this state.
    pub state: Option<HoldState>,
    /// Created at or after.
    pub created_from: Option<Micros>,
    /// Created before.
    pub created_before: Option<Micros>,
}

/// A hold as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// The event that made it: its key.
    pub sequence: u64,
    /// The caller's id.
    pub hold_id: String,
    /// Where it stands.
    pub state: HoldState,
    /// What made it.
    pub method: Method,
    /// What was asked for.
    pub requested: Credits,
    /// Its pins now.
    pub held: Credits,
    /// What stands on the credit limit now.
    pub promised: Credits,
    /// Sum of commits that grants paid.
    pub charged: Credits,
    /// Sum of commits that became debt.
    pub overdrawn: Credits,
    /// Sum of commits that the platform paid.
    pub absorbed: Credits,
    /// Sum of the pins that came back.
    pub released: Credits,
    /// Sum of refunds.
    pub refunded: Credits,
    /// A commit came after it had expired.
    pub late: bool,
    /// A commit above it is refused.
    pub reject_overage: bool,
    /// Bound of the sum of commits.
    pub max_commit: Option<Credits>,
    /// As sent.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Micros,
    /// When it ends by itself.
    pub expires_at: Micros,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// The catalog's version that its usage is priced by.
    pub catalog_version: Option<u64>,
}

impl Ledger {
    /// An account's holds, those made before the one with sequence `after`.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn list_holds(
        &self,
        account: &str,
        filter: &HoldFilter,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Page<HoldRow, u64>, LedgerError> {
        let found = self
            .rows(
                include_str!("../sql/list_holds.sql"),
                &[
                    &account,
                    &after.map(value::bigint).transpose()?.unwrap_or(i64::MAX),
                    &filter.state.map(HoldState::name),
                    &value::optional_instant(filter.created_from)?,
                    &value::optional_instant(filter.created_before)?,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::of(&found, limit, row, |row| row.sequence)
    }
}

fn row(row: &Row) -> Result<HoldRow, LedgerError> {
    let amount = |column: &str| value::credits(row.get(column));
    let instant = |column: &str| value::micros(row.get::<_, Timestamp>(column));
    let (state, method): (&str, &str) = (row.get("state"), row.get("method"));
    let Json(labels) = row.get("labels");
    Ok(HoldRow {
        sequence: value::unsigned(row.get("sequence"))?,
        hold_id: row.get("hold_id"),
        state: HoldState::ALL
            .into_iter()
            .find(|s| s.name() == state)
            .ok_or_else(|| unknown("state", state))?,
        method: columns::method_from_name(method).ok_or_else(|| unknown("method", method))?,
        requested: amount("requested")?,
        held: amount("held")?,
        promised: amount("promised")?,
        charged: amount("charged")?,
        overdrawn: amount("overdrawn")?,
        absorbed: amount("absorbed")?,
        released: amount("released")?,
        refunded: amount("refunded")?,
        late: row.get("late"),
        reject_overage: row.get("reject_overage"),
        max_commit: row
            .get::<_, Option<_>>("max_commit")
            .map(value::credits)
            .transpose()?,
        labels,
        created_at: instant("created_at"),
        expires_at: instant("expires_at"),
        ended_at: row.get::<_, Option<_>>("ended_at").map(value::micros),
        catalog_version: row
            .get::<_, Option<i64>>("catalog_version")
            .map(value::unsigned)
            .transpose()?,
    })
}

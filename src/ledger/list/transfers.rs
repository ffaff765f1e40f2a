//! Transfers, oldest first.

use tokio_postgres::Row;

use super::{
    super::{Ledger, LedgerError, grant_names::kind_from_name, value},
    Page, unknown,
};
use crate::domain::{account::Micros, credits::Credits, grant::GrantKind, posting::LedgerAccount};

/// A place in an account's transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferKey {
    /// The event.
    pub sequence: u64,
    /// The line in it.
    pub line: u32,
}

/// Which transfers are wanted; absent is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferFilter {
    /// Of the holds with this id.
    pub hold_id: Option<String>,
    /// Of or into this grant.
    pub grant_id: Option<String>,
    /// Occurred at or after.
    pub occurred_from: Option<Micros>,
    /// Occurred before.
    pub occurred_before: Option<Micros>,
}

/// A row of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    /// Its place in its account.
    pub key: TransferKey,
    /// The event's name.
    pub event: String,
    /// The side that gives.
    pub debit: LedgerAccount,
    /// The side that takes.
    pub credit: LedgerAccount,
    /// More than 0.
    pub amount: Credits,
    /// The grant whose credits they are.
    pub grant: Option<(String, GrantKind)>,
    /// The grant that they pass into.
    pub to_grant_id: Option<String>,
    /// The hold that moved them.
    pub hold_id: Option<String>,
    /// Who asked.
    pub actor: String,
    /// When it became true.
    pub occurred_at: Micros,
    /// When it was written.
    pub booked_at: Micros,
}

impl Ledger {
    /// An account's transfers by sequence and line, those after `after`.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn list_transfers(
        &self,
        account: &str,
        filter: &TransferFilter,
        after: Option<TransferKey>,
        limit: u32,
    ) -> Result<Page<TransferRow, TransferKey>, LedgerError> {
        // No event has sequence 0.
        let after = after.unwrap_or_default();
        let found = self
            .rows(
                include_str!("../sql/list_transfers.sql"),
                &[
                    &account,
                    &value::bigint(after.sequence)?,
                    &value::smallint(after.line)?,
                    &filter.hold_id,
                    &filter.grant_id,
                    &value::optional_instant(filter.occurred_from)?,
                    &value::optional_instant(filter.occurred_before)?,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::of(&found, limit, row, |row| row.key)
    }
}

fn row(row: &Row) -> Result<TransferRow, LedgerError> {
    let side = |column: &str| {
        let name: &str = row.get(column);
        LedgerAccount::from_name(name).ok_or_else(|| unknown(column, name))
    };
    let grant = match (
        row.get::<_, Option<String>>("grant_id"),
        row.get::<_, Option<&str>>("grant_kind"),
    ) {
        (Some(id), Some(kind)) => Some((
            id,
            kind_from_name(kind).ok_or_else(|| unknown("grant_kind", kind))?,
        )),
        _ => None,
    };
    Ok(TransferRow {
        key: TransferKey {
            sequence: value::unsigned(row.get("sequence"))?,
            line: value::unsigned_int(i32::from(row.get::<_, i16>("line")))?,
        },
        event: row.get("event"),
        debit: side("debit")?,
        credit: side("credit")?,
        amount: value::credits(row.get("amount"))?,
        grant,
        to_grant_id: row.get("to_grant_id"),
        hold_id: row.get("hold_id"),
        actor: row.get("actor"),
        occurred_at: value::micros(row.get("occurred_at")),
        booked_at: value::micros(row.get("booked_at")),
    })
}

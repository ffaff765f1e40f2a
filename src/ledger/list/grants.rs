//! Grants, newest first.

use tokio_postgres::Row;

use super::{
    super::{GrantStatus, Ledger, LedgerError, grant_names::kind_from_name, value},
    Page, unknown,
};
use crate::domain::{
    account::Micros,
    credits::Credits,
    grant::{GrantKind, Rollover},
};

/// Which grants are wanted, and at what time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantFilter {
    /// In this state; absent is all.
    pub status: Option<GrantStatus>,
    /// The clock's instant: a grant with nothing left ends without an event, so its state depends on the time.
    pub now: Micros,
}

/// A grant as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// Its number in its account.
    pub no: u32,
    /// The caller's id, or `~...` of one that Holdbook made.
    pub grant_id: String,
    /// Where it came from.
    pub kind: GrantKind,
    /// Where it stands.
    pub status: GrantStatus,
    /// What was given.
    pub amount: Credits,
    /// Neither spent nor pinned; 0 while it is pending.
    pub free: Credits,
    /// Pinned by open holds.
    pub held: Credits,
    /// Used, net of what came back to it.
    pub spent: Credits,
    /// Ended unused.
    pub breakage: Credits,
    /// Lower burns first.
    pub priority: u16,
    /// Spendable from here.
    pub starts_at: Micros,
    /// Spendable before here.
    pub expires_at: Option<Micros>,
    /// What becomes of the rest.
    pub rollover: Option<Rollover>,
    /// May not be revoked.
    pub non_refundable: bool,
    /// Who took the payment.
    pub provider: String,
    /// The provider's reference.
    pub external_reference: String,
    /// Of a rollover: the number of the grant whose rest it is.
    pub source_no: Option<u32>,
    /// When it was made.
    pub created_at: Micros,
    /// When it was taken back.
    pub revoked_at: Option<Micros>,
}

impl Ledger {
    /// An account's grants, those made before number `after`.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn list_grants(
        &self,
        account: &str,
        filter: &GrantFilter,
        after: Option<u32>,
        limit: u32,
    ) -> Result<Page<GrantRow, u32>, LedgerError> {
        let found = self
            .rows(
                include_str!("../sql/list_grants.sql"),
                &[
                    &account,
                    &after.map(value::int).transpose()?.unwrap_or(i32::MAX),
                    &filter.status.map(GrantStatus::name),
                    &value::instant(filter.now)?,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::of(&found, limit, row, |row| row.no)
    }
}

pub(in crate::ledger) fn row(row: &Row) -> Result<GrantRow, LedgerError> {
    let amount = |column: &str| value::credits(row.get(column));
    let (kind, status): (&str, &str) = (row.get("kind"), row.get("status"));
    let cap = row
        .get::<_, Option<_>>("rollover_cap")
        .map(value::credits)
        .transpose()?;
    Ok(GrantRow {
        no: value::unsigned_int(row.get("no"))?,
        grant_id: row.get("grant_id"),
        kind: kind_from_name(kind).ok_or_else(|| unknown("kind", kind))?,
        status: GrantStatus::from_name(status).ok_or_else(|| unknown("status", status))?,
        amount: amount("amount")?,
        free: amount("free")?,
        held: amount("held")?,
        spent: amount("spent")?,
        breakage: amount("breakage")?,
        priority: u16::try_from(row.get::<_, i16>("priority")).unwrap_or(0),
        starts_at: value::micros(row.get("starts_at")),
        expires_at: row.get::<_, Option<_>>("expires_at").map(value::micros),
        rollover: row
            .get::<_, Option<Micros>>("rollover_duration")
            .map(|duration| Rollover { duration, cap }),
        non_refundable: row.get("non_refundable"),
        provider: row.get("provider"),
        external_reference: row.get("external_reference"),
        source_no: row
            .get::<_, Option<_>>("source_no")
            .map(value::unsigned_int)
            .transpose()?,
        created_at: value::micros(row.get("created_at")),
        revoked_at: row.get::<_, Option<_>>("revoked_at").map(value::micros),
    })
}

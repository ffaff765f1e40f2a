//! Bills, oldest first; and what the ledger shows of a subscription.

use rust_decimal::Decimal;
use tokio_postgres::Row;

use super::{
    super::{Ledger, LedgerError, value},
    Page, unknown,
};
use crate::domain::{
    account::Micros,
    subscription::{Bill, BillKind, Status},
};

/// The account's event and the bill's number.
pub type BillKey = (u64, u32);

/// A bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillRow {
    /// The subscription.
    pub subscription_id: String,
    /// The account's event that told it.
    pub sequence: u64,
    /// What it says.
    pub bill: Bill,
}

/// A subscription as its last step left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// Its plan.
    pub plan: String,
    /// The catalog's version.
    pub version: u64,
    /// Where it stands.
    pub status: Status,
    /// When its current cycle or trial began, or it ended.
    pub since: Micros,
}

impl Ledger {
    /// An account's bills, those behind a place.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn list_bills(
        &self,
        account: &str,
        after: Option<BillKey>,
        limit: u32,
    ) -> Result<Page<BillRow, BillKey>, LedgerError> {
        let (sequence, number) = after.unwrap_or_default();
        let found = self
            .rows(
                include_str!("../sql/list_bills.sql"),
                &[
                    &account,
                    &value::bigint(sequence)?,
                    &value::int(number)?,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::of(&found, limit, row, |row| (row.sequence, row.bill.number))
    }

    /// A subscription by its id.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn subscription(
        &self,
        account: &str,
        subscription_id: &str,
    ) -> Result<Option<SubscriptionRow>, LedgerError> {
        let sql = "select plan, catalog_version, status, since from subscriptions
            where account_id = $1 and subscription_id = $2";
        let rows = self.rows(sql, &[&account, &subscription_id]).await?;
        let subscription = |row: &Row| {
            let status: &str = row.get(2);
            let all = [
                Status::Trial,
                Status::Active,
                Status::Cancelled,
                Status::Ended,
            ];
            let known = all.into_iter().find(|known| known.name() == status);
            Ok(SubscriptionRow {
                plan: row.get(0),
                version: value::unsigned(row.get(1))?,
                status: known.ok_or_else(|| unknown("status", status))?,
                since: value::micros(row.get(3)),
            })
        };
        rows.first().map(subscription).transpose()
    }
}

fn row(row: &Row) -> Result<BillRow, LedgerError> {
    let kind: &str = row.get("kind");
    let instant = |column: &str| row.get::<_, Option<_>>(column).map(value::micros);
    Ok(BillRow {
        subscription_id: row.get("subscription_id"),
        sequence: value::unsigned(row.get("sequence"))?,
        bill: Bill {
            number: value::unsigned_int(row.get("number"))?,
            kind: kind
                .parse::<BillKind>()
                .map_err(|_| unknown("kind", kind))?,
            cycle: value::unsigned_int(row.get("cycle"))?,
            charge: row.get::<_, Decimal>("charge").normalize(),
            credit: row.get::<_, Decimal>("credit").normalize(),
            from: instant("period_from"),
            until: instant("period_until"),
            at: value::micros(row.get("occurred_at")),
        },
    })
}

//! The ledger's side of the audit: what the tables say about one another, and what the comparison with Redis needs.
//!
//! Everything is read page by page, each page at one instant, so that it can run beside the relay.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use tokio_postgres::{Client, IsolationLevel, Row, Transaction};

use super::{
    Ledger, LedgerError,
    connect::{bounded, open},
    value,
};
use crate::domain::{account::Micros, credits::Credits, event::Position};

/// An audit reads much at once, and may.
const SESSION: &str = "set role holdbook_service; set statement_timeout = '10min'; set timezone = 'UTC'; \
    set default_transaction_read_only = on";

/// The comparisons of one page of accounts; each answers the rows that differ.
const COMPARISONS: [&str; 5] = [
    include_str!("sql/audit/totals.sql"),
    include_str!("sql/audit/sequences.sql"),
    include_str!("sql/audit/grants.sql"),
    include_str!("sql/audit/grant_names.sql"),
    include_str!("sql/audit/holds.sql"),
];

/// Something that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Whose.
    pub account: String,
    /// Which row of it.
    pub row: String,
    /// Which value of the row.
    pub column: String,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// One line: whose, which row, which value, what it must be and what it is.
impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            account,
            row,
            column,
            expected,
            found,
        } = self;
        write!(
            f,
            "{account}: {row}: {column}: expected {expected}, found {found}"
        )
    }
}

/// An event as the ledger has it, and the transfers that it has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Where it stood in the stream.
    pub position: Position,
    /// Whose.
    pub account: String,
    /// Its number in its account.
    pub sequence: u64,
    /// What was done.
    pub deed: Option<String>,
    /// Its name.
    pub name: String,
    /// The hold behind it.
    pub hold_sequence: Option<u64>,
    /// Who asked.
    pub actor: String,
    /// When it became true.
    pub occurred_at: Micros,
    /// Redis' packed form.
    pub raw: Vec<u8>,
    /// Its account has a row.
    pub has_account: bool,
}

/// A transfer as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTransfer {
    /// Its number in its event.
    pub line: u32,
    /// The side that gives, by name.
    pub debit: String,
    /// The side that takes, by name.
    pub credit: String,
    /// The amount.
    pub amount: Credits,
    /// The grant whose credits they are; 0 where none is.
    pub grant_no: u32,
    /// The grant that they pass into; 0 where none is.
    pub to_grant_no: u32,
    /// The hold, by the event that made it.
    pub hold_sequence: Option<u64>,
    /// The hold's id.
    pub hold_id: Option<String>,
    /// The event's name.
    pub event: String,
    /// Who asked.
    pub actor: String,
    /// When it became true.
    pub occurred_at: Micros,
}

/// A run of events, and all transfers from the one before the first up to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPage {
    /// By account and sequence.
    pub events: Vec<StoredEvent>,
    /// By account and sequence, then in order.
    pub transfers: BTreeMap<(String, u64), Vec<StoredTransfer>>,
}

/// A connection that audits.
pub struct Auditor(pub(super) Client);

impl Ledger {
    /// A connection that audits.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn auditor(&self) -> Result<Auditor, LedgerError> {
        let client = open(&self.config).await?;
        bounded(self.limit, async {
            Ok::<_, LedgerError>(client.batch_execute(SESSION).await?)
        })
        .await?;
        Ok(Auditor(client))
    }
}

impl Ledger {
    /// A connection that audits a little at a time; no statement may run longer than `limit`.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn auditor_within(&self, limit: Duration) -> Result<Auditor, LedgerError> {
        let auditor = self.auditor().await?;
        let sql = "select set_config('statement_timeout', $1, false)";
        let milliseconds = limit.as_millis().to_string();
        bounded(self.limit, async {
            Ok::<_, LedgerError>(auditor.0.query_one(sql, &[&milliseconds]).await?)
        })
        .await?;
        Ok(auditor)
    }
}

impl Auditor {
    /// The accounts after one, in order.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn accounts(&self, after: &str, limit: u32) -> Result<Vec<String>, LedgerError> {
        let sql =
            "select account_id from accounts where account_id > $1 order by account_id limit $2";
        Ok(self
            .0
            .query(sql, &[&after, &i64::from(limit)])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect())
    }

    /// What differs among the rows of these accounts.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn compare(&mut self, accounts: &[String]) -> Result<Vec<Difference>, LedgerError> {
        let tx = snapshot(&mut self.0).await?;
        let mut differences = Vec::new();
        for comparison in COMPARISONS {
            differences.extend(tx.query(comparison, &[&accounts]).await?.iter().map(|row| {
                Difference {
                    account: row.get("account_id"),
                    row: row.get("row"),
                    column: row.get("column"),
                    expected: row.get("expected"),
                    found: row.get("found"),
                }
            }));
        }
        Ok(differences)
    }

    /// The events after one, and the transfers of all of them and between them.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn events(
        &mut self,
        after: (&str, u64),
        limit: u32,
    ) -> Result<EventPage, LedgerError> {
        let tx = snapshot(&mut self.0).await?;
        let (account, sequence) = (after.0, value::bigint(after.1)?);
        let rows = tx
            .query(
                include_str!("sql/audit/events.sql"),
                &[&account, &sequence, &i64::from(limit)],
            )
            .await?;
        let events = rows
            .iter()
            .map(stored_event)
            .collect::<Result<Vec<_>, _>>()?;
        // The last page takes all that is left, so that a transfer behind the last event is seen.
        let full = events.len() >= limit as usize;
        let last = events
            .last()
            .filter(|_| full)
            .map(|event| (event.account.as_str(), event.sequence));
        let to_sequence = last
            .map(|(_, sequence)| value::bigint(sequence))
            .transpose()?;
        let to_account = last.map(|(account, _)| account);
        let rows = tx
            .query(
                include_str!("sql/audit/transfers.sql"),
                &[&account, &sequence, &to_account, &to_sequence],
            )
            .await?;
        let mut transfers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in &rows {
            let key = (row.get("account_id"), value::unsigned(row.get("sequence"))?);
            transfers
                .entry(key)
                .or_default()
                .push(stored_transfer(row)?);
        }
        Ok(EventPage { events, transfers })
    }
}

pub(super) async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, LedgerError> {
    Ok(client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?)
}

fn hold_sequence(row: &Row) -> Result<Option<u64>, LedgerError> {
    Ok(row
        .get::<_, Option<i64>>("hold_sequence")
        .map(value::unsigned)
        .transpose()?)
}

fn stored_event(row: &Row) -> Result<StoredEvent, LedgerError> {
    Ok(StoredEvent {
        position: value::position(row)?,
        account: row.get("account_id"),
        sequence: value::unsigned(row.get("sequence"))?,
        deed: row.get("deed"),
        name: row.get("name"),
        hold_sequence: hold_sequence(row)?,
        actor: row.get("actor"),
        occurred_at: value::micros(row.get("occurred_at")),
        raw: row.get("raw"),
        has_account: row.get("has_account"),
    })
}

fn stored_transfer(row: &Row) -> Result<StoredTransfer, LedgerError> {
    let number = |column: &str| {
        row.get::<_, Option<i32>>(column)
            .map_or(Ok(0), value::unsigned_int)
    };
    Ok(StoredTransfer {
        line: value::unsigned_int(i32::from(row.get::<_, i16>("line")))?,
        debit: row.get("debit"),
        credit: row.get("credit"),
        amount: value::credits(row.get("amount"))?,
        grant_no: number("grant_no")?,
        to_grant_no: number("to_grant_no")?,
        hold_sequence: hold_sequence(row)?,
        hold_id: row.get("hold_id"),
        event: row.get("event"),
        actor: row.get("actor"),
        occurred_at: value::micros(row.get("occurred_at")),
    })
}

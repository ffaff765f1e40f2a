//! The ledger's side of the audit: what the tables say about one another, and what the comparison with Redis needs.
//!
//! Everything is read page by page, each page at one instant, so that it can run beside the relay.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use tokio_postgres::{Client, IsolationLevel, Row, Transaction};

use super::{
    Ledger, LedgerError, columns,
    connect::{bounded, open},
    value,
};
use crate::domain::{
    account::{AccountTerms, Micros, Standing},
    credits::Credits,
    event::Position,
    hold::HoldState,
    plan::Spending,
};

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

/// An account as the ledger has it, for the comparison with Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// The last event posted.
    pub sequence: u64,
    /// Its declared side.
    pub terms: AccountTerms,
    /// Credits that can be spent.
    pub free: Credits,
    /// Credits pinned.
    pub held: Credits,
    /// Credits owed.
    pub debt: Credits,
    /// Of grants that have not started.
    pub pending: Credits,
    /// Free and held of each started grant that has some, by number.
    pub grants: BTreeMap<u32, (Credits, Credits)>,
    /// Open holds by id: held, promised, charged, overdrawn, absorbed, released, refunded.
    pub open_holds: BTreeMap<String, [Credits; 7]>,
    /// What Redis keeps of its plan, and the record of its subscription.
    pub plan: (Vec<u8>, Vec<u8>),
    /// What was spent under spend caps.
    pub spending: Vec<Spending>,
}

/// A connection that audits.
pub struct Auditor(Client);

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

    /// An account, its live grants and its open holds, at one instant.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn account(&mut self, account: &str) -> Result<Option<AccountState>, LedgerError> {
        let tx = snapshot(&mut self.0).await?;
        let sql = "select sequence, standing, frozen, overdraft_limit, credit_limit, max_open_holds, etag, free, held, debt \
            from accounts where account_id = $1";
        let Some(row) = tx.query_opt(sql, &[&account]).await? else {
            return Ok(None);
        };
        let sql = "select no, status, amount, free, held from grants \
            where account_id = $1 and (free <> 0 or held <> 0 or status = 'pending')";
        let (mut grants, mut pending) = (BTreeMap::new(), Credits::ZERO);
        for row in tx.query(sql, &[&account]).await? {
            if row.get::<_, &str>("status") == "pending" {
                pending += value::credits(row.get("amount"))?;
            } else {
                let amounts = (
                    value::credits(row.get("free"))?,
                    value::credits(row.get("held"))?,
                );
                grants.insert(value::unsigned_int(row.get("no"))?, amounts);
            }
        }
        let sql = "select hold_id, held, promised, charged, overdrawn, absorbed, released, refunded from holds \
            where account_id = $1 and state = $2";
        let mut open_holds = BTreeMap::new();
        for row in tx.query(sql, &[&account, &HoldState::Open.name()]).await? {
            let mut amounts = [Credits::ZERO; 7];
            for (at, amount) in amounts.iter_mut().enumerate() {
                *amount = value::credits(row.get(at + 1))?;
            }
            open_holds.insert(row.get(0), amounts);
        }
        let sql = "select plan, record from account_plans where account_id = $1";
        let plan = tx.query_opt(sql, &[&account]).await?;
        let plan = plan.map_or_else(Default::default, |row| (row.get(0), row.get(1)));
        let spending = tx
            .query_one(include_str!("sql/spending.sql"), &[&account])
            .await?;
        let terms = terms(&row)?;
        Ok(Some(AccountState {
            plan,
            spending: columns::spending(&spending)?,
            sequence: value::unsigned(row.get("sequence"))?,
            terms,
            free: value::credits(row.get("free"))?,
            held: value::credits(row.get("held"))?,
            debt: value::credits(row.get("debt"))?,
            pending,
            grants,
            open_holds,
        }))
    }
}

async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, LedgerError> {
    Ok(client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?)
}

fn terms(row: &Row) -> Result<AccountTerms, LedgerError> {
    let standing: &str = row.get("standing");
    let standing = match standing {
        "active" => Standing::Active,
        "suspended" => Standing::Suspended,
        "closed" => Standing::Closed,
        _ => {
            return Err(LedgerError::Bug(format!(
                "standing {standing:?} in the ledger is unknown"
            )));
        }
    };
    let etag: i64 = row.get("etag");
    Ok(AccountTerms {
        standing,
        frozen: row.get("frozen"),
        overdraft_limit: value::credits(row.get("overdraft_limit"))?,
        credit_limit: value::credits(row.get("credit_limit"))?,
        max_open_holds: value::unsigned_int(row.get("max_open_holds"))?,
        etag: u32::try_from(etag)
            .map_err(|_| LedgerError::Bug(format!("etag {etag} in the ledger is out of range")))?,
    })
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

//! Redis against the ledger: each account at the same event, and how far each partition is.

use std::{cmp::Ordering, collections::BTreeMap, time::Duration};

use super::{AuditError, Report, plans};
use crate::{
    domain::{
        credits::Credits,
        hold::{Hold, HoldState},
    },
    holds::{Head, Holds, Snapshot, packed::GrantBalance},
    ledger::{AccountState, Auditor, Cursor, Difference, Ledger},
};

/// How often the ledger is looked at again while it is behind Redis.
const TRIES: u32 = 100;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// How often an account is looked at without waiting.
const GLANCES: u32 = 3;

/// Compares all accounts that Redis has. One that Redis does not have is no difference: it may have been dropped while idle.
pub(super) async fn compare(
    holds: &Holds,
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), AuditError> {
    let mut auditor = ledger.auditor().await?;
    for partition in 0..holds.partitions() {
        // Where Redis is now, so that it is enough for the ledger to come here, however far Redis goes meanwhile.
        let head = holds.head(partition).await?;
        let accounts = holds.accounts(partition).await?;
        report.accounts_in_redis += accounts.len() as u64;
        for account in accounts {
            report.add(compare_account(holds, &mut auditor, &account).await?);
        }
        report.add(compare_partition(ledger, partition, head).await?);
    }
    Ok(())
}

async fn compare_account(
    holds: &Holds,
    auditor: &mut Auditor,
    account: &str,
) -> Result<Vec<Difference>, AuditError> {
    let mut sequences = (0, 0);
    for _ in 0..TRIES {
        let Some(redis) = holds.snapshot(account).await? else {
            return Ok(Vec::new());
        };
        let ledger = auditor.account(account).await?;
        sequences = (
            redis.sequence,
            ledger.as_ref().map_or(0, |state| state.sequence),
        );
        match ledger {
            Some(ledger) if ledger.sequence == redis.sequence => {
                return Ok(differences(account, &redis, &ledger));
            }
            // The ledger was read later, so it may be ahead for a moment; it is behind while the relay is.
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    let row = "account in the ledger";
    Ok(vec![last_event(account, row, sequences.0, sequences.1)])
}

/// Compares an account that Redis has, without waiting: one that the ledger is behind with is left out. The ledger is read first, so
/// Redis is never behind it by mere movement. What differs is told only if it still does at a second look.
pub(super) async fn glance(
    holds: &Holds,
    auditor: &mut Auditor,
    account: &str,
) -> Result<Vec<Difference>, AuditError> {
    let mut before = None;
    for _ in 0..GLANCES {
        let (Some(ledger), Some(redis)) = (
            auditor.account(account).await?,
            holds.snapshot(account).await?,
        ) else {
            break;
        };
        let row = "account in Redis";
        let found = match redis.sequence.cmp(&ledger.sequence) {
            Ordering::Greater => continue,
            Ordering::Less => vec![last_event(account, row, ledger.sequence, redis.sequence)],
            Ordering::Equal => differences(account, &redis, &ledger),
        };
        if found.is_empty() || before.as_ref() == Some(&found) {
            return Ok(found);
        }
        before = Some(found);
    }
    Ok(Vec::new())
}

fn last_event(account: &str, row: &str, expected: u64, found: u64) -> Difference {
    Difference {
        account: account.into(),
        row: row.into(),
        column: "last event".into(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

async fn compare_partition(
    ledger: &Ledger,
    partition: u32,
    head: Head,
) -> Result<Vec<Difference>, AuditError> {
    let expected = Cursor {
        epoch: head.epoch,
        n: head.n,
    };
    let mut cursor = ledger.cursor(partition).await?;
    for _ in 0..TRIES {
        if cursor >= expected {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        cursor = ledger.cursor(partition).await?;
    }
    let difference = |column: &str, expected: String, found: String| Difference {
        account: "(all)".into(),
        row: format!("partition {partition}"),
        column: column.into(),
        expected,
        found,
    };
    let mut found = Vec::new();
    if cursor.epoch != expected.epoch || cursor.n < expected.n {
        found.push(difference(
            "cursor",
            expected.to_string(),
            cursor.to_string(),
        ));
    }
    if head.ledger_n > cursor.n {
        found.push(difference(
            "ledger_n in Redis",
            format!("at most {}", cursor.n),
            head.ledger_n.to_string(),
        ));
    }
    Ok(found)
}

/// Everything that both know, row by row. The ledger is what is expected.
fn differences(account: &str, redis: &Snapshot, ledger: &AccountState) -> Vec<Difference> {
    let mut rows = BTreeMap::new();
    rows.insert(
        "account in Redis".to_owned(),
        (of_account_in_ledger(ledger), of_account_in_redis(redis)),
    );
    for (no, (free, held)) in &ledger.grants {
        rows.entry(format!("grant number {no} in Redis"))
            .or_default()
            .0 = amounts(&["free", "held"], &[*free, *held]);
    }
    for (hold_id, values) in &ledger.open_holds {
        rows.entry(format!("hold {hold_id} in Redis"))
            .or_default()
            .0 = amounts(&HOLD_AMOUNTS, values);
    }
    // What waits for its start is in no transfer; the sum of it is compared above.
    let nothing = |grant: &GrantBalance| grant.pending || grant.free + grant.held == Credits::ZERO;
    for grant in redis.grants.iter().filter(|grant| !nothing(grant)) {
        rows.entry(format!("grant number {} in Redis", grant.no))
            .or_default()
            .1 = amounts(&["free", "held"], &[grant.free, grant.held]);
    }
    for (hold_id, hold) in redis
        .holds
        .iter()
        .filter(|(_, hold)| hold.state == HoldState::Open)
    {
        rows.entry(format!("hold {hold_id} in Redis"))
            .or_default()
            .1 = amounts(&HOLD_AMOUNTS, &of_hold(hold));
    }
    plans::compare(redis, ledger, &mut rows);
    let mut found = Vec::new();
    for (row, (expected, is)) in rows {
        let columns: std::collections::BTreeSet<_> =
            expected.keys().chain(is.keys()).copied().collect();
        for column in columns {
            let of = |values: &Values| {
                values
                    .get(column)
                    .cloned()
                    .unwrap_or_else(|| "nothing".into())
            };
            let (expected, is) = (of(&expected), of(&is));
            if expected != is {
                let (account, row, column) = (account.to_owned(), row.clone(), column.to_owned());
                found.push(Difference {
                    account,
                    row,
                    column,
                    expected,
                    found: is,
                });
            }
        }
    }
    found
}

/// Values of a row by column.
pub(super) type Values = BTreeMap<&'static str, String>;

const HOLD_AMOUNTS: [&str; 7] = [
    "held",
    "promised",
    "charged",
    "overdrawn",
    "absorbed",
    "released",
    "refunded",
];

fn of_hold(hold: &Hold) -> [Credits; 7] {
    [
        hold.held(),
        hold.promised,
        hold.charged,
        hold.overdrawn,
        hold.absorbed,
        hold.released,
        hold.refunded,
    ]
}

fn amounts(columns: &[&'static str], values: &[Credits]) -> Values {
    columns
        .iter()
        .zip(values)
        .map(|(column, value)| (*column, value.to_string()))
        .collect()
}

fn of_account_in_ledger(ledger: &AccountState) -> Values {
    let promised = ledger
        .open_holds
        .values()
        .map(|[_, promised, ..]| *promised)
        .sum();
    let mut values = amounts(
        &["free", "held", "debt", "pending", "promised"],
        &[
            ledger.free,
            ledger.held,
            ledger.debt,
            ledger.pending,
            promised,
        ],
    );
    values.insert("terms", format!("{:?}", ledger.terms));
    values.insert("open holds", ledger.open_holds.len().to_string());
    values
}

fn of_account_in_redis(redis: &Snapshot) -> Values {
    let b = redis.balance;
    let mut values = amounts(
        &["free", "held", "debt", "pending", "promised"],
        &[b.free, b.held, b.debt, b.pending, b.promised],
    );
    values.insert("terms", format!("{:?}", redis.terms));
    values.insert("open holds", redis.open_holds.to_string());
    values
}

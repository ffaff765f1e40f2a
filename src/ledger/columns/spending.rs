//! What was spent under spend caps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{Error, Row, Statement, Transaction};

use super::{
    super::{
        error::{DataError, LedgerError},
        value,
    },
    execute,
};
use crate::domain::{credits::Credits, plan::Spending};

#[derive(Default)]
pub(in crate::ledger) struct Spendings<'a> {
    account: Vec<&'a str>,
    label: Vec<&'a str>,
    value: Vec<&'a str>,
    since: [Vec<Timestamp>; 3],
    amount: [Vec<Decimal>; 3],
}

impl<'a> Spendings<'a> {
    /// The latest of each account, label and value counts.
    pub fn of(all: impl Iterator<Item = &'a (String, Spending)>) -> Result<Self, DataError> {
        let keyed = all.map(|(account, it)| ((account, &it.label, &it.value), it));
        let latest: BTreeMap<_, _> = keyed.collect();
        let mut columns = Self::default();
        for ((account, label, value), it) in latest {
            columns.account.push(account);
            columns.label.push(label);
            columns.value.push(value);
            for (at, (since, amount)) in it.windows.iter().enumerate() {
                columns.since[at].push(value::instant(*since)?);
                columns.amount[at].push(amount.to_decimal());
            }
        }
        Ok(columns)
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        let ([hour, day, month], [in_hour, in_day, in_month]) = (&self.since, &self.amount);
        execute(
            tx,
            statement,
            self.account.len(),
            &[
                &self.account,
                &self.label,
                &self.value,
                hour,
                in_hour,
                day,
                in_day,
                month,
                in_month,
            ],
        )
        .await
    }
}

/// Of `sql/load_account.sql`; empty if nothing was ever capped.
pub(in crate::ledger) fn spending(row: &Row) -> Result<Vec<Spending>, LedgerError> {
    fn list<T: for<'r> tokio_postgres::types::FromSql<'r>>(row: &Row, column: &str) -> Vec<T> {
        row.get::<_, Option<Vec<T>>>(column).unwrap_or_default()
    }
    let labels = list::<String>(row, "labels").into_iter();
    let names = labels.zip(list::<String>(row, "values"));
    let mut all: Vec<_> = names
        .map(|(label, value)| Spending {
            label,
            value,
            windows: [(0, Credits::ZERO); 3],
        })
        .collect();
    let columns = [
        ("hours", "in_hours"),
        ("days", "in_days"),
        ("months", "in_months"),
    ];
    for (at, (since, amount)) in columns.into_iter().enumerate() {
        let windows = list::<Timestamp>(row, since).into_iter();
        let windows = windows.zip(list::<Decimal>(row, amount));
        for (it, (since, amount)) in all.iter_mut().zip(windows) {
            it.windows[at] = (value::micros(since), value::credits(amount)?);
        }
    }
    Ok(all)
}

//! Holds, after their last event in a batch.

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{Error, Statement, Transaction, types::Json};

use super::{
    super::{batch::Batch, error::DataError, value},
    execute,
};
use crate::domain::{credits::Credits, hold::Method};

/// `reserve` or `charge`.
pub(in crate::ledger) const fn method_name(method: Method) -> &'static str {
    match method {
        Method::Reserve => "reserve",
        Method::Charge => "charge",
    }
}

/// By the name that the ledger writes.
pub(in crate::ledger) fn method_from_name(name: &str) -> Option<Method> {
    [Method::Reserve, Method::Charge]
        .into_iter()
        .find(|method| method_name(*method) == name)
}

#[derive(Default)]
pub(in crate::ledger) struct Holds<'a> {
    account: Vec<&'a str>,
    sequence: Vec<i64>,
    hold_id: Vec<&'a str>,
    last_sequence: Vec<i64>,
    state: Vec<&'static str>,
    method: Vec<&'static str>,
    amounts: [Vec<Decimal>; 8],
    late: Vec<bool>,
    reject_overage: Vec<bool>,
    max_commit: Vec<Option<Decimal>>,
    labels: Vec<Json<serde_json::Map<String, serde_json::Value>>>,
    created_at: Vec<Timestamp>,
    expires_at: Vec<Timestamp>,
    ended_at: Vec<Option<Timestamp>>,
    packed: Vec<&'a [u8]>,
    catalog_version: Vec<Option<i64>>,
}

impl<'a> Holds<'a> {
    pub fn of(batch: &'a Batch<'_>) -> Result<Self, DataError> {
        let mut columns = Self::default();
        for ((account, sequence), change) in &batch.holds {
            let hold = &change.fact.hold;
            columns.account.push(account);
            columns.sequence.push(value::bigint(*sequence)?);
            columns.hold_id.push(&change.fact.hold_id);
            columns
                .last_sequence
                .push(value::bigint(change.last_sequence)?);
            columns.state.push(hold.state.name());
            columns.method.push(method_name(hold.request.method));
            let amounts = [
                hold.request.amount,
                hold.held(),
                hold.promised,
                hold.charged,
                hold.overdrawn,
                hold.absorbed,
                hold.released,
                hold.refunded,
            ];
            for (column, amount) in columns.amounts.iter_mut().zip(amounts) {
                column.push(amount.to_decimal());
            }
            columns.late.push(hold.late);
            columns.reject_overage.push(hold.rejects_overage);
            columns
                .max_commit
                .push(hold.request.max_commit.map(Credits::to_decimal));
            let labels = hold
                .request
                .labels
                .iter()
                .map(|(key, value)| (key.clone(), value.clone().into()));
            columns.labels.push(Json(labels.collect()));
            columns.created_at.push(value::instant(hold.created_at)?);
            columns.expires_at.push(value::instant(hold.expires_at)?);
            columns
                .ended_at
                .push(value::optional_instant(hold.ended_at)?);
            columns.packed.push(&change.fact.packed);
            let usage = hold.request.usage;
            columns
                .catalog_version
                .push(usage.map(|usage| i64::from(usage.version)));
        }
        Ok(columns)
    }

    pub fn len(&self) -> usize {
        self.account.len()
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        let a = &self.amounts;
        execute(
            tx,
            statement,
            self.len(),
            &[
                &self.account,
                &self.sequence,
                &self.hold_id,
                &self.last_sequence,
                &self.state,
                &self.method,
                &a[0],
                &a[1],
                &a[2],
                &a[3],
                &a[4],
                &a[5],
                &a[6],
                &a[7],
                &self.late,
                &self.reject_overage,
                &self.max_commit,
                &self.labels,
                &self.created_at,
                &self.expires_at,
                &self.ended_at,
                &self.packed,
                &self.catalog_version,
            ],
        )
        .await
    }
}

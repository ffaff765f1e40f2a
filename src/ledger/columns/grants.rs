//! Grants: those that a batch makes, those that it changes, and those that end with their account.

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{Error, Statement, Transaction};

use super::{
    super::{
        GrantStatus,
        batch::{Batch, GrantChange},
        error::DataError,
        value,
    },
    execute,
};
use crate::domain::{credits::Credits, posting::GrantTotals};

/// The columns of a grant's totals, one array each.
#[derive(Default)]
struct GrantTotalsColumns([Vec<Decimal>; 4]);

impl GrantTotalsColumns {
    fn push(&mut self, t: &GrantTotals) {
        for (column, value) in self.0.iter_mut().zip([t.free, t.held, t.spent, t.breakage]) {
            column.push(value.to_decimal());
        }
    }
}

#[derive(Default)]
pub(in crate::ledger) struct NewGrants<'a> {
    account: Vec<&'a str>,
    no: Vec<i32>,
    grant_id: Vec<&'a str>,
    kind: Vec<&'static str>,
    priority: Vec<i16>,
    amount: Vec<Decimal>,
    starts_at: Vec<Timestamp>,
    expires_at: Vec<Option<Timestamp>>,
    rollover_duration: Vec<Option<i64>>,
    rollover_cap: Vec<Option<Decimal>>,
    non_refundable: Vec<bool>,
    provider: Vec<&'a str>,
    external_reference: Vec<&'a str>,
    source_no: Vec<Option<i32>>,
    created_at: Vec<Timestamp>,
    changes: GrantColumns,
}

impl<'a> NewGrants<'a> {
    pub fn of(batch: &'a Batch<'_>) -> Result<Self, DataError> {
        let mut columns = Self::default();
        for ((account, no), grant) in &batch.new_grants {
            let terms = grant.terms;
            columns.account.push(account);
            columns.no.push(value::int(*no)?);
            columns.grant_id.push(&terms.grant_id);
            columns.kind.push(terms.kind.name());
            columns
                .priority
                .push(value::smallint(u32::from(terms.priority))?);
            columns.amount.push(terms.amount.to_decimal());
            columns.starts_at.push(value::instant(terms.starts_at)?);
            columns
                .expires_at
                .push(value::optional_instant(terms.expires_at)?);
            columns
                .rollover_duration
                .push(terms.rollover.map(|rollover| rollover.duration));
            columns.rollover_cap.push(
                terms
                    .rollover
                    .and_then(|rollover| rollover.cap)
                    .map(Credits::to_decimal),
            );
            columns.non_refundable.push(terms.non_refundable);
            columns.provider.push(&terms.provider);
            columns.external_reference.push(&terms.external_reference);
            columns
                .source_no
                .push(value::optional_int(grant.source_no)?);
            columns.created_at.push(value::instant(grant.created_at)?);
            columns.changes.push(&grant.change)?;
        }
        Ok(columns)
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        let (c, t) = (&self.changes, &self.changes.totals.0);
        execute(
            tx,
            statement,
            self.account.len(),
            &[
                &self.account,
                &self.no,
                &self.grant_id,
                &self.kind,
                &self.priority,
                &self.amount,
                &self.starts_at,
                &self.expires_at,
                &self.rollover_duration,
                &self.rollover_cap,
                &self.non_refundable,
                &self.provider,
                &self.external_reference,
                &self.source_no,
                &self.created_at,
                &c.status,
                &c.ended_at,
                &c.revoked_at,
                &t[0],
                &t[1],
                &t[2],
                &t[3],
            ],
        )
        .await
    }
}

#[derive(Default)]
struct GrantColumns {
    totals: GrantTotalsColumns,
    status: Vec<Option<&'static str>>,
    ended_at: Vec<Option<Timestamp>>,
    revoked_at: Vec<Option<Timestamp>>,
}

impl GrantColumns {
    fn push(&mut self, change: &GrantChange) -> Result<(), DataError> {
        self.totals.push(&change.totals);
        self.status.push(change.status.map(GrantStatus::name));
        self.ended_at
            .push(value::optional_instant(change.ended_at)?);
        self.revoked_at
            .push(value::optional_instant(change.revoked_at)?);
        Ok(())
    }
}

#[derive(Default)]
pub(in crate::ledger) struct Grants<'a> {
    account: Vec<&'a str>,
    no: Vec<i32>,
    changes: GrantColumns,
}

impl<'a> Grants<'a> {
    pub fn of(batch: &'a Batch<'_>) -> Result<Self, DataError> {
        let mut columns = Self::default();
        for ((account, no), change) in &batch.grants {
            columns.account.push(account);
            columns.no.push(value::int(*no)?);
            columns.changes.push(change)?;
        }
        Ok(columns)
    }

    pub fn len(&self) -> usize {
        self.account.len()
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        let (c, t) = (&self.changes, &self.changes.totals.0);
        execute(
            tx,
            statement,
            self.len(),
            &[
                &self.account,
                &self.no,
                &t[0],
                &t[1],
                &t[2],
                &t[3],
                &c.status,
                &c.ended_at,
                &c.revoked_at,
            ],
        )
        .await
    }
}

#[derive(Default)]
pub(in crate::ledger) struct Closed<'a> {
    account: Vec<&'a str>,
    closed_at: Vec<Timestamp>,
}

impl<'a> Closed<'a> {
    pub fn of(batch: &'a Batch<'_>) -> Result<Self, DataError> {
        let mut columns = Self::default();
        for (account, at) in &batch.closed {
            columns.account.push(account);
            columns.closed_at.push(value::instant(*at)?);
        }
        Ok(columns)
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        execute(
            tx,
            statement,
            self.account.len(),
            &[&self.account, &self.closed_at],
        )
        .await
    }
}

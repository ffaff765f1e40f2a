//! Subscriptions and levels as the last event of a batch left them, and the bills of all steps.

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{Error, Statement, Transaction};

use super::{
    super::{batch::Batch, error::DataError, value},
    execute,
};

#[derive(Default)]
pub(in crate::ledger) struct Subscriptions<'a> {
    account: Vec<&'a str>,
    subscription: Vec<&'a str>,
    plan: Vec<&'a str>,
    version: Vec<i64>,
    status: Vec<&'static str>,
    since: Vec<Timestamp>,
    until: Vec<Option<Timestamp>>,
    revision: Vec<i64>,
}

impl<'a> Subscriptions<'a> {
    pub fn of(batch: &Batch<'a>) -> Result<Self, DataError> {
        let mut columns = Self::default();
        for ((account, subscription), step) in &batch.subscriptions {
            columns.account.push(account);
            columns.subscription.push(subscription);
            columns.plan.push(&step.plan);
            columns.version.push(i64::from(step.version));
            columns.status.push(step.status.name());
            columns.since.push(value::instant(step.since)?);
            columns
                .until
                .push(step.until.map(value::instant).transpose()?);
            columns.revision.push(i64::from(step.revision));
        }
        Ok(columns)
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        execute(
            tx,
            statement,
            self.account.len(),
            &[
                &self.account,
                &self.subscription,
                &self.plan,
                &self.version,
                &self.status,
                &self.since,
                &self.until,
                &self.revision,
            ],
        )
        .await
    }
}

#[derive(Default)]
pub(in crate::ledger) struct Levels<'a> {
    account: Vec<&'a str>,
    capacity: Vec<&'a str>,
    level: Vec<Decimal>,
    sequence: Vec<i64>,
}

impl<'a> Levels<'a> {
    pub fn of(batch: &Batch<'a>) -> Result<Self, DataError> {
        let mut columns = Self::default();
        for ((account, capacity), (level, sequence)) in &batch.levels {
            columns.account.push(account);
            columns.capacity.push(capacity);
            columns.level.push(Decimal::new(*level, 6));
            columns.sequence.push(value::bigint(*sequence)?);
        }
        Ok(columns)
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        execute(
            tx,
            statement,
            self.account.len(),
            &[&self.account, &self.capacity, &self.level, &self.sequence],
        )
        .await
    }
}

#[derive(Default)]
pub(in crate::ledger) struct Bills<'a> {
    account: Vec<&'a str>,
    subscription: Vec<&'a str>,
    number: Vec<i32>,
    kind: Vec<&'static str>,
    cycle: Vec<i32>,
    charge: Vec<Decimal>,
    credit: Vec<Decimal>,
    from: Vec<Option<Timestamp>>,
    until: Vec<Option<Timestamp>>,
    at: Vec<Timestamp>,
    sequence: Vec<i64>,
}

impl<'a> Bills<'a> {
    pub fn of(batch: &Batch<'a>) -> Result<Self, DataError> {
        let mut columns = Self::default();
        for (account, sequence, step) in &batch.steps {
            for bill in &step.bills {
                columns.account.push(account);
                columns.subscription.push(&step.subscription_id);
                columns.number.push(value::int(bill.number)?);
                columns.kind.push(bill.kind.name());
                columns.cycle.push(value::int(bill.cycle)?);
                columns.charge.push(bill.charge);
                columns.credit.push(bill.credit);
                columns
                    .from
                    .push(bill.from.map(value::instant).transpose()?);
                columns
                    .until
                    .push(bill.until.map(value::instant).transpose()?);
                columns.at.push(value::instant(bill.at)?);
                columns.sequence.push(value::bigint(*sequence)?);
            }
        }
        Ok(columns)
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        execute(
            tx,
            statement,
            self.account.len(),
            &[
                &self.account,
                &self.subscription,
                &self.number,
                &self.kind,
                &self.cycle,
                &self.charge,
                &self.credit,
                &self.from,
                &self.until,
                &self.at,
                &self.sequence,
            ],
        )
        .await
    }
}

//! Accounts: those that a batch makes, those that it changes, and images alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{Error, Statement, Transaction};

use super::{
    super::{
        batch::{AccountChange, Batch},
        error::DataError,
        value,
    },
    execute,
};
use crate::domain::{
    account::{AccountTerms, Standing},
    event::AccountImage,
    posting::Totals,
};

/// `active`, `suspended` or `closed`.
pub(in crate::ledger) const fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Suspended => "suspended",
        Standing::Closed => "closed",
    }
}

/// The columns of an account's totals, one array each.
#[derive(Default)]
struct TotalsColumns([Vec<Decimal>; 8]);

impl TotalsColumns {
    fn push(&mut self, t: &Totals) {
        let values = [
            t.free, t.held, t.debt, t.granted, t.revoked, t.absorbed, t.spent, t.breakage,
        ];
        for (column, value) in self.0.iter_mut().zip(values) {
            column.push(value.to_decimal());
        }
    }
}

/// Accounts: those made here, and those that were there.
pub(in crate::ledger) struct Accounts<'a> {
    pub new: NewAccounts<'a>,
    pub old: OldAccounts<'a>,
}

impl<'a> Accounts<'a> {
    pub fn of(partition: u32, batch: &'a Batch<'_>) -> Result<Self, DataError> {
        let mut accounts = Self {
            new: NewAccounts::default(),
            old: OldAccounts::default(),
        };
        for (account, change) in &batch.accounts {
            match change.terms {
                Some(terms) if change.first == 1 => {
                    accounts.new.push(account, partition, terms, change)?
                }
                _ => accounts.old.push(account, change)?,
            }
        }
        Ok(accounts)
    }
}

#[derive(Default)]
pub(in crate::ledger) struct NewAccounts<'a> {
    account: Vec<&'a str>,
    partition: Vec<i32>,
    standing: Vec<&'static str>,
    frozen: Vec<bool>,
    overdraft_limit: Vec<Decimal>,
    credit_limit: Vec<Decimal>,
    max_open_holds: Vec<i32>,
    etag: Vec<i64>,
    created_at: Vec<Timestamp>,
    sequence: Vec<i64>,
    totals: TotalsColumns,
    image: Vec<Option<&'a [u8]>>,
    image_sequence: Vec<i64>,
}

impl<'a> NewAccounts<'a> {
    fn push(
        &mut self,
        account: &'a str,
        partition: u32,
        terms: &AccountTerms,
        change: &AccountChange<'a>,
    ) -> Result<(), DataError> {
        self.account.push(account);
        self.partition.push(value::int(partition)?);
        self.standing.push(standing_name(terms.standing));
        self.frozen.push(terms.frozen);
        self.overdraft_limit
            .push(terms.overdraft_limit.to_decimal());
        self.credit_limit.push(terms.credit_limit.to_decimal());
        self.max_open_holds.push(value::int(terms.max_open_holds)?);
        self.etag.push(i64::from(terms.etag));
        self.created_at.push(value::instant(change.created_at)?);
        self.sequence.push(value::bigint(change.last)?);
        self.totals.push(&change.totals);
        self.image
            .push(change.image.map(|image| image.packed.as_slice()));
        self.image_sequence.push(image_sequence(change.image)?);
        Ok(())
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        let t = &self.totals.0;
        execute(
            tx,
            statement,
            self.account.len(),
            &[
                &self.account,
                &self.partition,
                &self.standing,
                &self.frozen,
                &self.overdraft_limit,
                &self.credit_limit,
                &self.max_open_holds,
                &self.etag,
                &self.created_at,
                &self.sequence,
                &t[0],
                &t[1],
                &t[2],
                &t[3],
                &t[4],
                &t[5],
                &t[6],
                &t[7],
                &self.image,
                &self.image_sequence,
            ],
        )
        .await
    }
}

fn image_sequence(image: Option<&AccountImage>) -> Result<i64, DataError> {
    Ok(value::bigint(image.map_or(0, |image| image.sequence))?)
}

#[derive(Default)]
pub(in crate::ledger) struct OldAccounts<'a> {
    account: Vec<&'a str>,
    first: Vec<i64>,
    last: Vec<i64>,
    standing: Vec<Option<&'static str>>,
    frozen: Vec<Option<bool>>,
    overdraft_limit: Vec<Option<Decimal>>,
    credit_limit: Vec<Option<Decimal>>,
    max_open_holds: Vec<Option<i32>>,
    etag: Vec<Option<i64>>,
    totals: TotalsColumns,
    image: Vec<Option<&'a [u8]>>,
    image_sequence: Vec<i64>,
}

impl<'a> OldAccounts<'a> {
    pub fn len(&self) -> usize {
        self.account.len()
    }

    fn push(&mut self, account: &'a str, change: &AccountChange<'a>) -> Result<(), DataError> {
        let terms = change.terms;
        self.account.push(account);
        self.first.push(value::bigint(change.first)?);
        self.last.push(value::bigint(change.last)?);
        self.standing
            .push(terms.map(|terms| standing_name(terms.standing)));
        self.frozen.push(terms.map(|terms| terms.frozen));
        self.overdraft_limit
            .push(terms.map(|terms| terms.overdraft_limit.to_decimal()));
        self.credit_limit
            .push(terms.map(|terms| terms.credit_limit.to_decimal()));
        self.max_open_holds.push(
            terms
                .map(|terms| value::int(terms.max_open_holds))
                .transpose()?,
        );
        self.etag.push(terms.map(|terms| i64::from(terms.etag)));
        self.totals.push(&change.totals);
        self.image
            .push(change.image.map(|image| image.packed.as_slice()));
        self.image_sequence.push(image_sequence(change.image)?);
        Ok(())
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        let t = &self.totals.0;
        execute(
            tx,
            statement,
            self.len(),
            &[
                &self.account,
                &self.first,
                &self.last,
                &self.standing,
                &self.frozen,
                &self.overdraft_limit,
                &self.credit_limit,
                &self.max_open_holds,
                &self.etag,
                &t[0],
                &t[1],
                &t[2],
                &t[3],
                &t[4],
                &t[5],
                &t[6],
                &t[7],
                &self.image,
                &self.image_sequence,
            ],
        )
        .await
    }
}

/// Images alone.
#[derive(Default)]
pub(in crate::ledger) struct Images<'a> {
    account: Vec<&'a str>,
    image: Vec<&'a [u8]>,
    image_sequence: Vec<i64>,
}

impl<'a> Images<'a> {
    /// The newest image of an account comes last and replaces those before it.
    pub fn of(images: impl Iterator<Item = &'a AccountImage>) -> Result<Self, DataError> {
        // An id with a zero byte in it is none that Postgres could have.
        let images = images.filter(|image| !image.account.contains('\0'));
        let newest: BTreeMap<_, _> = images
            .map(|image| (image.account.as_str(), image))
            .collect();
        let mut columns = Self::default();
        for image in newest.values() {
            columns.account.push(&image.account);
            columns.image.push(&image.packed);
            columns.image_sequence.push(value::bigint(image.sequence)?);
        }
        Ok(columns)
    }

    pub async fn execute(&self, tx: &Transaction<'_>, statement: &Statement) -> Result<u64, Error> {
        execute(
            tx,
            statement,
            self.account.len(),
            &[&self.account, &self.image, &self.image_sequence],
        )
        .await
    }
}

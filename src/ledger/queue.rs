//! The events of a batch that go to quarantine.

use std::collections::BTreeSet;

use tokio_postgres::Transaction;

use super::{error::WriteError, statements::Statements, value};
use crate::domain::event::{Event, Position};

/// Why an event that is in order itself is not posted.
const BEHIND: &str = "waits behind an earlier event of its account";

/// An event, good or bad, as it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub position: Position,
    pub account: &'a str,
    pub raw: &'a [u8],
}

impl<'a> Found<'a> {
    pub fn of(event: &'a Event) -> Self {
        Self {
            position: event.position,
            account: &event.account,
            raw: &event.raw,
        }
    }
}

/// What goes to quarantine, and whose later events must follow.
pub(super) struct Queue<'a> {
    before: BTreeSet<String>,
    newly: BTreeSet<&'a str>,
    rows: Vec<(Found<'a>, String)>,
}

impl<'a> Queue<'a> {
    /// With the accounts that wait already.
    pub fn behind(before: BTreeSet<String>) -> Self {
        Self {
            before,
            newly: BTreeSet::new(),
            rows: Vec::new(),
        }
    }

    /// Events of this account must wait.
    pub fn waits(&self, account: &str) -> bool {
        self.before.contains(account) || self.newly.contains(account)
    }

    /// An event in order, of an account that waits.
    pub fn push(&mut self, found: Found<'a>) {
        self.rows.push((found, BEHIND.into()));
    }

    /// An event that cannot be posted: from here on its account waits.
    pub fn refuse(&mut self, found: Found<'a>, why: &str) {
        if !self.before.contains(found.account) {
            self.newly.insert(found.account);
        }
        self.rows.push((found, why.into()));
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The accounts that did not wait before.
    pub fn newly(&self) -> Vec<String> {
        self.newly.iter().map(|account| plain(account)).collect()
    }

    pub async fn write(
        &self,
        tx: &Transaction<'_>,
        statements: &Statements,
    ) -> Result<(), WriteError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let each = |of: fn(Position) -> Result<i64, value::OutOfRange>| {
            self.rows
                .iter()
                .map(|(found, _)| of(found.position))
                .collect::<Result<Vec<_>, _>>()
        };
        let small = |of: fn(Position) -> Result<i32, value::OutOfRange>| {
            self.rows
                .iter()
                .map(|(found, _)| of(found.position))
                .collect::<Result<Vec<_>, _>>()
        };
        let (partition, index) = (
            small(|at| value::int(at.partition))?,
            small(|at| value::int(at.index))?,
        );
        let (epoch, n) = (
            each(|at| value::bigint(at.epoch))?,
            each(|at| value::bigint(at.n))?,
        );
        let account: Vec<_> = self
            .rows
            .iter()
            .map(|(found, _)| plain(found.account))
            .collect();
        let raw: Vec<_> = self.rows.iter().map(|(found, _)| found.raw).collect();
        let why: Vec<_> = self.rows.iter().map(|(_, why)| plain(why)).collect();
        tx.execute(
            &statements.quarantine_events,
            &[&partition, &epoch, &n, &index, &account, &raw, &why],
        )
        .await?;
        Ok(())
    }
}

/// Postgres' text cannot hold a zero byte, and an unreadable event may have one anywhere.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

//! Single things, for a call that Redis no longer knows the answer to.

use std::collections::HashMap;

use super::{
    Ledger, LedgerError,
    grant_names::{GrantName, kind_from_name},
    list::{GrantRow, grant_row},
    value,
};
use crate::domain::account::Micros;

impl Ledger {
    /// The newest hold of that id, in Redis' packed form.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn hold_packed(
        &self,
        account: &str,
        hold_id: &str,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let sql = "select packed from holds where account_id = $1 and hold_id = $2 order by sequence desc limit 1";
        Ok(self
            .rows(sql, &[&account, &hold_id])
            .await?
            .first()
            .map(|row| row.get(0)))
    }

    /// The event that did this, in Redis' packed form; for the names of deeds see [`crate::domain::event::Fact::deed`].
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn deed(&self, account: &str, deed: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let sql = "select raw from events where account_id = $1 and deed = $2";
        Ok(self
            .rows(sql, &[&account, &deed])
            .await?
            .first()
            .map(|row| row.get(0)))
    }

    /// A grant by its id, its state as its events left it.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn grant(
        &self,
        account: &str,
        grant_id: &str,
    ) -> Result<Option<GrantRow>, LedgerError> {
        let found = self
            .rows(include_str!("sql/grant_by_id.sql"), &[&account, &grant_id])
            .await?;
        found.first().map(grant_row).transpose()
    }

    /// Accounts on which something is due by `now`, at most `limit`, behind the place that is named; each with its place.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn due_accounts(
        &self,
        partition: u32,
        now: Micros,
        after: &(Micros, String),
        limit: u32,
    ) -> Result<Vec<(Micros, String)>, LedgerError> {
        let sql = include_str!("sql/due_accounts.sql");
        let (partition, limit) = (value::int(partition)?, i64::from(limit));
        let rows = self
            .rows(sql, &[&partition, &now, &after.0, &after.1, &limit])
            .await?;
        Ok(rows.iter().map(|row| (row.get(1), row.get(0))).collect())
    }

    /// What grants are called, by their numbers; those that the ledger does not have are missing.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn grant_names(
        &self,
        account: &str,
        numbers: &[u32],
    ) -> Result<HashMap<u32, GrantName>, LedgerError> {
        let known = numbers
            .iter()
            .filter_map(|no| Some((*no, self.names.get(account, *no)?)));
        let mut names: HashMap<u32, GrantName> = known.collect();
        let missing = numbers
            .iter()
            .filter(|no| !names.contains_key(no))
            .map(|no| value::int(*no));
        let missing = missing.collect::<Result<Vec<_>, _>>()?;
        if missing.is_empty() {
            return Ok(names);
        }
        let sql = "select no, grant_id, kind from grants where account_id = $1 and no = any($2)";
        for row in self.rows(sql, &[&account, &missing]).await? {
            let kind: &str = row.get(2);
            let kind = kind_from_name(kind).ok_or_else(|| {
                LedgerError::Bug(format!("grant kind {kind:?} in the ledger is unknown"))
            })?;
            let (no, name) = (
                value::unsigned_int(row.get(0))?,
                GrantName {
                    grant_id: row.get::<_, &str>(1).into(),
                    kind,
                },
            );
            self.names.learn([((account, no), name.clone())]);
            names.insert(no, name);
        }
        Ok(names)
    }
}

//! A batch as columns: one array for each parameter of the statements under `sql/`.
//!
//! Every list of columns is in the order of its statement's parameters.

mod accounts;
mod grants;
mod holds;
mod spending;
mod subscriptions;

use tokio_postgres::{Error, Statement, Transaction, types::ToSql};

pub(super) use self::{
    accounts::{Accounts, Images},
    grants::{Closed, Grants, NewGrants},
    holds::{Holds, method_from_name},
    spending::{Spendings, spending},
    subscriptions::{Bills, Levels, Subscriptions},
};

/// Runs a statement unless there is nothing to do.
async fn execute(
    tx: &Transaction<'_>,
    statement: &Statement,
    rows: usize,
    columns: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    if rows == 0 {
        Ok(0)
    } else {
        tx.execute(statement, columns).await
    }
}

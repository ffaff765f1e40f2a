//! The schema: forward-only migrations, one process at a time.

use super::{LedgerError, connect::open};

mod embedded {
    refinery::embed_migrations!("src/ledger/migrations");
}

/// Taken while migrating: refinery itself takes no lock. The number only has to be ours.
const LOCK: i64 = 0x486f_6c64_626f_6f6b;

/// The newest migration that this program knows.
#[must_use]
pub fn schema_version() -> i32 {
    let runner = embedded::migrations::runner();
    runner
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// Brings the schema to [`schema_version`], as the owner of the database. Returns how many migrations that took; applying
/// again changes nothing. A schema that a newer program made is left as it is.
///
/// # Errors
/// Postgres does not answer, or a migration that was applied is not the one that this program knows.
pub async fn migrate(url: &str) -> Result<usize, LedgerError> {
    let mut client = open(&super::connect::parse(url)?).await?;
    client
        .execute("select pg_advisory_lock($1)", &[&LOCK])
        .await?;
    let report = embedded::migrations::runner()
        .set_abort_divergent(true)
        // A newer release may have been here: two of them run side by side while one replaces the other.
        .set_abort_missing(false)
        .run_async(&mut client)
        .await
        .map_err(|error| LedgerError::Setup(format!("migrating the ledger: {error}")))?;
    Ok(report.applied_migrations().len())
    // The lock goes with the connection.
}

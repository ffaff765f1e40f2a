//! Versions of the catalog: added one after the other, never changed.

use tokio_postgres::Row;

use super::{Ledger, LedgerError, connect::bounded, value};
use crate::domain::account::Micros;

/// Held while a version is added. The number only has to be ours, and another one than that of migrations.
const LOCK: i64 = 0x486f_6c64_6361_7461;

const HEADS: &str = "select version, effective_at, sha256, applied_by, applied_at from catalogs";

/// What is known of a version beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogHead {
    /// Its number, from 1 without gaps.
    pub version: u64,
    /// From when on it holds.
    pub effective_at: Micros,
    /// Of its text.
    pub sha256: String,
    /// Who applied it.
    pub applied_by: String,
    /// When.
    pub applied_at: Micros,
}

impl CatalogHead {
    /// The beginning of its text's hash, by which a hold knows it from another of the same number.
    #[must_use]
    pub fn text(&self) -> [u8; 4] {
        let digits = self.sha256.get(..8);
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        number.unwrap_or_default().to_be_bytes()
    }
}

/// The newest version, and the instant at which it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestCatalog {
    /// It and its text; none: nothing was ever applied.
    pub version: Option<(CatalogHead, String)>,
    /// By the clock of holds and grants.
    pub now: Micros,
}

/// A version to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCatalog {
    /// Its text.
    pub yaml: String,
    /// From when on it holds.
    pub effective_at: Micros,
    /// Who applies it.
    pub applied_by: String,
    /// When.
    pub applied_at: Micros,
}

impl Ledger {
    /// Versions from a number on, in order.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn catalogs_from(&self, version: u64) -> Result<Vec<CatalogHead>, LedgerError> {
        let sql = format!("{HEADS} where version >= $1 order by version");
        let rows = self.rows(&sql, &[&value::bigint(version)?]).await?;
        rows.iter().map(head).collect()
    }

    /// The text of a version.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn catalog_text(&self, version: u64) -> Result<Option<String>, LedgerError> {
        let sql = "select yaml from catalogs where version = $1";
        let rows = self.rows(sql, &[&value::bigint(version)?]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Adds what `decide` makes of the newest version, if it makes anything. Nobody else adds one meanwhile, and `now` is read
    /// then, too: so instants are in the order of versions. Returns all versions afterwards.
    ///
    /// # Errors
    /// Postgres or the clock does not answer, or `decide` refuses: then nothing was added, or, if Postgres went silent in the
    /// middle, perhaps.
    pub async fn add_catalog<E: From<LedgerError>>(
        &self,
        now: impl Future<Output = Result<Micros, E>>,
        decide: impl FnOnce(NewestCatalog) -> Result<Option<NewCatalog>, E>,
    ) -> Result<Vec<CatalogHead>, E> {
        // The lock and what is half done go with this connection, however this ends.
        let mut client = self.session().await?;
        bounded(self.limit, async {
            let lost = |error: tokio_postgres::Error| E::from(LedgerError::from(error));
            let tx = client.transaction().await.map_err(lost)?;
            tx.execute("select pg_advisory_xact_lock($1)", &[&LOCK])
                .await
                .map_err(lost)?;
            let newest = "select * from catalogs order by version desc limit 1";
            let newest = tx.query_opt(newest, &[]).await.map_err(lost)?;
            let newest = newest.map(|row| Ok::<_, LedgerError>((head(&row)?, row.get("yaml"))));
            let version = newest.transpose()?;
            let next = version.as_ref().map_or(0, |(head, _)| head.version) + 1;
            let now = now.await?;
            if let Some(new) = decide(NewestCatalog { version, now })? {
                add(&tx, next, &new).await?;
            }
            let all = format!("{HEADS} order by version");
            let rows = tx.query(&all, &[]).await.map_err(lost)?;
            let heads = rows.iter().map(head).collect::<Result<_, _>>()?;
            tx.commit().await.map_err(lost)?;
            Ok(heads)
        })
        .await
    }
}

async fn add(
    tx: &tokio_postgres::Transaction<'_>,
    version: u64,
    new: &NewCatalog,
) -> Result<(), LedgerError> {
    let sql = "insert into catalogs (version, effective_at, yaml, sha256, applied_by, applied_at)
        values ($1, $2, $3, encode(sha256(convert_to($3, 'UTF8')), 'hex'), $4, $5)";
    let (effective_at, applied_at) = (
        value::instant(new.effective_at)?,
        value::instant(new.applied_at)?,
    );
    let version = value::bigint(version)?;
    tx.execute(
        sql,
        &[
            &version,
            &effective_at,
            &new.yaml,
            &new.applied_by,
            &applied_at,
        ],
    )
    .await?;
    Ok(())
}

fn head(row: &Row) -> Result<CatalogHead, LedgerError> {
    Ok(CatalogHead {
        version: value::unsigned(row.get("version"))?,
        effective_at: value::micros(row.get("effective_at")),
        sha256: row.get("sha256"),
        applied_by: row.get("applied_by"),
        applied_at: value::micros(row.get("applied_at")),
    })
}

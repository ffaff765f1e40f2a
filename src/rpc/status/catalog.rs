//! Refusals for how the catalog stands.

use tonic::Status;

use super::{Refusal, ledger_failed};
use crate::{catalogs::CatalogsError, proto::ErrorReason, rpc::view};

/// A version of the catalog cannot be had.
#[must_use]
pub fn catalog_failed(error: CatalogsError) -> Status {
    let missing = |message| Refusal::new(ErrorReason::CatalogNotFound, message);
    match error {
        CatalogsError::Ledger(error) => ledger_failed(error),
        CatalogsError::Unknown(version) => missing(format!("the catalog has no version {version}"))
            .with("version", version)
            .status(),
        CatalogsError::NotYet(None) => {
            missing("there is no catalog: none was applied yet".to_owned()).status()
        }
        CatalogsError::NotYet(Some(first)) => {
            let begins = view::rfc3339(first.effective_at);
            missing(format!(
                "no catalog is in force before {begins}, when version {} takes effect",
                first.version
            ))
            .with("version", first.version)
            .with("effective_at", begins)
            .status()
        }
        CatalogsError::Unreadable(..) => {
            tracing::error!(%error, "a catalog of a newer program");
            Refusal::new(
                ErrorReason::Bug,
                "the catalog in force cannot be read here; the server's log has why",
            )
            .status()
        }
    }
}

/// The catalog changed since it was looked at.
#[must_use]
pub fn catalog_overtaken(newest: u64) -> Status {
    let message = format!("the catalog changed: its newest version is {newest}");
    Refusal::new(ErrorReason::EtagMismatch, message)
        .with("etag", newest)
        .status()
}

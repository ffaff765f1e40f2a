//! Versions of the catalog as callers see them.

use crate::{
    catalogs::Applied, ledger::CatalogHead, pricing::diff::Change, proto, rpc::view::instant,
};

/// A version.
pub(super) fn version(head: CatalogHead) -> proto::CatalogVersion {
    proto::CatalogVersion {
        version: head.version,
        effective_at: instant(head.effective_at),
        sha256: head.sha256,
        applied_by: head.applied_by,
        applied_at: instant(head.applied_at),
    }
}

/// What became of a catalog.
pub(super) fn applied(applied: Applied) -> proto::ApplyCatalogResponse {
    let change = |change: Change| proto::CatalogChange {
        what: change.what,
        old: change.old,
        new: change.new,
    };
    proto::ApplyCatalogResponse {
        catalog: Some(version(applied.head)),
        applied: applied.added,
        changes: applied.changes.into_iter().map(change).collect(),
        warnings: applied.warnings,
    }
}

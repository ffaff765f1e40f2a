//! The versions of a server's catalog.

use std::path::Path;

use super::{
    ApplyArgs, CatalogError, FileMistakes,
    file::{changes, text, told},
};
use crate::{
    cli::{
        ClientError,
        refusal::Refusal,
        services,
        show::{Record, Value},
        values::ServerArgs,
    },
    pricing::{Catalog, Mistake, Place, diff::Change},
    proto::{ApplyCatalogRequest, CatalogChange, CatalogVersion, GetCatalogRequest},
};

/// Makes a file the newest version.
pub(super) async fn apply(server: &ServerArgs, args: ApplyArgs) -> Result<Record, ClientError> {
    let yaml = text(&args.file)?;
    let request = ApplyCatalogRequest {
        yaml: yaml.clone(),
        effective_at: args.effective_at,
        expected_version: args.expect_version,
        validate_only: args.validate_only,
    };
    let mut pricing = services(server).await?.pricing;
    let answer = match pricing.apply_catalog(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(refused(status.into(), &args.file, &yaml)),
    };
    let change = |change: CatalogChange| Change {
        what: change.what,
        old: change.old,
        new: change.new,
    };
    Ok(Record::of([
        ("applied", Value::Flag(answer.applied)),
        ("catalog", version(answer.catalog)),
        (
            "changes",
            changes(answer.changes.into_iter().map(change).collect()),
        ),
        ("warnings", told(answer.warnings)),
    ]))
}

/// Shows a version.
pub(super) async fn get(server: &ServerArgs, number: Option<u64>) -> Result<Record, ClientError> {
    let request = GetCatalogRequest {
        version: number.unwrap_or_default(),
    };
    let mut pricing = services(server).await?.pricing;
    let answer = pricing.get_catalog(request).await?.into_inner();
    Ok(Record::of([
        ("newest_version", Value::Count(answer.newest_version)),
        ("catalog", version(answer.catalog)),
        ("yaml", Value::Text(answer.yaml)),
    ]))
}

fn version(version: Option<CatalogVersion>) -> Value {
    let Some(version) = version else {
        return Value::Absent;
    };
    Value::Record(Record::of([
        ("version", Value::Count(version.version)),
        ("effective_at", Value::instant(version.effective_at)),
        ("sha256", Value::text(&version.sha256)),
        ("applied_by", Value::text(&version.applied_by)),
        ("applied_at", Value::instant(version.applied_at)),
    ]))
}

/// Mistakes in the file as those of a file; anything else as it was said.
fn refused(refusal: Refusal, file: &Path, yaml: &str) -> ClientError {
    let mut told: Vec<_> = refusal.violations.iter().filter_map(mistake).collect();
    if told.is_empty() {
        return ClientError::Refused(Box::new(refusal));
    }
    // A refusal has room for some only; if this program finds as many, they are the same.
    let all = refusal
        .metadata
        .get("violations")
        .and_then(|all| all.parse().ok());
    if let (Some(all), Err(own)) = (all, Catalog::read(yaml)) {
        let left = usize::saturating_sub(all, told.len());
        if own.0.len() == all {
            told = own.0;
        } else if let Some(last) = told.last_mut() {
            last.what += &format!("\n(and {left} more, which the server did not tell)");
        }
    }
    let named = told.into_iter().map(|mistake| (file.to_owned(), mistake));
    CatalogError::from(FileMistakes(named.collect())).into()
}

/// `yaml[12:5]` is line 12, column 5.
fn mistake((field, what): &(String, String)) -> Option<Mistake> {
    let place = field.strip_prefix("yaml[")?.strip_suffix(']')?;
    let (line, column) = place.split_once(':')?;
    let place = Place {
        line: line.parse().ok()?,
        column: column.parse().ok()?,
    };
    Some(Mistake {
        place,
        what: what.clone(),
    })
}

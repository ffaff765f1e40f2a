//! `PricingService`: what a usage costs, and the versions of the catalog that says so.

mod quote;
mod view;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use tonic_types::FieldViolation;

use super::{
    core::{Core, caller},
    fields::Fields,
    status, usage,
    view::rfc3339,
};
use crate::{
    catalogs::{Application, ApplyError, Version},
    domain::account::Micros,
    ledger::LedgerError,
    pricing::{Mistake, Mistakes, Place},
    proto::{self, pricing_service_server::PricingService},
};

/// Most bytes of a catalog.
const YAML_MAX: usize = 256 * 1024;

/// The service.
pub struct Pricing(pub Arc<Core>);

#[tonic::async_trait]
impl PricingService for Pricing {
    async fn quote(
        &self,
        request: Request<proto::QuoteRequest>,
    ) -> Result<Response<proto::QuoteResponse>, Status> {
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.text("override", &r.r#override, usage::NAME_MAX);
        let items = usage::items(&mut fields, "usage", &r.usage);
        if !r.account_id.is_empty() {
            fields.account_id(&r.account_id);
        }
        let named = (!r.r#override.is_empty()).then_some(r.r#override.as_str());
        // A usage that is wrong in itself is told so whatever the catalog.
        let answer = match (items, self.version(r.version).await) {
            (Some(items), Ok(version)) => {
                let own = named.or(version.catalog.contract(&r.account_id));
                Ok(quote::price(&mut fields, &version, &items, own, r.exact))
            }
            (None, Ok(_)) => Ok(proto::QuoteResponse::default()),
            (_, Err(status)) => Err(status),
        };
        fields.finish()?;
        answer.map(Response::new)
    }

    async fn get_catalog(
        &self,
        request: Request<proto::GetCatalogRequest>,
    ) -> Result<Response<proto::GetCatalogResponse>, Status> {
        let catalogs = &self.0.catalogs;
        catalogs.step().await.map_err(status::ledger_failed)?;
        let asked = request.into_inner().version;
        let head = match asked {
            0 => catalogs.head_at(self.now().await?),
            _ => catalogs.head(asked),
        };
        let head = head.map_err(status::catalog_failed)?;
        let yaml = catalogs.text(head.version).await;
        Ok(Response::new(proto::GetCatalogResponse {
            catalog: Some(view::version(head)),
            yaml: yaml.map_err(status::catalog_failed)?,
            newest_version: catalogs.newest(),
        }))
    }

    async fn apply_catalog(
        &self,
        request: Request<proto::ApplyCatalogRequest>,
    ) -> Result<Response<proto::ApplyCatalogResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        if r.yaml.len() > YAML_MAX {
            fields.violation("yaml", "must be at most 262144 bytes");
        }
        // The ledger's texts have none.
        if r.yaml.contains('\0') {
            fields.violation("yaml", "must not have a zero byte");
        }
        let effective_at = fields.instant("effective_at", r.effective_at);
        fields.finish()?;
        let asked = Application {
            yaml: r.yaml,
            effective_at,
            expected: r.expected_version,
            applied_by: caller.actor,
        };
        let now = async { self.now().await.map_err(Stopped) };
        let applied = self.0.catalogs.apply(asked, r.validate_only, now).await;
        let applied = applied.map_err(|Stopped(status)| status)?;
        Ok(Response::new(view::applied(applied)))
    }
}

impl Pricing {
    /// By the clock of holds and grants; each partition has the same.
    async fn now(&self) -> Result<Micros, Status> {
        let now = self.0.memory.now().await;
        now.map_err(|error| status::failed(&error))
    }

    async fn version(&self, number: u64) -> Result<Version, Status> {
        let version = match number {
            0 => self.0.catalogs.at(self.now().await?).await,
            _ => self.0.catalogs.version(number).await,
        };
        version.map_err(status::catalog_failed)
    }
}

/// Why a catalog was not applied, as its caller is told.
struct Stopped(Status);

impl From<LedgerError> for Stopped {
    fn from(error: LedgerError) -> Self {
        Self(status::ledger_failed(error))
    }
}

impl From<ApplyError> for Stopped {
    fn from(error: ApplyError) -> Self {
        let early = |why: String| status::invalid_field("effective_at", why);
        Self(match error {
            ApplyError::Mistakes(mistakes) => refused(mistakes),
            ApplyError::Overtaken { newest } => status::catalog_overtaken(newest),
            ApplyError::Past { now } => early(format!("is in the past: it is {}", rfc3339(now))),
            ApplyError::BeforeNewest(head) => early(format!(
                "must not be before {}, when version {} takes effect",
                rfc3339(head.effective_at),
                head.version
            )),
            ApplyError::Catalogs(error) => status::catalog_failed(error),
            ApplyError::Compare(error) => {
                status::ledger_failed(LedgerError::Bug(error.to_string()))
            }
        })
    }
}

fn refused(mistakes: Mistakes) -> Status {
    let violation = |mistake: Mistake| {
        let Place { line, column } = mistake.place;
        FieldViolation::new(format!("yaml[{line}:{column}]"), mistake.what)
    };
    status::invalid(mistakes.0.into_iter().map(violation).collect())
}

//! `TestClockService`: time for tests, served only with `--test-clock`.

use tonic::{Request, Response, Status};

use super::{
    fields::{DAY, Fields},
    status, view,
};
use crate::{
    holds::{Holds, HoldsError},
    ledger::Ledger,
    proto::{self, test_clock_service_server::TestClockService},
};

/// The furthest one call moves the clock: ten years.
const ADVANCE_MAX: i64 = 3_660 * DAY;

/// The service.
pub struct TestClock(pub Holds, pub Ledger);

#[tonic::async_trait]
impl TestClockService for TestClock {
    async fn now(
        &self,
        _: Request<proto::NowRequest>,
    ) -> Result<Response<proto::NowResponse>, Status> {
        let now = self
            .0
            .test_clock()
            .await
            .map_err(|error| status::failed(&error.into()))?;
        Ok(Response::new(proto::NowResponse {
            now: view::instant(now),
        }))
    }

    async fn advance(
        &self,
        request: Request<proto::AdvanceRequest>,
    ) -> Result<Response<proto::AdvanceResponse>, Status> {
        let mut fields = Fields::default();
        let by = request.into_inner().by;
        if by.is_none() {
            fields.violation("by", "is required");
        }
        let by = fields
            .duration("by", by, 0, ADVANCE_MAX)
            .unwrap_or_default();
        fields.finish()?;
        let failed = |error: HoldsError| status::failed(&error.into());
        let now = self.0.test_clock().await.map_err(failed)? + by;
        // First in the ledger: from there a recovery has it, which may be under way in some of the partitions.
        self.1
            .set_test_clock(now)
            .await
            .map_err(status::ledger_failed)?;
        self.0.set_test_clock(now).await.map_err(failed)?;
        Ok(Response::new(proto::AdvanceResponse {
            now: view::instant(now),
        }))
    }
}

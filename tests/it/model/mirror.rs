//! A server that answers from the model itself, to prove that the runner compares: equal settings give no difference, a
//! setting that is off by a little is found out.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use holdbook::proto::account_service_server::{AccountService, AccountServiceServer};
use holdbook::proto::grant_service_server::{GrantService, GrantServiceServer};
use holdbook::proto::metering_service_server::{MeteringService, MeteringServiceServer};
use holdbook::proto::test_clock_service_server::{TestClockService, TestClockServiceServer};
use holdbook::proto::{self, ErrorReason};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::difference::name_of;
use super::lane::FreezeHook;
use super::operation::Clients;
use super::reference::{Model, Refusal, Settings, timestamp};
use super::report::Report;
use super::{DAY, SECOND, SETTINGS, runner};

#[derive(Clone)]
struct Mirror(Arc<Mutex<Model>>);

impl Mirror {
    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().expect("no call panics")
    }
}

/// What the generated traits' methods return.
type Answering<'b, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'b>>;

fn page<T>(rows: Vec<T>, page_size: u32, page_token: &str) -> (Vec<T>, String) {
    let size = if page_size == 0 {
        100
    } else {
        page_size as usize
    };
    let from: usize = page_token.parse().unwrap_or(0);
    let next = if rows.len() > from + size {
        (from + size).to_string()
    } else {
        String::new()
    };
    (rows.into_iter().skip(from).take(size).collect(), next)
}

/// A refusal as the service would send it.
fn status_of(refusal: Refusal) -> Status {
    use ErrorReason::*;
    let (code, http_status) = match refusal.reasons[0] {
        InsufficientCredits | InDebt => (Code::ResourceExhausted, 402),
        ConcurrencyLimit | CapacityLimit => (Code::ResourceExhausted, 429),
        AccountSuspended | AccountFrozen | AccountClosed => (Code::FailedPrecondition, 403),
        IdReused => (Code::AlreadyExists, 409),
        AccountNotFound | HoldNotFound | GrantNotFound => (Code::NotFound, 404),
        Invalid => (Code::InvalidArgument, 400),
        EtagMismatch => (Code::Aborted, 409),
        _ => (Code::FailedPrecondition, 409),
    };
    let mut metadata: std::collections::HashMap<String, String> =
        refusal.metadata.into_iter().collect();
    for instant in ["next_expiry", "expired_at"] {
        if let Some(value) = metadata.get_mut(instant) {
            let (seconds, micros) = value.split_once('.').expect("seconds and micros");
            let nanos = 1000 * micros.parse::<i32>().expect("micros");
            *value = jiff::Timestamp::new(seconds.parse().expect("seconds"), nanos)
                .expect("an instant")
                .to_string();
        }
    }
    metadata.insert("http_status".into(), http_status.to_string());
    metadata.insert("recorded".into(), "{}".into());
    metadata.insert(
        "reasons".into(),
        refusal
            .reasons
            .iter()
            .copied()
            .map(name_of)
            .collect::<Vec<_>>()
            .join(","),
    );
    let mut details =
        ErrorDetails::with_error_info(name_of(refusal.reasons[0]), "holdbook", metadata);
    if code == Code::ResourceExhausted {
        details.add_quota_failure_violation("account", "limit");
    }
    refusal.fields.iter().for_each(|field| {
        details.add_bad_request_violation(field, "out of bounds");
    });
    Status::with_error_details(code, "refused", details)
}

macro_rules! rpc {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        $(fn $method<'a, 'b>(&'a self, request: Request<proto::$request>) -> Answering<'b, proto::$response>
        where
            'a: 'b,
        {
            let answer = self.model().$method(request.get_ref()).map_err(status_of);
            let answer = answer.map(|answer| Response::new(proto::$response { durability: 1, ..answer }));
            Box::pin(std::future::ready(answer))
        })*
    };
}

macro_rules! read {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        $(fn $method<'a, 'b>(&'a self, request: Request<proto::$request>) -> Answering<'b, proto::$response>
        where
            'a: 'b,
        {
            let answer = self.model().$method(request.get_ref()).map(Response::new).map_err(status_of);
            Box::pin(std::future::ready(answer))
        })*
    };
}

macro_rules! list {
    ($($method:ident($request:ident) -> $response:ident.$rows:ident;)*) => {
        $(fn $method<'a, 'b>(&'a self, request: Request<proto::$request>) -> Answering<'b, proto::$response>
        where
            'a: 'b,
        {
            let request = request.into_inner();
            let rows = self.model().$method(&request).map_err(status_of);
            let answer = rows.map(|rows| {
                let ($rows, next_page_token) = page(rows, request.page_size, &request.page_token);
                Response::new(proto::$response { $rows, next_page_token })
            });
            Box::pin(std::future::ready(answer))
        })*
    };
}

#[tonic::async_trait]
impl MeteringService for Mirror {
    rpc! {
        reserve(ReserveRequest) -> ReserveResponse;
        extend(ExtendRequest) -> ExtendResponse;
        commit(CommitRequest) -> CommitResponse;
        release(ReleaseRequest) -> ReleaseResponse;
        charge(ChargeRequest) -> ChargeResponse;
        refund(RefundRequest) -> RefundResponse;
    }
    read! { get_hold(GetHoldRequest) -> GetHoldResponse; }
    list! { list_holds(ListHoldsRequest) -> ListHoldsResponse.holds; }

    type MeterStream = tokio_stream::Empty<Result<proto::MeterResponse, Status>>;

    /// Its lanes ask call by call.
    async fn meter(
        &self,
        _: Request<tonic::Streaming<proto::MeterRequest>>,
    ) -> Result<Response<Self::MeterStream>, Status> {
        Err(Status::unimplemented("the mirror has no stream"))
    }
}

#[tonic::async_trait]
impl AccountService for Mirror {
    rpc! {
        create_account(CreateAccountRequest) -> CreateAccountResponse;
        update_account(UpdateAccountRequest) -> UpdateAccountResponse;
        close_account(CloseAccountRequest) -> CloseAccountResponse;
    }
    read! {
        get_account(GetAccountRequest) -> GetAccountResponse;
        get_balance(GetBalanceRequest) -> GetBalanceResponse;
    }

    async fn change_level(
        &self,
        _: Request<proto::ChangeLevelRequest>,
    ) -> Result<Response<proto::ChangeLevelResponse>, Status> {
        Err(Status::unimplemented("the model has no levels"))
    }

    async fn list_transfers(
        &self,
        request: Request<proto::ListTransfersRequest>,
    ) -> Result<Response<proto::ListTransfersResponse>, Status> {
        let request = request.into_inner();
        let mut transfers = self.model().list_transfers(&request).map_err(status_of)?;
        transfers
            .iter_mut()
            .for_each(|row| row.booked_at = row.occurred_at);
        let (transfers, next_page_token) = page(transfers, request.page_size, &request.page_token);
        Ok(Response::new(proto::ListTransfersResponse {
            transfers,
            next_page_token,
        }))
    }
}

#[tonic::async_trait]
impl GrantService for Mirror {
    rpc! {
        grant_credits(GrantCreditsRequest) -> GrantCreditsResponse;
        revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse;
    }
    list! { list_grants(ListGrantsRequest) -> ListGrantsResponse.grants; }

    async fn purchase_credits(
        &self,
        _: Request<proto::PurchaseCreditsRequest>,
    ) -> Result<Response<proto::PurchaseCreditsResponse>, Status> {
        Err(Status::unimplemented("the model sells nothing"))
    }
}

#[tonic::async_trait]
impl TestClockService for Mirror {
    async fn now(
        &self,
        _: Request<proto::NowRequest>,
    ) -> Result<Response<proto::NowResponse>, Status> {
        Ok(Response::new(proto::NowResponse {
            now: Some(timestamp(self.model().now())),
        }))
    }

    async fn advance(
        &self,
        request: Request<proto::AdvanceRequest>,
    ) -> Result<Response<proto::AdvanceResponse>, Status> {
        let by = request.into_inner().by.unwrap_or_default();
        let mut model = self.model();
        model.advance(by.seconds * SECOND + i64::from(by.nanos) / 1000);
        Ok(Response::new(proto::AdvanceResponse {
            now: Some(timestamp(model.now())),
        }))
    }
}

/// Runs against a mirror with these settings.
async fn run_against_mirror(settings: Settings, operations: u64, seed: u64) -> Report {
    let mirror = Mirror(Arc::new(Mutex::new(Model::new(
        20_000 * DAY + 123_456,
        settings,
    ))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("a bound port"));
    let server = Server::builder()
        .add_service(MeteringServiceServer::new(mirror.clone()))
        .add_service(AccountServiceServer::new(mirror.clone()))
        .add_service(GrantServiceServer::new(mirror.clone()))
        .add_service(TestClockServiceServer::new(mirror.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(server);
    let channel = Channel::from_shared(address)
        .expect("an address")
        .connect()
        .await
        .expect("the mirror listens");
    let hook: FreezeHook = Arc::new(move |account_id, frozen| {
        let mut model = mirror.model();
        if frozen {
            model.freeze(&account_id)
        } else {
            model.unfreeze(&account_id)
        }
        Box::pin(std::future::ready(()))
    });
    let report = runner::run(
        Clients::new(channel),
        hook,
        Box::new(|_| Box::pin(async { false })),
        SETTINGS,
        operations,
        seed,
    )
    .await;
    server.abort();
    report
}

#[tokio::test]
async fn the_model_does_not_differ_from_itself() {
    let operations = super::from_environment("MIRROR_OPS", 3_000);
    let report = run_against_mirror(SETTINGS, operations, super::from_environment("SEED", 1)).await;
    println!("{report}");
    assert!(report.differences.is_empty());
    assert_eq!(report.missing(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_is_a_little_off_is_found_out() {
    let off = [
        (
            "default_ttl",
            Settings {
                default_ttl: SETTINGS.default_ttl + 1,
                ..SETTINGS
            },
        ),
        (
            "max_ttl",
            Settings {
                max_ttl: SETTINGS.max_ttl + SECOND,
                ..SETTINGS
            },
        ),
        (
            "max_lifetime",
            Settings {
                max_lifetime: SETTINGS.max_lifetime - 1,
                ..SETTINGS
            },
        ),
        (
            "repeat_window",
            Settings {
                repeat_window: SETTINGS.repeat_window + 1,
                ..SETTINGS
            },
        ),
        (
            "late_window",
            Settings {
                late_window: SETTINGS.late_window - 1,
                ..SETTINGS
            },
        ),
        (
            "refund_ttl",
            Settings {
                refund_ttl: SETTINGS.refund_ttl + 1,
                ..SETTINGS
            },
        ),
    ];
    for (which, settings) in off {
        let report = run_against_mirror(settings, 30_000, 1).await;
        println!("{which}: found after {} operations", report.operations);
        assert!(
            !report.differences.is_empty(),
            "{which} is off and nobody noticed"
        );
        assert!(
            report.differences[0].contains("its last calls"),
            "{}",
            report.differences[0]
        );
    }
}

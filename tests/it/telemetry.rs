//! What an operator sees: the admin port, Prometheus' text, and what reaches a collector over OTLP.

use std::{
    collections::HashMap,
    env,
    net::SocketAddr,
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, http::Uri, response::IntoResponse};
use holdbook::{
    admin::{Admin, Readiness},
    config::LogFormat,
    telemetry::{self, Metrics, Store, TelemetryConfig},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_stream::wrappers::TcpListenerStream;

/// Tells the test binary, started again by a test, to set up telemetry for its whole process and use it.
const EMIT: &str = "HOLDBOOK_TEST_EMIT_TELEMETRY";

/// An admin port that is served until `stop` is called.
struct Served {
    address: SocketAddr,
    readiness: watch::Sender<Readiness>,
    metrics: Metrics,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start() -> Served {
        let admin = Admin::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a port");
        let address = admin.local_addr().expect("bound");
        let (readiness, ready) = watch::channel(Readiness::waiting_for(["redis", "partition 3"]));
        let metrics = Metrics::local().expect("metrics");
        let (stop, stopped) = oneshot::channel();
        let serving = admin.serve(ready, metrics.clone(), async {
            // A dropped sender stops it too.
            let _ = stopped.await;
        });
        Served {
            address,
            readiness,
            metrics,
            stop,
            serving: tokio::spawn(serving),
        }
    }

    /// The status and the body of a GET.
    async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        let status = answer
            .split(' ')
            .nth(1)
            .expect("a status line")
            .parse()
            .expect("a number");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        (status, body.to_owned())
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_health_does_not_care() {
    let served = Served::start().await;
    assert_eq!(served.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(
        served.get("/readyz").await,
        (
            503,
            "waiting for partition 3\nwaiting for redis\n".to_owned()
        )
    );
    served
        .readiness
        .send_modify(|readiness| readiness.set("redis", true));
    assert_eq!(
        served.get("/readyz").await,
        (503, "waiting for partition 3\n".to_owned())
    );
    served
        .readiness
        .send_modify(|readiness| readiness.set("partition 3", true));
    assert_eq!(served.get("/readyz").await, (200, "ready\n".to_owned()));
    served
        .readiness
        .send_modify(|readiness| readiness.set("redis", false));
    assert_eq!(
        served.get("/readyz").await,
        (503, "waiting for redis\n".to_owned())
    );
    assert_eq!(served.get("/elsewhere").await.0, 404);
}

#[tokio::test]
async fn the_admin_port_stops_when_told() {
    let served = Served::start().await;
    served.stop.send(()).expect("still serving");
    served
        .serving
        .await
        .expect("no panic")
        .expect("a graceful end");
    TcpStream::connect(served.address)
        .await
        .expect_err("the port is free again");
}

#[tokio::test]
async fn metrics_show_what_was_recorded() {
    let served = Served::start().await;
    let instruments = served.metrics.instruments();
    instruments.call(
        "holdbook.v1.MeteringService/Reserve",
        "OK",
        Duration::from_micros(700),
    );
    instruments.store_operation(Store::Redis, "EVALSHA", Duration::from_millis(1));
    instruments.store_operation(Store::Postgres, "COPY", Duration::from_millis(1));
    instruments.reserve("held");
    instruments.reserve("held");
    instruments.reserve("INSUFFICIENT_CREDITS");
    instruments.commit(7_000_000, 500_000, 1);
    instruments.late_commit_refused();
    instruments.holds_open_changed(3);
    instruments.holds_open_changed(-1);
    instruments.ledger_lag(2, 42, Duration::from_millis(1500));
    instruments.replay_buffer(2, 7);
    instruments.relay_batch(10, Duration::from_millis(20));
    instruments.partition_open(2, true);
    instruments.quarantined(1);
    instruments.executor_batch(5);
    instruments.swept(9);
    instruments.audited(20, 3);
    let (status, text) = served.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        r#"rpc_server_call_duration_seconds_count{rpc_method="holdbook.v1.MeteringService/Reserve",rpc_response_status_code="OK",rpc_system_name="grpc"} 1"#,
        r#"rpc_server_call_duration_seconds_bucket{rpc_method="holdbook.v1.MeteringService/Reserve",rpc_response_status_code="OK",rpc_system_name="grpc",le="0.0005"} 0"#,
        r#"rpc_server_call_duration_seconds_bucket{rpc_method="holdbook.v1.MeteringService/Reserve",rpc_response_status_code="OK",rpc_system_name="grpc",le="0.001"} 1"#,
        r#"db_client_operation_duration_seconds_count{db_operation_name="EVALSHA",db_system_name="redis"} 1"#,
        r#"db_client_operation_duration_seconds_count{db_operation_name="COPY",db_system_name="postgresql"} 1"#,
        r#"holdbook_reserves_total{outcome="held"} 2"#,
        r#"holdbook_reserves_total{outcome="INSUFFICIENT_CREDITS"} 1"#,
        "holdbook_commits_charged_total 7000000",
        "holdbook_commits_overdrawn_total 500000",
        "holdbook_commits_absorbed_total 1",
        "holdbook_commits_late_refused_total 1",
        "holdbook_holds_open 2",
        r#"holdbook_ledger_lag_events{holdbook_partition="2"} 42"#,
        r#"holdbook_replay_buffer{holdbook_partition="2"} 7"#,
        r#"holdbook_ledger_lag_seconds{holdbook_partition="2"} 1.5"#,
        "holdbook_relay_batch_size_sum 10",
        "holdbook_relay_batch_duration_seconds_sum 0.02",
        r#"holdbook_partition_open{holdbook_partition="2"} 1"#,
        "holdbook_quarantine_events_total 1",
        "holdbook_executor_batch_size_sum 5",
        "holdbook_sweeper_touched_total 9",
        "holdbook_audit_accounts_total 20",
        "holdbook_audit_differences_total 3",
    ] {
        assert!(
            text.lines().any(|said| said == line),
            "{line}\nis not in\n{text}"
        );
    }
}

#[tokio::test]
async fn counters_that_alerts_watch_exist_from_the_start() {
    let text = Metrics::local().expect("metrics").text().expect("text");
    for line in [
        "holdbook_quarantine_events_total 0",
        "holdbook_audit_differences_total 0",
        "holdbook_commits_absorbed_total 0",
        "holdbook_commits_late_refused_total 0",
    ] {
        assert!(
            text.lines().any(|said| said == line),
            "{line}\nis not in\n{text}"
        );
    }
}

/// Started by other tests as a process of its own, since telemetry is set up once a process; else it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emitter() {
    if env::var_os(EMIT).is_none() {
        return;
    }
    let config = TelemetryConfig::from_env(LogFormat::Json).expect("allowed variables");
    let telemetry = telemetry::init(&config).expect("set up");
    tracing::info_span!("a span of ours")
        .in_scope(|| tracing::info!(credits = "7", "a line of ours"));
    tracing::debug!("a line too fine");
    telemetry.metrics().instruments().reserve("held");
    telemetry.shutdown().await;
}

async fn emit(variables: &[(&str, &str)]) -> Output {
    let mut emitter = Command::new(env::current_exe().expect("this program"));
    emitter
        .args(["telemetry::emitter", "--exact", "--nocapture"])
        .env(EMIT, "1");
    // What the developer's own shell says is not under test.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") || name == "RUST_LOG" {
            emitter.env_remove(name);
        }
    }
    for (name, value) in variables {
        emitter.env(name, value);
    }
    let output = tokio::task::spawn_blocking(move || emitter.output())
        .await
        .expect("no panic")
        .expect("runs");
    assert!(output.status.success(), "{output:?}");
    output
}

/// What arrived at a collector, by path.
type Received = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A collector that takes everything.
async fn collector() -> (String, Received) {
    let received = Received::default();
    let keep = Arc::clone(&received);
    let router = Router::new().fallback(async move |uri: Uri, body: Bytes| {
        keep.lock()
            .expect("no panic")
            .entry(uri.path().to_owned())
            .or_default()
            .extend_from_slice(&body);
        // An empty message: nothing was rejected.
        (
            [("content-type", "application/grpc"), ("grpc-status", "0")],
            vec![0_u8; 5],
        )
            .into_response()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let server = tonic::transport::Server::builder();
    let connections = TcpListenerStream::new(listener);
    tokio::spawn(async move { server.serve_with_incoming(router, connections).await });
    (endpoint, received)
}

fn arrived(received: &Received, signal: &str, text: &str) -> bool {
    let path = format!("/opentelemetry.proto.collector.{signal}/Export");
    let received = received.lock().expect("no panic");
    received.get(&path).is_some_and(|bytes| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn traces_metrics_and_logs_reach_a_collector() {
    let (endpoint, received) = collector().await;
    emit(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("RUST_LOG", "off"),
    ])
    .await;
    assert!(arrived(
        &received,
        "trace.v1.TraceService",
        "a span of ours"
    ));
    assert!(
        arrived(&received, "trace.v1.TraceService", "holdbook"),
        "the service's name"
    );
    assert!(arrived(
        &received,
        "metrics.v1.MetricsService",
        "holdbook.reserves"
    ));
    assert!(arrived(&received, "logs.v1.LogsService", "a line of ours"));
    assert!(!arrived(
        &received,
        "logs.v1.LogsService",
        "a line too fine"
    ));
}

#[tokio::test]
async fn the_standard_variables_are_honoured() {
    let (endpoint, received) = collector().await;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    emit(&[endpoint, ("OTEL_SDK_DISABLED", "true")]).await;
    assert!(received.lock().expect("no panic").is_empty());
    emit(&[
        endpoint,
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_SERVICE_NAME", "farm-seven"),
    ])
    .await;
    assert!(arrived(&received, "trace.v1.TraceService", "farm-seven"));
    assert!(!arrived(&received, "logs.v1.LogsService", "a line of ours"));
}

#[tokio::test]
async fn log_lines_are_json_on_standard_error() {
    let output = emit(&[("RUST_LOG", "info")]).await;
    let lines = String::from_utf8(output.stderr).expect("text");
    let line = lines
        .lines()
        .find(|line| line.contains("a line of ours"))
        .expect("logged");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(
        (line["level"].as_str(), line["credits"].as_str()),
        (Some("INFO"), Some("7"))
    );
    assert!(!lines.contains("a line too fine"), "{lines}");
}

//! The reference model and the random sequences that compare it with the service, answer by answer.
//!
//! `reference` owns what is right, `generate` what is tried, `lane` and `inspect` the comparing, `mirror` the proof that
//! a difference is found. Nothing here knows how the service does it.

mod alter;
mod clock;
mod dice;
pub mod difference;
mod generate;
mod inspect;
mod lane;
mod mirror;
mod operation;
mod reference;
mod report;
mod requests;
mod rules;
mod runner;
mod script;
mod spoil;
mod tables;

use std::env;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use holdbook::cli::stream::MeterStream;
use holdbook::proto::{
    self, ApplyCatalogRequest, pricing_service_client::PricingServiceClient,
    test_clock_service_client::TestClockServiceClient,
};

use crate::support::Stack;
pub use dice::Dice;
use lane::FreezeHook;
use operation::Clients;
use reference::Settings;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// What the test stack runs with: the defaults, but so short a lifetime that holds meet it.
const SETTINGS: Settings = Settings {
    default_ttl: HOUR,
    max_ttl: DAY,
    max_lifetime: 26 * HOUR,
    repeat_window: DAY,
    late_window: DAY,
    refund_ttl: 30 * DAY,
    prices: [
        (0, 1_000_000),
        (2 * HOUR, 500_000),
        (3 * DAY, 2_000_000),
        (40 * DAY, 1),
        (400 * DAY, 1_250_000),
        (4000 * DAY, 3_000_000),
    ],
};

/// Applies all versions, each from its instant on.
async fn sell(stack: &Stack) {
    let mut prices = PricingServiceClient::new(stack.channel());
    let mut clock = TestClockServiceClient::new(stack.channel());
    let now = clock.now(proto::NowRequest {}).await.expect("the time");
    let now = reference::micros(&now.into_inner().now.expect("the time"));
    for (after, price) in SETTINGS.prices {
        let price = reference::show(price);
        let request = ApplyCatalogRequest {
            yaml: format!("catalog: model\nmeters: {{job: {{unit: second, price: {price}}}}}\n"),
            effective_at: Some(reference::timestamp(now + after)),
            ..Default::default()
        };
        let applied = prices.apply_catalog(request).await;
        assert!(applied.expect("a catalog").into_inner().applied);
    }
}

pub fn from_environment(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}; it must be a whole number")),
        Err(_) => default,
    }
}

async fn compare(
    stack: Stack,
    operations: u64,
    between: impl Fn(&Arc<Stack>, u64) -> BoxFuture<'static, bool> + Send + Sync + 'static,
) {
    // A fixed seed where none is given: `make test` tells the same every time; `make model` draws one by the clock.
    let seed = from_environment("SEED", 7);
    sell(&stack).await;
    let stack = Arc::new(stack);
    let stream = MeterStream::open(stack.channel()).await;
    let clients = Clients {
        stream: Some(stream.expect("a stream")),
        ..Clients::new(stack.channel())
    };
    let rounds = stack.clone();
    let hook: FreezeHook = Arc::new(move |account_id, frozen| {
        let stack = stack.clone();
        Box::pin(async move {
            if frozen {
                stack.freeze(&account_id).await;
            } else {
                stack.unfreeze(&account_id).await;
            }
        })
    });
    let between = Box::new(move |round| between(&rounds, round));
    let report = runner::run(clients, hook, between, SETTINGS, operations, seed).await;
    println!("{report}");
    assert!(
        report.differences.is_empty(),
        "the service and the model differ; SEED={seed} OPS={operations} shows it again"
    );
    assert_eq!(
        report.missing(),
        Vec::<String>::new(),
        "the run was too tame: these did not occur often enough"
    );
}

/// OPS (default 50,000) random calls from SEED (default 7) against the real service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sequences() {
    let stack = Stack::start_with_test_clock().await;
    let quiet = |_: &Arc<Stack>, _| -> BoxFuture<'static, bool> { Box::pin(async { false }) };
    compare(stack, from_environment("OPS", 50_000), quiet).await;
}

/// The same while every account is dropped as idle again and again, often between a call and its repeat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sequences_while_accounts_are_dropped() {
    const ROUNDS_BETWEEN: u64 = 2;
    let stack = Stack::start_with_test_clock().await;
    let evict = |stack: &Arc<Stack>, round: u64| -> BoxFuture<'static, bool> {
        let stack = stack.clone();
        Box::pin(async move {
            if round % ROUNDS_BETWEEN == ROUNDS_BETWEEN - 1 {
                assert!(stack.evict().await > 0, "no account was dropped");
            }
            false
        })
    };
    compare(stack, from_environment("IDLE_OPS", 8_000), evict).await;
}

/// The same while Redis forgets everything again and again, once the ledger has it: every account is loaded anew, and no answer
/// shows it but those about holds that nobody knows: they may have been lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sequences_while_redis_forgets() {
    const ROUNDS_BETWEEN: u64 = 6;
    let stack = Stack::start_with_test_clock().await;
    let forget = |stack: &Arc<Stack>, round: u64| -> BoxFuture<'static, bool> {
        let stack = stack.clone();
        Box::pin(async move {
            let lose = round % ROUNDS_BETWEEN == ROUNDS_BETWEEN - 1;
            if lose {
                stack.forget().await;
            }
            lose
        })
    };
    compare(stack, from_environment("FORGETFUL_OPS", 8_000), forget).await;
}

//! Tables: texts that say what is asked and what must be answered, performed on the real service and on the model at once.
//!
//! A line is a call and, after `=>`, words that must be in its answer: a reason, `key=value`, `field=name`. Beyond those
//! words each answer must be the model's. `+1h` moves the clock. `freeze` and `unfreeze` do what quarantine does; `forget`
//! drops what Redis remembers of ended holds and of grants, as it does by itself some time after the windows. After ` # ` stands the
//! rule. At its end the table's account is compared with the model whole, and with the sums of its ledger rows.
//!
//! Each table has an account of its own. They share one service, and its clock: one table at a time.

mod ask;
mod ends;
mod line;
mod tell;

use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use holdbook::proto::{self, ListGrantsRequest, ListHoldsRequest, ListTransfersRequest};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};

use super::operation::Clients;
use super::reference::{Model, micros, timestamp};
use super::requests::duration;
use super::{SETTINGS, difference, inspect};
use crate::support::Stack;
use line::{Line, span};

// The service outlives the test that happened to start it, so it must not live on that test's runtime.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
});
static STACK: OnceCell<Mutex<Stack>> = OnceCell::const_new();
static TABLES: AtomicU64 = AtomicU64::new(1);

/// Performs a table; panics with the place of the table, the line, and what differed.
#[track_caller]
pub fn table(text: &str) {
    let place = Location::caller();
    let outcome = RUNTIME.block_on(async {
        let start = || async { Mutex::new(Stack::start_with_test_clock().await) };
        let stack = STACK.get_or_init(start).await.lock().await;
        Table::new(&stack).await.perform(text).await
    });
    if let Err(why) = outcome {
        panic!("the table at {}:{}, {why}", place.file(), place.line());
    }
}

/// A table that is being performed.
struct Table<'a> {
    stack: &'a Stack,
    clients: Clients,
    model: Model,
    account_id: String,
}

impl<'a> Table<'a> {
    async fn new(stack: &'a Stack) -> Self {
        let mut clients = Clients::new(stack.channel());
        let answer = clients.clock.now(proto::NowRequest {}).await;
        let now = answer.expect("the test clock answers").into_inner().now;
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        Self {
            stack,
            clients,
            model: Model::new(micros(&now.expect("the time")), SETTINGS),
            account_id: format!("table-{number}"),
        }
    }

    async fn perform(mut self, text: &str) -> Result<(), String> {
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            let told = |why| format!("its line {number}: {line}\n{why}");
            let (asked, _) = line.split_once("# ").unwrap_or((line, ""));
            let (call, wanted) = asked.split_once("=>").unwrap_or((asked, ""));
            let words: Vec<&str> = call.split_whitespace().collect();
            if !words.is_empty() {
                self.line(&words, wanted.trim()).await.map_err(told)?;
            }
        }
        ends::meet(self)
            .await
            .map_err(|why| format!("at its end:\n{why}"))
    }

    async fn line(&mut self, words: &[&str], wanted: &str) -> Result<(), String> {
        let (verb, name) = (words[0], words.get(1).copied().unwrap_or_default());
        let got = match verb {
            "freeze" | "unfreeze" => return self.freeze(verb == "freeze").await,
            "forget" => return self.forget().await,
            "rows" | "grants" | "holds" => self.list(verb).await?,
            by if by.starts_with('+') => return self.advance(span(&by[1..])).await,
            _ => self.call(verb, name, words, wanted.is_empty()).await?,
        };
        let wanted = wanted.split_whitespace();
        let missing: Vec<&str> = wanted.filter(|w| !got.iter().any(|g| g == w)).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "  not in the answer: {missing:?}\n  the answer: {got:?}"
            )),
        }
    }

    /// Asks the service and the model the same; the words of the answer.
    async fn call(
        &mut self,
        verb: &str,
        name: &str,
        words: &[&str],
        must_succeed: bool,
    ) -> Result<Vec<String>, String> {
        let line = Line(words.to_vec());
        let operation = ask::operation(verb, name, &line, &self.account_id, self.model.now());
        let service = operation.send(&mut self.clients).await;
        let model = operation.expect(&mut self.model);
        if let Some(found) = difference::of_answers(&service, &model) {
            return Err(format!("  the service and the model differ:\n{found}"));
        }
        match (service, model) {
            (Ok(reply), _) => {
                let pairs = tell::reply(&reply);
                Ok(pairs.iter().map(|(k, v)| format!("{k}={v}")).collect())
            }
            (Err(status), Err(_)) if must_succeed => Err(format!("  refused: {status}")),
            (Err(_), Err(refusal)) => Ok(tell::refusal(&refusal)),
            (Err(status), Ok(_)) => Err(format!("  refused: {status}")),
        }
    }

    /// The last rows, the grants or the holds, as the ledger has them.
    async fn list(&mut self, what: &str) -> Result<Vec<String>, String> {
        let account_id = self.account_id.clone();
        let told = |status: tonic::Status| format!("  refused: {status}");
        let pairs = match what {
            "rows" => {
                let request = ListTransfersRequest {
                    account_id,
                    ..Default::default()
                };
                tell::last_rows(&inspect::all_transfers(&mut self.clients, &request).await?)
            }
            "grants" => {
                let request = ListGrantsRequest {
                    account_id,
                    page_size: 1000,
                    ..Default::default()
                };
                let answer = self.clients.grants.list_grants(request).await;
                return Ok(tell::grants(&answer.map_err(told)?.into_inner().grants));
            }
            _ => {
                let request = ListHoldsRequest {
                    account_id,
                    ..Default::default()
                };
                let answer = self.clients.metering.list_holds(request).await;
                tell::holds(&answer.map_err(told)?.into_inner().holds)
            }
        };
        Ok(pairs.iter().map(|(k, v)| format!("{k}={v}")).collect())
    }

    async fn advance(&mut self, by: i64) -> Result<(), String> {
        let request = proto::AdvanceRequest {
            by: Some(duration(by)),
        };
        let answer = self.clients.clock.advance(request).await;
        self.model.advance(by);
        let now = answer.map_err(|status| format!("  refused: {status}"))?;
        match now.into_inner().now == Some(timestamp(self.model.now())) {
            true => Ok(()),
            false => Err("  the clock moved by something else".into()),
        }
    }

    async fn freeze(&mut self, frozen: bool) -> Result<(), String> {
        if frozen {
            self.stack.freeze(&self.account_id).await;
            self.model.freeze(&self.account_id);
        } else {
            self.stack.unfreeze(&self.account_id).await;
            self.model.unfreeze(&self.account_id);
        }
        Ok(())
    }

    /// Redis counts the lives of these keys on its own clock, which the test clock does not move.
    async fn forget(&mut self) -> Result<(), String> {
        // What is forgotten must be in the ledger, as it is by then.
        self.stack.drain().await;
        let client = redis::Client::open(self.stack.redis.url()).expect("a URL");
        let connected = client.get_multiplexed_async_connection().await;
        let mut redis = connected.expect("Redis answers");
        let pattern = format!("hb:*:[dpg]:{}:*", self.account_id);
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(pattern)
            .query_async(&mut redis)
            .await
            .expect("Redis answers");
        let dropped: usize = redis::cmd("DEL")
            .arg(&keys)
            .query_async(&mut redis)
            .await
            .map_err(|error| format!("  nothing to forget: {error}"))?;
        assert_eq!(dropped, keys.len());
        Ok(())
    }
}

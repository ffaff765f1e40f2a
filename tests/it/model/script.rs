//! Tables: texts that say what is asked and what must be answered, performed on the real service and on the model at once.
//!
//! A line is a call and, after `=>`, words that must be in its answer: a reason, `key=value`, `field=name`. Beyond those
//! words each answer must be the model's. `+1h` moves the clock. `freeze` and `unfreeze` do what quarantine does; `forget`
//! drops what Redis remembers of ended holds and of grants, as it does by itself some time after the windows. `evict` drops idle accounts
//! from Redis (`dropped` or `kept` says whether the table's is among them), `lose` everything that Redis has. `ledger stops`
//! keeps Postgres from taking rows, until `ledger goes-on`. After ` # ` stands the rule. At its end the table's account is compared with the model whole, and with the sums of its ledger rows.
//!
//! Lines that begin with `|` are sent at once; the numbers of their answers tell the order in which the model does the same.
//!
//! `account a` makes the account and turns to it; `in a` turns back to it. Each table has accounts of its own. They share
//! one service, and its clock: one table at a time.

mod ask;
mod ends;
mod line;
mod tell;

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use holdbook::proto::{self, ListGrantsRequest, ListHoldsRequest, ListTransfersRequest};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};
use tonic::Status;

use super::operation::{Clients, Operation, Reply};
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
/// When a table lost Redis; what is unknown means another thing for long after that.
static LOST_AT: AtomicI64 = AtomicI64::new(0);

/// Performs a table; panics with the place of the table, the line, and what differed.
#[track_caller]
pub fn table(text: &str) {
    let place = Location::caller();
    let outcome = RUNTIME.block_on(async {
        let start = || async { Mutex::new(Stack::start_with_test_clock().await) };
        let stack = STACK.get_or_init(start).await.lock().await;
        let mut table = Table::new(&stack).await;
        table.leave_losses_behind().await?;
        table.perform(text).await
    });
    if let Err(why) = outcome {
        panic!("the table at {}:{}, {why}", place.file(), place.line());
    }
}

/// A line, read.
struct Asked<'a> {
    /// The line as it stands, with its number.
    told: String,
    words: Line<'a>,
    wanted: Vec<&'a str>,
}

impl Asked<'_> {
    fn name(&self) -> &str {
        self.words.0.get(1).copied().unwrap_or_default()
    }

    fn finds_its_words_in(&self, got: &[String]) -> Result<(), String> {
        let missing = |word: &&&str| !got.iter().any(|g| g == **word);
        let missing: Vec<_> = self.wanted.iter().filter(missing).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "  not in the answer: {missing:?}\n  the answer: {got:?}"
            )),
        }
    }
}

/// A table that is being performed.
struct Table<'a> {
    stack: &'a Stack,
    clients: Clients,
    model: Model,
    number: u64,
    /// Holds a lock while the ledger is stopped.
    lock: Option<tokio_postgres::Client>,
    /// The account that the lines are about.
    account_id: String,
    /// All that were created here.
    accounts: BTreeSet<String>,
}

impl<'a> Table<'a> {
    async fn new(stack: &'a Stack) -> Self {
        let mut clients = Clients::new(stack.channel());
        let answer = clients.clock.now(proto::NowRequest {}).await;
        let now = answer.expect("the test clock answers").into_inner().now;
        Self {
            stack,
            clients,
            model: Model::new(micros(&now.expect("the time")), SETTINGS),
            number: TABLES.fetch_add(1, Ordering::Relaxed),
            lock: None,
            account_id: String::new(),
            accounts: BTreeSet::new(),
        }
    }

    /// Another table's loss is none of this one's.
    async fn leave_losses_behind(&mut self) -> Result<(), String> {
        let over = LOST_AT.load(Ordering::Relaxed) + SETTINGS.max_lifetime + SETTINGS.late_window;
        match over + 1 - self.model.now() {
            left if left > 0 => self.advance(left).await,
            _ => Ok(()),
        }
    }

    async fn perform(mut self, text: &str) -> Result<(), String> {
        let mut together = Vec::new();
        for (number, text) in (1..).zip(text.lines().map(str::trim)) {
            let (asked, _) = text.split_once("# ").unwrap_or((text, ""));
            let (call, wanted) = asked.split_once("=>").unwrap_or((asked, ""));
            let (at_once, call) = match call.strip_prefix('|') {
                Some(call) => (true, call),
                None => (false, call),
            };
            let words = call.split_whitespace().collect::<Vec<_>>();
            let line = Asked {
                told: format!("its line {number}: {text}"),
                words: Line(words),
                wanted: wanted.split_whitespace().collect(),
            };
            if at_once {
                together.push(line);
                continue;
            }
            self.at_once(std::mem::take(&mut together)).await?;
            if !line.words.0.is_empty() {
                let done = self.line(&line).await;
                done.map_err(|why| format!("{}\n{why}", line.told))?;
            }
        }
        self.at_once(together).await?;
        ends::meet(self)
            .await
            .map_err(|why| format!("at its end:\n{why}"))
    }

    async fn line(&mut self, line: &Asked<'_>) -> Result<(), String> {
        let verb = line.words.0[0];
        let got = match verb {
            "in" => {
                self.turn_to(line.name());
                return Ok(());
            }
            "freeze" | "unfreeze" => return self.freeze(verb == "freeze").await,
            "forget" => return self.forget().await,
            "evict" => self.evict().await,
            "lose" => {
                self.stack.forget().await;
                // The clock can be moved again once every partition is open.
                let holds = self.stack.service.holds();
                (0..holds.partitions()).for_each(|partition| holds.suspect(partition));
                self.stack.drain().await;
                self.model.lose();
                LOST_AT.store(self.model.now(), Ordering::Relaxed);
                return Ok(());
            }
            "ledger" => {
                self.ledger(line.name() == "stops").await;
                return Ok(());
            }
            "rows" | "grants" | "holds" => self.list(verb).await?,
            by if by.starts_with('+') => return self.advance(span(&by[1..])).await,
            _ => {
                let operation = self.operation(line);
                let answer = operation.send(&mut self.clients).await;
                self.compared(&operation, &answer, line)?
            }
        };
        line.finds_its_words_in(&got)
    }

    /// Sends all these calls before the first is answered, and has the model do them in the service's order (O1).
    async fn at_once(&mut self, lines: Vec<Asked<'_>>) -> Result<(), String> {
        let operations: Vec<_> = lines.iter().map(|line| self.operation(line)).collect();
        let clients = self.clients.clone();
        let send = |operation: &Operation| {
            let (operation, mut clients) = (operation.clone(), clients.clone());
            async move { operation.send(&mut clients).await }
        };
        let answers = futures_util::future::join_all(operations.iter().map(send)).await;
        let place = |answer: &Result<Reply, _>| {
            let reply = answer.as_ref().ok()?;
            Some((
                tell::sequence(reply)?,
                reply.clone().outcome() == "replayed",
            ))
        };
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|i| place(&answers[*i]));
        for i in order {
            let line = &lines[i];
            self.compared(&operations[i], &answers[i], line)
                .and_then(|got| line.finds_its_words_in(&got))
                .map_err(|why| format!("{}\n{why}", line.told))?;
        }
        Ok(())
    }

    fn operation(&mut self, line: &Asked<'_>) -> Operation {
        let (verb, name) = (line.words.0[0], line.name());
        if verb == "account" {
            self.turn_to(name);
            self.accounts.insert(self.account_id.clone());
        }
        ask::operation(verb, name, &line.words, &self.account_id, self.model.now())
    }

    /// The words of the service's answer, once it is the model's.
    fn compared(
        &mut self,
        operation: &Operation,
        service: &Result<Reply, Box<Status>>,
        line: &Asked<'_>,
    ) -> Result<Vec<String>, String> {
        let model = operation.expect(&mut self.model);
        if let Some(found) = difference::of_answers(service, &model) {
            return Err(format!("  the service and the model differ:\n{found}"));
        }
        match (service, model) {
            (Ok(reply), _) => Ok(tell::reply(reply)),
            (Err(_), Err(refusal)) if !line.wanted.is_empty() => Ok(tell::refusal(&refusal)),
            (Err(status), _) => Err(format!("  refused: {status}")),
        }
    }

    fn turn_to(&mut self, name: &str) {
        self.account_id = format!("table-{}-{name}", self.number);
    }

    /// The last rows, the grants or the holds, as the ledger has them.
    async fn list(&mut self, what: &str) -> Result<Vec<String>, String> {
        // These answers wait for the ledger only so long; the stack waits as long as a slow machine needs.
        self.stack.drain().await;
        let account_id = self.account_id.clone();
        let told = |status: Status| format!("  refused: {status}");
        Ok(match what {
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
                tell::grants(&answer.map_err(told)?.into_inner().grants)
            }
            _ => {
                let request = ListHoldsRequest {
                    account_id,
                    ..Default::default()
                };
                let answer = self.clients.metering.list_holds(request).await;
                tell::holds(&answer.map_err(told)?.into_inner().holds)
            }
        })
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

    /// What is posted waits for the lock; what is read does not.
    async fn ledger(&mut self, stops: bool) {
        if let Some(client) = self.lock.take() {
            client.batch_execute("commit").await.expect("unlocked");
            self.stack.drain().await;
        }
        // A table that fails before it goes on drops the connection, which ends the transaction too.
        if stops {
            let connected =
                tokio_postgres::connect(&self.stack.postgres_url, tokio_postgres::NoTls).await;
            let (client, connection) = connected.expect("Postgres answers");
            tokio::spawn(connection);
            let locked = client.batch_execute("begin; lock table events in exclusive mode");
            locked.await.expect("a lock");
            self.lock = Some(client);
        }
    }

    /// Idle accounts go; says what became of this one.
    async fn evict(&self) -> Vec<String> {
        self.stack.evict().await;
        let there = self.stack.service.holds().snapshot(&self.account_id).await;
        let kept = there.expect("Redis answers").is_some();
        vec![if kept { "kept" } else { "dropped" }.into()]
    }

    /// Redis counts the lives of these keys on its own clock, which the test clock does not move.
    async fn forget(&mut self) -> Result<(), String> {
        // What is forgotten must be in the ledger, as it is by then.
        self.stack.drain().await;
        let client = redis::Client::open(self.stack.redis.url()).expect("a URL");
        let connected = client.get_multiplexed_async_connection().await;
        let mut redis = connected.expect("Redis answers");
        let pattern = format!("hb:*:[dpg]:*:{}:*", self.account_id);
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

//! What a run stands on: two serving processes, one Redis behind the proxy, a database, and how all of it is healed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use holdbook::{
    dev::{PostgresServer, RedisServer},
    holds, ledger,
    proto::{
        ApplyCatalogRequest, CreateAccountRequest, GetBalanceRequest, GrantCreditsRequest,
        GrantKind, ListTransfersRequest, SubscribeRequest,
        account_service_client::AccountServiceClient, grant_service_client::GrantServiceClient,
        pricing_service_client::PricingServiceClient,
        subscription_service_client::SubscriptionServiceClient,
    },
};
use tokio::{process::Command, time};
use tokio_postgres::NoTls;
use tonic::{Code, Request, Status, transport::Channel};

use super::{client::Doors, dials::Dials, process::Process, proxy::Proxy, server};

/// Of every account, with one of two plans: what they cap is out of reach, so that spending is counted and nothing is refused.
pub const SUBSCRIPTION: &str = "sub";
pub const PLANS: [&str; 2] = ["even", "odd"];
/// Levels that grow by one at a time.
pub const LEVEL: &str = "files";
const CATALOG: &str = "meters: {job: {unit: second, price: 1}}
capacities: {files: file}
plans:
  even: {allowance: 0, spend_caps: {month: 1000000000, per_label: {user: {day: 1000000000}}}}
  odd: {allowance: 0, spend_caps: {per_label: {project: {hour: 1000000000}, user: {month: 1000000000}}}}
";

const PARTITIONS: u32 = 2;
const ACCOUNTS: usize = 6;
/// Between two looks at something that is coming back.
pub const LOOK: Duration = Duration::from_millis(10);
const CALL_LIMIT: Duration = Duration::from_secs(3);
/// Entries that Redis has and the ledger does not when something is to be lost.
const BEHIND: i64 = 12;
pub struct World {
    pub redis: RedisServer,
    /// Of `redis`, not of `other`.
    pub dials: Dials,
    /// A second server, while a fault needs one.
    pub other: Option<RedisServer>,
    pub proxy: Proxy,
    pub postgres: PostgresServer,
    pub postgres_url: String,
    database: String,
    pub processes: [Process; 2],
    pub accounts: Arc<Vec<String>>,
    pub folder: PathBuf,
}

impl World {
    /// `slow`: the ledger follows at a distance, so that there is something to roll back. `library`: for the dials.
    pub async fn start(
        postgres: PostgresServer,
        folder: PathBuf,
        slow: bool,
        library: &Path,
    ) -> Self {
        let name = format!("chaos{}", uuid::Uuid::new_v4().simple());
        postgres
            .create_database(&name)
            .await
            .expect("a database of this run's own");
        let postgres_url = postgres.url_of(&name);
        ledger::migrate(&postgres_url).await.expect("migrations");
        std::fs::create_dir_all(&folder).expect("a folder for logs");
        let dials = Dials::at_rest(library, &folder);
        let redis = server::start(folder.join("redis"), dials.environment()).await;
        let proxy = Proxy::start(redis.port()).await;
        let distance: &[&str] = if slow {
            &["--relay-pause=200ms", "--relay-gather=500ms"]
        } else {
            &["--relay-pause=10ms", "--relay-gather=50ms"]
        };
        let arguments: Vec<String> = [
            format!("--redis-url={}", proxy.url()),
            format!("--postgres-url={postgres_url}"),
            format!("--partitions={PARTITIONS}"),
            "--ledger-wait=1s".to_owned(),
        ]
        .into_iter()
        .chain(distance.iter().map(|&flag| flag.to_owned()))
        .collect();
        // One after the other: the first sets the stores up.
        let one = Process::start(arguments.clone(), folder.join("serve-0.log")).await;
        let other = Process::start(arguments, folder.join("serve-1.log")).await;
        let accounts: Vec<_> = (0..ACCOUNTS).map(|at| format!("farm-{at}")).collect();
        for partition in 0..PARTITIONS {
            assert!(
                accounts
                    .iter()
                    .any(|account| holds::partition_of(account, PARTITIONS) == partition)
            );
        }
        let world = Self {
            redis,
            dials,
            other: None,
            proxy,
            postgres,
            postgres_url,
            database: name,
            processes: [one, other],
            accounts: Arc::new(accounts),
            folder,
        };
        world.sell().await;
        world.fund().await;
        world
    }

    async fn query_postgres(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        let (client, connection) =
            tokio_postgres::connect(&self.postgres.url_of("postgres"), NoTls).await?;
        let driver = tokio::spawn(connection);
        let done = client.batch_execute(sql).await;
        driver.abort();
        done
    }

    pub fn doors(&self) -> Doors {
        Arc::new([self.processes[0].channel(), self.processes[1].channel()])
    }

    /// The processes as they are now.
    fn channels(&self) -> Vec<Channel> {
        let doors = self.processes.iter().map(Process::channel);
        doors
            .map(|door| door.borrow().clone().expect("it has served"))
            .collect()
    }

    /// A catalog, and soon a second version of it, with the same prices: holds of the first outlive it.
    async fn sell(&self) {
        let mut prices = PricingServiceClient::new(self.channels().swap_remove(0));
        let mut begins = None;
        for name in ["first", "second"] {
            let request = ApplyCatalogRequest {
                yaml: format!("catalog: {name}\n{CATALOG}"),
                effective_at: begins,
                ..Default::default()
            };
            let applied = prices.apply_catalog(request).await.expect("a catalog");
            let head = applied.into_inner().catalog.expect("a version");
            let at = head.effective_at.expect("an instant");
            begins = Some(prost_types::Timestamp {
                seconds: at.seconds + 3,
                ..at
            });
        }
    }

    async fn fund(&self) {
        let channel = self.channels().swap_remove(0);
        for account_id in self.accounts.iter() {
            let account = CreateAccountRequest {
                account_id: account_id.clone(),
                ..Default::default()
            };
            let grant = GrantCreditsRequest {
                account_id: account_id.clone(),
                grant_id: "start".into(),
                kind: GrantKind::TopUp.into(),
                amount: "1000000".into(),
                ..Default::default()
            };
            let (mut accounts, mut grants) = (
                AccountServiceClient::new(channel.clone()),
                GrantServiceClient::new(channel.clone()),
            );
            accounts.create_account(account).await.expect("an account");
            let plan = SubscribeRequest {
                account_id: account_id.clone(),
                subscription_id: SUBSCRIPTION.into(),
                plan: PLANS[0].into(),
                ..Default::default()
            };
            let mut plans = SubscriptionServiceClient::new(channel.clone());
            while let Err(refused) = plans.subscribe(plan.clone()).await {
                assert_eq!(refused.code(), Code::Unavailable, "{refused}");
            }
            // A grant asks the ledger, which may follow late on a busy machine.
            while let Err(refused) = grants.grant_credits(grant.clone()).await {
                assert_eq!(refused.code(), Code::Unavailable, "{refused}");
            }
        }
    }

    /// Waits until every process answers for every account: all partitions are open.
    pub async fn opened(&self) {
        for channel in self.channels() {
            for account in self.accounts.iter() {
                self.balance(&channel, account).await;
            }
        }
    }

    async fn balance(&self, channel: &Channel, account: &str) -> (String, String, String) {
        let answer = until_answered(|| {
            let request = GetBalanceRequest {
                account_id: account.to_owned(),
            };
            let mut client = AccountServiceClient::new(channel.clone());
            async move { client.get_balance(limited(request)).await }
        })
        .await;
        let balance = answer.into_inner().balance.expect("in it");
        (balance.free, balance.held, balance.debt)
    }

    /// Waits until no process has anything left to replay: that may come after the partition is open.
    async fn replayed(&self) {
        let sql = "select bool_and(here >= $1) from (select count(h.process) here
                from partitions p left join heartbeats h on h.partition = p.id and h.epoch = p.current_epoch
                group by p.id) each_of";
        let (ledger, processes) = (self.ledger().await, self.processes.len() as i64);
        loop {
            let row = ledger.query_one(sql, &[&processes]).await;
            if row.expect("the ledger answers").get(0) {
                return;
            }
            time::sleep(LOOK).await;
        }
    }

    /// Waits until the ledger has all that every account did.
    pub async fn drained(&self) {
        self.replayed().await;
        for channel in self.channels() {
            for account in self.accounts.iter() {
                until_answered(|| {
                    let request = ListTransfersRequest {
                        account_id: account.clone(),
                        page_size: 1,
                        ..Default::default()
                    };
                    let mut client = AccountServiceClient::new(channel.clone());
                    async move { client.list_transfers(limited(request)).await }
                })
                .await;
            }
        }
    }

    /// What each process says of each account.
    pub async fn balances(&self) -> Vec<(String, (String, String, String))> {
        let mut said = Vec::new();
        for channel in self.channels() {
            for account in self.accounts.iter() {
                said.push((account.clone(), self.balance(&channel, account).await));
            }
        }
        said
    }

    /// What `holdbook audit` finds, as its lines.
    pub async fn audit(&self) -> Vec<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_holdbook"))
            .args(["audit", "--redis-url", &self.proxy.url()])
            .args(["--postgres-url", &self.postgres_url])
            .output()
            .await
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() && said.lines().last() == Some("audit: balanced") {
            return Vec::new();
        }
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines()
            .chain(error.lines())
            .map(str::to_owned)
            .collect()
    }

    /// A connection to the ledger, beside the service.
    pub async fn ledger(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.postgres_url, NoTls)
            .await
            .expect("Postgres answers");
        tokio::spawn(connection);
        client
    }

    /// Waits until the ledger is behind this server, and keeps it there as long as what is answered lives.
    pub async fn behind(&self, port: u16) -> tokio_postgres::Client {
        let (mut redis, ledger) = (
            server::connect(&server::client(port)).await,
            self.ledger().await,
        );
        loop {
            let begun = ledger.batch_execute("begin; lock table transfers in share mode");
            begun.await.expect("the ledger answers");
            // A relay that stands before the lock has entries in hand, which it will still post.
            let sql = "select (select sum(epoch)::int8 from partitions), (select sum(n)::int8 from partitions),
                (select count(*) from pg_locks where relation = 'transfers'::regclass and not granted)";
            let row = ledger.query_one(sql, &[]).await;
            let row = row.expect("the ledger answers");
            let (epochs, posted, in_hand): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
            let newest = server::newest(&mut redis).await;
            if in_hand == 0 && newest.0 == epochs && newest.1 >= posted + BEHIND {
                return ledger;
            }
            let ended = ledger.batch_execute("rollback");
            ended.await.expect("the ledger answers");
            time::sleep(LOOK).await;
        }
    }

    /// The newest era that the ledger knows.
    pub async fn epoch(&self) -> i64 {
        let sql = "select max(current_epoch) from partitions";
        let row = self.ledger().await.query_one(sql, &[]).await;
        row.expect("the ledger answers").get(0)
    }

    /// Where Redis' append-only file is.
    pub fn append_only(&self) -> PathBuf {
        self.folder.join("redis/data/appendonlydir")
    }

    /// Ends everything; the Postgres goes on to the next run. `keep`: the logs stay, for whoever looks into a finding.
    pub async fn stop(mut self, keep: bool) -> PostgresServer {
        let [one, other] = &mut self.processes;
        tokio::join!(one.stop(), other.stop());
        self.redis.stop().await.expect("Redis stops");
        if let Some(mut other) = self.other.take() {
            other.stop().await.expect("Redis stops");
        }
        if !keep {
            // A folder that stays behind is only untidy.
            let _ = std::fs::remove_dir_all(&self.folder);
            // A Postgres that was killed looks at every file of every database before it serves again.
            let drop = format!("drop database {} with (force)", self.database);
            let gone = self.query_postgres(&drop).await;
            gone.expect("the run's database goes");
        }
        self.postgres
    }
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_LIMIT);
    request
}

/// Asks until there is an answer.
async fn until_answered<T, F: Future<Output = Result<T, Status>>>(ask: impl Fn() -> F) -> T {
    loop {
        if let Ok(Ok(answer)) = time::timeout(CALL_LIMIT, ask()).await {
            return answer;
        }
        time::sleep(LOOK).await;
    }
}

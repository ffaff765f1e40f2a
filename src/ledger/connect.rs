//! Connections: a pool for reads, and single ones for those that keep a connection to themselves.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use tokio_postgres::{Client, Config, NoTls, Row, types::ToSql};

use super::{LedgerError, error::describe, grant_names::GrantNames, schema_version};

/// How long a connection may take to come up; a server that hangs still accepts them.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection of the pool.
const POOL_WAIT_LIMIT: Duration = Duration::from_secs(5);
/// How long Postgres may leave something unanswered, unless it is set otherwise: a little longer than its own limit of a statement.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// When bytes stay unacknowledged for this long the connection is dead.
const TCP_SILENCE_LIMIT: Duration = Duration::from_secs(15);

/// What every serving connection is set to. The role is what makes the book append-only.
pub(super) const SESSION: &str = "set role holdbook_service; set statement_timeout = '10s'; set lock_timeout = '5s'; \
    set idle_in_transaction_session_timeout = '30s'; set timezone = 'UTC'";

/// The ledger. A cheap handle; clones share connections.
#[derive(Clone)]
pub struct Ledger {
    pool: Pool,
    pub(super) config: Config,
    pub(super) names: GrantNames,
    /// How long Postgres may leave something unanswered before its connection is given up.
    pub(super) limit: Duration,
}

impl Ledger {
    /// Connects, and checks that this is a database that can be trusted with the book.
    ///
    /// # Errors
    /// [`LedgerError::Setup`] when the schema is missing or older than this program's, or commits are not durable.
    pub async fn connect(url: &str, pool_size: usize) -> Result<Self, LedgerError> {
        let config = parse(url)?;
        let client = open(&config).await?;
        bounded(ANSWER_LIMIT, async {
            check_schema(&client).await?;
            check_durable(&client).await
        })
        .await?;
        let manager = Manager::from_config(
            config.clone(),
            NoTls,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT_LIMIT))
            .create_timeout(Some(CONNECT_LIMIT))
            .recycle_timeout(Some(CONNECT_LIMIT))
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    client
                        .batch_execute(SESSION)
                        .await
                        .map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| LedgerError::Setup(format!("the ledger's pool: {error}")))?;
        Ok(Self {
            pool,
            config,
            names: GrantNames::new(),
            limit: ANSWER_LIMIT,
        })
    }

    /// The same, with another limit on how long Postgres may leave something unanswered.
    #[must_use]
    pub fn giving_up_after(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Postgres went back to an older copy: numbers of grants that it does not have may come to mean others.
    pub fn forget_names(&self) {
        self.names.forget();
    }

    /// A connection of the pool.
    pub(super) async fn client(&self) -> Result<Object, LedgerError> {
        Ok(self.pool.get().await?)
    }

    /// A connection of its own, set up as all serving ones.
    pub(super) async fn session(&self) -> Result<Client, LedgerError> {
        let client = open(&self.config).await?;
        bounded(self.limit, async {
            Ok::<_, LedgerError>(client.batch_execute(SESSION).await?)
        })
        .await?;
        Ok(client)
    }

    /// One bounded read. A connection that does not answer is not used again: a hanging server keeps it open for ever.
    pub(super) async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, LedgerError> {
        let client = bounded(self.limit, self.client()).await?;
        let read = async {
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query(&statement, params).await?)
        };
        let answer = tokio::time::timeout(self.limit, read).await;
        answer.unwrap_or_else(|_| {
            drop(Object::take(client));
            Err(silent(self.limit))
        })
    }
}

fn silent(limit: Duration) -> LedgerError {
    LedgerError::Unavailable(format!("no answer within {limit:?}"))
}

/// Gives up on work that Postgres leaves unanswered. It may still be done, now or later; the connection must not be used again.
pub(super) async fn bounded<T, E: From<LedgerError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let answer = tokio::time::timeout(limit, work).await;
    answer.unwrap_or_else(|_| Err(silent(limit).into()))
}

pub(super) fn parse(url: &str) -> Result<Config, LedgerError> {
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        LedgerError::Setup(format!(
            "the ledger's URL is not one like postgres://user@host:5432/holdbook: {}",
            describe(&error)
        ))
    })?;
    config
        .connect_timeout(CONNECT_LIMIT)
        .tcp_user_timeout(TCP_SILENCE_LIMIT);
    if config.get_application_name().is_none() {
        config.application_name("holdbook");
    }
    Ok(config)
}

/// A connection of its own; its traffic runs in a task that ends with it.
pub(super) async fn open(config: &Config) -> Result<Client, LedgerError> {
    // The configured limit is the socket's alone.
    let up = async { Ok::<_, LedgerError>(config.connect(NoTls).await?) };
    let (client, connection) = bounded(CONNECT_LIMIT, up).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = describe(&error), "a ledger connection ended");
        }
    });
    Ok(client)
}

async fn check_schema(client: &Client) -> Result<(), LedgerError> {
    let known = schema_version();
    let history = client
        .query_one(
            "select to_regclass('refinery_schema_history') is not null",
            &[],
        )
        .await?;
    if !history.get::<_, bool>(0) {
        return Err(LedgerError::Setup(
            "the ledger's database has no schema: run `holdbook migrate` first".into(),
        ));
    }
    client.batch_execute(SESSION).await?;
    let row = client
        .query_one(
            "select coalesce(max(version), 0)::integer from refinery_schema_history",
            &[],
        )
        .await?;
    let found: i32 = row.get(0);
    if found < known {
        return Err(LedgerError::Setup(format!(
            "the ledger's schema is at version {found}, this program needs {known}: run `holdbook migrate` first"
        )));
    }
    Ok(())
}

async fn check_durable(client: &Client) -> Result<(), LedgerError> {
    let setting: String = client
        .query_one("show synchronous_commit", &[])
        .await?
        .get(0);
    if setting == "on" || setting == "remote_apply" {
        return Ok(());
    }
    Err(LedgerError::Setup(format!(
        "Postgres has synchronous_commit = {setting}, so rows that it acknowledged can be lost: set it to on or remote_apply"
    )))
}

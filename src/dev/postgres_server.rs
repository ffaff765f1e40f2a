//! A private Postgres.
//!
//! Owns its settings, its start, its end and its restart on the same data. The files are `postgres_cluster`'s, what is in
//! the databases is the ledger's.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls, error::SqlState};

use super::{
    error::DevError,
    port,
    postgres_cluster::{Cluster, SERVER, SUPERUSER},
    supervisor::Supervised,
};

/// The database that the cluster starts with.
const DATABASE: &str = "holdbook";

/// How long recovery after a crash may take.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// How long the processes of a killed server may take to notice.
const ORPHAN_LIMIT: Duration = Duration::from_secs(10);

/// Pause between two tries to start while those processes still end.
const ORPHAN_PAUSE: Duration = Duration::from_millis(100);

/// How to run a private Postgres.
#[derive(Clone, Debug, Default)]
pub struct PostgresConfig {
    /// Its data folder, made where it is missing; see `PostgresServer::dir` for where it really is.
    pub dir: PathBuf,
    /// Empties the folder first.
    pub fresh: bool,
    /// The port on 127.0.0.1. Absent: a free one.
    pub port: Option<u16>,
    /// Further settings, which win over all others: name and value as in `postgresql.conf`.
    pub settings: Vec<(String, String)>,
}

/// A running (or, between `stop` or `kill` and `restart`, stopped) Postgres. Dropping it stops it.
pub struct PostgresServer {
    // Before the folder: the server must be told to end before another may claim its folder.
    running: Option<Supervised>,
    cluster: Cluster,
    config: PostgresConfig,
    password: String,
    port: u16,
}

impl PostgresServer {
    /// Starts a Postgres, with a new cluster where there is none, and waits until it answers.
    pub async fn start(config: PostgresConfig) -> Result<PostgresServer, DevError> {
        let cluster = Cluster::claim(&config.dir)?;
        let mut server = PostgresServer {
            running: None,
            cluster,
            config,
            password: String::new(),
            port: 0,
        };
        // A wrong port is told before the seconds that a new cluster takes.
        server.port = port::choose(SERVER, server.config.port)?;
        server.cluster.end_leftover().await?;
        if server.config.fresh {
            server.cluster.folder().clear()?;
        }
        server.password = server.cluster.make().await?;
        for attempt in 1.. {
            match server.run().await {
                // Another process took the port after it was found free.
                Err(DevError::Died { tail, .. })
                    if tail.contains("Address already in use") && attempt < port::TRIES =>
                {
                    server.port = port::choose(SERVER, server.config.port)?;
                }
                result => {
                    result?;
                    break;
                }
            }
        }
        server.create_database(DATABASE).await?;
        Ok(server)
    }

    /// The URL of its first database, for its superuser.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// The URL of another database.
    pub fn url_of(&self, database: &str) -> String {
        format!(
            "postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        )
    }

    /// Makes a database unless it is there. The name must be a plain identifier: lower-case letters, digits, `_`.
    pub async fn create_database(&self, name: &str) -> Result<(), DevError> {
        let what = format!("make the database {name}");
        let result = match connect(&self.url_of("postgres")).await {
            Ok(client) => {
                client
                    .batch_execute(&format!("CREATE DATABASE \"{name}\""))
                    .await
            }
            Err(error) => Err(error),
        };
        match result {
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => Ok(()),
            result => result.map_err(|source| DevError::Postgres { what, source }),
        }
    }

    /// Its data folder. Not the configured one when the user that Postgres runs as could not reach that.
    pub fn dir(&self) -> &Path {
        self.cluster.folder().path()
    }

    /// Its port, which stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Supervised::pid)
    }

    /// What it wrote since its last start.
    pub fn log(&self) -> PathBuf {
        self.cluster.folder().path().join("postgres.log")
    }

    /// Stops it in good order, disconnecting its clients. Nothing to do when it does not run.
    pub async fn stop(&mut self) -> Result<(), DevError> {
        match self.running.take() {
            Some(mut running) => running.stop().await,
            None => Ok(()),
        }
    }

    /// Kills its first process (SIGKILL), as a crash would, and waits until that is gone; the others follow it.
    pub async fn kill(&mut self) -> Result<(), DevError> {
        match self.running.take() {
            Some(mut running) => running.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it again on the same port and data; stops it first when it runs.
    pub async fn restart(&mut self) -> Result<(), DevError> {
        self.stop().await?;
        self.cluster.end_leftover().await?;
        port::choose(SERVER, Some(self.port))?;
        self.run().await
    }

    /// Waits until it ends without having been asked to.
    pub async fn died(&self) -> DevError {
        match &self.running {
            Some(running) => running.died().await,
            None => std::future::pending().await,
        }
    }

    async fn run(&mut self) -> Result<(), DevError> {
        let deadline = Instant::now() + ORPHAN_LIMIT;
        loop {
            match self.run_once().await {
                // Processes of a killed server are still on their way out.
                Err(DevError::Died { tail, .. })
                    if tail.contains("pre-existing shared memory block")
                        && Instant::now() < deadline =>
                {
                    sleep(ORPHAN_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    async fn run_once(&mut self) -> Result<(), DevError> {
        let running = self.cluster.launch_server(self.arguments(), &self.log())?;
        let (url, data) = (self.url_of("postgres"), self.cluster.data());
        running
            .ready_within(READY_LIMIT, async || answers(&url, &data).await)
            .await?;
        self.running = Some(running);
        Ok(())
    }

    fn arguments(&self) -> Vec<OsString> {
        let port = self.port.to_string();
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port),
            // No socket file: any folder for it is either shared or the data folder.
            ("unix_socket_directories", ""),
            ("logging_collector", "off"),
            ("max_connections", "200"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let given = self
            .config
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = own.into_iter().chain(given).flat_map(|(name, value)| {
            [
                OsString::from("-c"),
                OsString::from(format!("{name}={value}")),
            ]
        });
        [OsString::from("-D"), self.cluster.data().into_os_string()]
            .into_iter()
            .chain(settings)
            .collect()
    }
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends when the client is dropped; what fails on it is seen by the client's own call.
    tokio::spawn(connection);
    Ok(client)
}

/// Whether our own server answers there: another may have taken the port first.
async fn answers(url: &str, data: &Path) -> bool {
    let ask = async || -> Result<String, tokio_postgres::Error> {
        connect(url)
            .await?
            .query_one("SHOW data_directory", &[])
            .await?
            .try_get(0)
    };
    ask()
        .await
        .is_ok_and(|directory| Path::new(&directory) == data)
}

//! What is measured: private servers, the real `holdbook serve` as a process of its own, and a look at both stores from here.

use std::{
    env,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use holdbook::{
    dev::{Servers, ServersConfig},
    holds::{Holds, Options},
    ledger::{self, Ledger},
    reconcile,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
};

use super::{Outcome, load::Times};

/// Between two looks at how far the ledger is.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// Writes that a round's look at the disk takes, each of about a reserve's size in the append-only file.
const DISK_WRITES: usize = 300;
const ENTRY_BYTES: usize = 600;
/// The service serves this long after its start at the latest.
const START_MAX: Duration = Duration::from_secs(60);
/// And has ended this long after it was asked to.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Both stores and the service.
pub struct Stack {
    servers: Servers,
    service: Child,
    /// Reads on, so that the service never waits for somebody to read its log.
    log: JoinHandle<()>,
    url: String,
    folder: PathBuf,
    holds: Holds,
    ledger: Ledger,
}

impl Stack {
    /// Starts everything from nothing.
    pub async fn start() -> Outcome<Self> {
        let name = format!("holdbook-bench-{}", uuid::Uuid::new_v4().simple());
        let servers = Servers::start(ServersConfig {
            data_dir: env::temp_dir().join(name),
            fresh: true,
            ..ServersConfig::default()
        })
        .await?;
        let folder = servers.data_dir().to_owned();
        ledger::migrate(&servers.postgres_url()).await?;
        let (service, mut lines) = launch(&servers)?;
        let url = tokio::time::timeout(START_MAX, address(&mut lines)).await??;
        let log = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let ledger = Ledger::connect(&servers.postgres_url(), 2).await?;
        let partitions = u32::try_from(ledger.partitions().await?.len())?;
        let holds = Holds::new(Options::for_reading(servers.redis_url(), partitions))?;
        Ok(Self {
            servers,
            service,
            log,
            url,
            folder,
            holds,
            ledger,
        })
    }

    /// Where the service is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// For files of the run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the figures depend on.
    ///
    /// # Errors
    /// Redis does not write to the disk before each answer: then the figures would mean nothing.
    pub async fn describe(&self) -> Outcome<String> {
        let client = redis::Client::open(self.servers.redis_url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut settings = Vec::new();
        for name in ["appendonly", "appendfsync"] {
            let (_, value): (String, String) = redis::cmd("CONFIG")
                .arg("GET")
                .arg(name)
                .query_async(&mut connection)
                .await?;
            settings.push(value);
        }
        if settings != ["yes", "always"] {
            return Err(format!("Redis' append-only file is {settings:?}").into());
        }
        let cores = std::thread::available_parallelism()?;
        Ok(format!(
            "{cores} cores, client and stores on the same machine; Redis appendfsync always; {} partitions; no-ops: the service's, and a bare tonic server in its own process",
            self.holds.partitions()
        ))
    }

    /// What one write to the disk costs: every answer of the service waits for one, a no-op does not.
    pub async fn disk(&self) -> Outcome<Times> {
        let path = self.folder.join("disk");
        let times = tokio::task::spawn_blocking(move || {
            let mut file = File::create(path)?;
            let mut times = Times::new()?;
            for _ in 0..DISK_WRITES {
                file.write_all(&[0; ENTRY_BYTES])?;
                let started = Instant::now();
                file.sync_data()?;
                times.record(started.elapsed())?;
            }
            Outcome::Ok(times)
        });
        times.await?
    }

    /// Entries of all partitions that the ledger does not have yet.
    pub async fn lag(&self) -> Outcome<u64> {
        let mut lag = 0;
        for partition in 0..self.holds.partitions() {
            let head = self.holds.head(partition).await?;
            let cursor = self.ledger.cursor(partition).await?;
            if head.epoch != cursor.epoch {
                return Err(format!("partition {partition} is at epoch {}", head.epoch).into());
            }
            lag += head.n.saturating_sub(cursor.n);
        }
        Ok(lag)
    }

    /// Waits until the ledger has everything; says how long that took.
    ///
    /// # Errors
    /// It took longer than `limit`.
    pub async fn drain(&self, limit: Duration) -> Outcome<Duration> {
        let started = Instant::now();
        loop {
            let lag = self.lag().await?;
            if lag == 0 {
                return Ok(started.elapsed());
            }
            if started.elapsed() > limit {
                return Err(format!(
                    "the ledger did not keep up: {lag} entries behind {limit:?} after the load"
                )
                .into());
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Compares the stores.
    ///
    /// # Errors
    /// They differ.
    pub async fn audit(&self) -> Outcome<()> {
        let report = reconcile::audit(&self.holds, &self.ledger).await?;
        if report.is_balanced() {
            Ok(())
        } else {
            Err(report.to_string().into())
        }
    }

    /// Stops everything and removes its data.
    pub async fn stop(mut self) -> Outcome<()> {
        drop((self.holds, self.ledger));
        if let Some(pid) = self.service.id() {
            let mut kill = Command::new("kill");
            kill.arg("-TERM").arg(pid.to_string()).status().await?;
        }
        let ended = tokio::time::timeout(STOP_MAX, self.service.wait()).await?;
        self.log.await?;
        self.servers.stop().await?;
        tokio::fs::remove_dir_all(&self.folder).await?;
        let status = ended?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the service ended with {status}").into())
        }
    }
}

/// `holdbook serve` with its defaults on free ports, whatever is set in this shell.
fn launch(servers: &Servers) -> Outcome<(Child, Lines<BufReader<ChildStderr>>)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdbook"));
    for (name, _) in env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            name.starts_with("HOLDBOOK_") || name.starts_with("OTEL_") || name == "RUST_LOG"
        });
        if ours {
            command.env_remove(name);
        }
    }
    command
        .arg("serve")
        .args(["--bench=true", "--log-format=json"])
        .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
        .env("HOLDBOOK_REDIS_URL", servers.redis_url())
        .env("HOLDBOOK_POSTGRES_URL", servers.postgres_url())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut service = command.spawn()?;
    let stderr = service.stderr.take().ok_or("the service has no log")?;
    Ok((service, BufReader::new(stderr).lines()))
}

/// The line that the service logs when it serves names its address.
async fn address(lines: &mut Lines<BufReader<ChildStderr>>) -> Outcome<String> {
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let field = |name: &str| parsed["fields"][name].as_str().or(parsed[name].as_str());
        if let (Some("serving"), Some(address)) = (field("message"), field("grpc")) {
            return Ok(format!("http://{address}"));
        }
        said.push(line);
    }
    Err(format!("the service did not start:\n{}", said.join("\n")).into())
}

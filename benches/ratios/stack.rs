//! What is measured: private servers, the real `holdbook serve` as a process of its own, and a look at both stores from here.

use std::{
    env,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use holdbook::{
    dev::{Servers, ServersConfig},
    holds::{Holds, Options},
    ledger::{self, Ledger},
    reconcile,
};

use super::{Outcome, load::Times, service::Service};

/// Between two looks at how far the ledger is.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// Writes that a round's look at the disk takes, each of about a reserve's size in the append-only file.
const DISK_WRITES: usize = 300;
const ENTRY_BYTES: usize = 600;

/// Both stores and the service.
pub struct Stack {
    servers: Servers,
    service: Service,
    folder: PathBuf,
    holds: Holds,
    ledger: Ledger,
}

impl Stack {
    /// Starts everything from nothing, the service with `flags`.
    pub async fn start(flags: &[&str]) -> Outcome<Self> {
        let name = format!("holdbook-bench-{}", uuid::Uuid::new_v4().simple());
        let servers = Servers::start(ServersConfig {
            data_dir: env::temp_dir().join(name),
            fresh: true,
            ..ServersConfig::default()
        })
        .await?;
        let folder = servers.data_dir().to_owned();
        ledger::migrate(&servers.postgres_url()).await?;
        let (redis, postgres) = (servers.redis_socket_url(), servers.postgres_url());
        let service = Service::start(&redis, &postgres, flags).await?;
        let ledger = Ledger::connect(&servers.postgres_url(), 2).await?;
        let partitions = u32::try_from(ledger.partitions().await?.len())?;
        let holds = Holds::new(Options::for_reading(servers.redis_url(), partitions))?;
        Ok(Self {
            servers,
            service,
            folder,
            holds,
            ledger,
        })
    }

    /// Where the service is.
    pub fn url(&self) -> &str {
        self.service.url()
    }

    /// For files of the run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database of the ledger.
    pub fn postgres_url(&self) -> String {
        self.servers.postgres_url()
    }

    /// Where Redis is.
    pub fn redis_url(&self) -> String {
        self.servers.redis_socket_url()
    }

    /// Both stores as the service sees them; sends no operation.
    pub const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Asks Redis.
    pub async fn redis<T: redis::FromRedisValue>(&self, command: &[&str]) -> Outcome<T> {
        let client = redis::Client::open(self.servers.redis_url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let (name, arguments) = command.split_first().ok_or("no command")?;
        let mut cmd = redis::cmd(name);
        Ok(cmd.arg(arguments).query_async(&mut connection).await?)
    }

    /// A number that `INFO` tells.
    pub async fn info(&self, section: &str, before: &str) -> Outcome<u64> {
        let info: String = self.redis(&["INFO", section]).await?;
        let rest = info.split_once(before).ok_or("Redis does not tell")?.1;
        let digits = rest.find(|c: char| !c.is_ascii_digit());
        Ok(rest[..digits.unwrap_or(rest.len())].parse()?)
    }

    /// When Redis writes to the disk: `always`, before each answer; or `everysec`.
    pub async fn set_fsync(&self, when: &str) -> Outcome<()> {
        let set = ["CONFIG", "SET", "appendfsync", when];
        self.redis::<()>(&set).await
    }

    /// What Postgres has used of the processors so far, all its processes together.
    pub async fn postgres_cpu(&self) -> Outcome<Duration> {
        let pid =
            tokio::fs::read_to_string(self.folder.join("postgres/data/postmaster.pid")).await?;
        let pid = pid.lines().next().ok_or("Postgres has no pid")?.to_owned();
        let mut ticks = 0;
        let mut processes = tokio::fs::read_dir("/proc").await?;
        while let Some(process) = processes.next_entry().await? {
            // It may have ended since.
            let Ok(stat) = tokio::fs::read_to_string(process.path().join("stat")).await else {
                continue;
            };
            // Behind the name, which may have spaces: state, parent, and from the 12th on user, system, and both of children waited for.
            let Some((_, rest)) = stat.rsplit_once(") ") else {
                continue;
            };
            let fields: Vec<&str> = rest.split(' ').collect();
            let own = process.file_name().to_str() == Some(&pid);
            let wanted = if own {
                &fields[11..15]
            } else if fields[1] == pid {
                &fields[11..13]
            } else {
                continue;
            };
            for field in wanted {
                ticks += field.parse::<u64>()?;
            }
        }
        // A tick is a hundredth of a second wherever Linux runs.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// What the figures depend on.
    ///
    /// # Errors
    /// Redis does not write to the disk before each answer: then the figures would mean nothing.
    pub async fn describe(&self) -> Outcome<String> {
        let mut settings = Vec::new();
        for name in ["appendonly", "appendfsync"] {
            let (_, value): (String, String) = self.redis(&["CONFIG", "GET", name]).await?;
            settings.push(value);
        }
        if settings != ["yes", "always"] {
            return Err(format!("Redis' append-only file is {settings:?}").into());
        }
        let cores = std::thread::available_parallelism()?;
        Ok(format!(
            "{cores} cores, client and stores on the same machine; Redis over its socket, appendfsync always; {} partitions; no-ops: the service's, and a bare tonic server in its own process",
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
    pub async fn stop(self) -> Outcome<()> {
        drop((self.holds, self.ledger));
        let stopped = self.service.stop().await;
        self.servers.stop().await?;
        tokio::fs::remove_dir_all(&self.folder).await?;
        stopped
    }
}

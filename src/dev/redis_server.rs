//! A private `redis-server`.
//!
//! Owns its settings, its start, its end and its restart on the same data. Clients connect by its URL.

use std::{ffi::OsString, fs, path::PathBuf, time::Duration};

use clap::ValueEnum;

use super::{
    error::DevError,
    folder::Folder,
    leftover::Leftover,
    port, programs,
    supervisor::{Launch, Supervised},
};

const SERVER: &str = "Redis";
const STOP_SIGNAL: &str = "TERM";

/// In its data.
const SOCKET: &str = "redis.sock";

/// How long a graceful stop may take: Redis ends its writes and its append-only file.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long loading the append-only file may take.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// How long one look at whether it is ready may take.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// When Redis writes its append-only file to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AppendFsync {
    /// Before each answer.
    #[default]
    Always,
    /// Once a second: the last second can be lost.
    Everysec,
    /// When the operating system likes.
    No,
}

impl AppendFsync {
    fn name(self) -> &'static str {
        match self {
            AppendFsync::Always => "always",
            AppendFsync::Everysec => "everysec",
            AppendFsync::No => "no",
        }
    }
}

/// How to run a private Redis.
#[derive(Clone, Debug, Default)]
pub struct RedisConfig {
    /// Its data folder, made where it is missing.
    pub dir: PathBuf,
    /// Empties the folder first.
    pub fresh: bool,
    /// The port on 127.0.0.1. Absent: a free one.
    pub port: Option<u16>,
    /// When it writes to the disk.
    pub appendfsync: AppendFsync,
    /// Further settings, which win over all others: name and value as in `redis.conf`.
    pub settings: Vec<(String, String)>,
    /// Added to its environment, which is otherwise empty but for a path and a locale.
    pub environment: Vec<(String, OsString)>,
}

/// A running (or, between `stop` or `kill` and `restart`, stopped) Redis. Dropping it stops it.
pub struct RedisServer {
    // Before the folder: the server must be told to end before another may claim its folder.
    running: Option<Supervised>,
    folder: Folder,
    config: RedisConfig,
    program: PathBuf,
    port: u16,
}

impl RedisServer {
    /// Starts a Redis and waits until it answers.
    pub async fn start(config: RedisConfig) -> Result<RedisServer, DevError> {
        let program = programs::redis_server()?;
        let folder = Folder::claim(&config.dir)?;
        let mut server = RedisServer {
            running: None,
            folder,
            config,
            program,
            port: 0,
        };
        server.end_leftover().await?;
        if server.config.fresh {
            server.folder.clear()?;
        }
        for attempt in 1.. {
            server.port = port::choose(SERVER, server.config.port)?;
            match server.run().await {
                // Another process took the port after it was found free.
                Err(DevError::Died { tail, .. })
                    if tail.contains("Address already in use") && attempt < port::TRIES => {}
                result => return result.map(|()| server),
            }
        }
        Err(DevError::NoFreePort {
            server: SERVER,
            tries: port::TRIES,
        })
    }

    /// `redis://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `redis+unix://<path>`: a call takes less of the machine than over its network. The path of a socket has at most 107 bytes.
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}", self.data().join(SOCKET).display())
    }

    /// Its port, which stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Supervised::pid)
    }

    /// What it wrote since its last start.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("redis.log")
    }

    /// Stops it in good order. Nothing to do when it does not run.
    pub async fn stop(&mut self) -> Result<(), DevError> {
        match self.running.take() {
            Some(mut running) => running.stop().await,
            None => Ok(()),
        }
    }

    /// Kills it (SIGKILL), as a crash would, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<(), DevError> {
        match self.running.take() {
            Some(mut running) => running.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it again on the same port and data; stops it first when it runs.
    pub async fn restart(&mut self) -> Result<(), DevError> {
        self.stop().await?;
        self.end_leftover().await?;
        port::choose(SERVER, Some(self.port))?;
        self.run().await
    }

    /// Makes it hang (SIGSTOP): it keeps its connections and answers nothing.
    pub fn pause(&mut self) -> Result<(), DevError> {
        self.running
            .as_mut()
            .map_or(Ok(()), |running| running.signal("STOP"))
    }

    /// Ends a pause.
    pub fn resume(&mut self) -> Result<(), DevError> {
        self.running
            .as_mut()
            .map_or(Ok(()), |running| running.signal("CONT"))
    }

    /// Waits until it ends without having been asked to.
    pub async fn died(&self) -> DevError {
        match &self.running {
            Some(running) => running.died().await,
            None => std::future::pending().await,
        }
    }

    async fn run(&mut self) -> Result<(), DevError> {
        let data = self.data();
        fs::create_dir_all(&data)
            .map_err(DevError::io(format!("make the folder {}", data.display())))?;
        let running = Supervised::launch(Launch {
            server: SERVER,
            program: &self.program,
            arguments: self.arguments(),
            dir: &data,
            log: &self.log(),
            environment: &self.config.environment,
            owner: None,
            stop_signal: STOP_SIGNAL,
            patience: PATIENCE,
        })?;
        let url = self.url();
        running
            .ready_within(READY_LIMIT, async || answers(&url, running.pid()).await)
            .await?;
        self.running = Some(running);
        Ok(())
    }

    fn arguments(&self) -> Vec<OsString> {
        let port = self.port.to_string();
        let own = [
            ("bind", "127.0.0.1"),
            ("port", &port),
            // Relative to the working directory, as `dir` is: no path needs quoting.
            ("dir", "."),
            ("unixsocket", SOCKET),
            ("unixsocketperm", "700"),
            ("pidfile", PID_FILE),
            ("logfile", ""),
            ("daemonize", "no"),
            ("appendonly", "yes"),
            ("appendfsync", self.config.appendfsync.name()),
            ("save", ""),
            ("maxmemory-policy", "noeviction"),
        ];
        let given = self
            .config
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        own.into_iter()
            .chain(given)
            .flat_map(|(name, value)| [OsString::from(format!("--{name}")), OsString::from(value)])
            .collect()
    }

    async fn end_leftover(&self) -> Result<(), DevError> {
        let data = self.data();
        let leftover = Leftover {
            server: SERVER,
            program: "redis-server",
            pid_file: &data.join(PID_FILE),
            data: &data,
            stop_signal: STOP_SIGNAL,
        };
        leftover.end().await
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// Written and, in good order, removed by Redis itself, in its data folder.
const PID_FILE: &str = "redis.pid";

/// Whether our own server answers there and has loaded its data.
async fn answers(url: &str, pid: u32) -> bool {
    let ask = async || -> redis::RedisResult<String> {
        let limits = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PROBE_LIMIT))
            .set_response_timeout(Some(PROBE_LIMIT));
        let client = redis::Client::open(url)?;
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&limits)
            .await?;
        redis::cmd("INFO").query_async(&mut connection).await
    };
    let own = format!("process_id:{pid}");
    ask().await.is_ok_and(|info| {
        // Another server may have taken the port first.
        let says = |line: &str| info.lines().any(|said| said == line);
        says(&own) && says("loading:0")
    })
}

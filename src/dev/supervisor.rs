//! One server process that cannot outlive this one.
//!
//! Owns starting it under `supervise.sh`, signals, and waiting for its end. Knows nothing of Redis or Postgres.
//!
//! A process cannot ask the kernel to end its children with it without `unsafe` code between fork and exec, so a small
//! shell script stands between: it holds the read end of a pipe whose write end only this process has.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{error::DevError, owner::Owner};

const SUPERVISE: &str = include_str!("supervise.sh");

/// Pause between two looks at whether a server is ready.
const PROBE_PAUSE: Duration = Duration::from_millis(20);

/// How much beyond the script's own patience is waited for a server's end.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// How much of a log's end an error shows.
const LOG_TAIL_BYTES: u64 = 4096;

/// What to run, and as whom.
pub(super) struct Launch<'a> {
    /// The server's name, for errors.
    pub server: &'static str,
    pub program: &'a Path,
    pub arguments: Vec<OsString>,
    /// Working directory.
    pub dir: &'a Path,
    /// Takes all it writes; emptied first.
    pub log: &'a Path,
    /// Added to its environment, which is otherwise the same on every machine.
    pub environment: &'a [(String, OsString)],
    /// The user to run as; none: the same as this process.
    pub owner: Option<&'a Owner>,
    /// The signal that asks it to end in good order.
    pub stop_signal: &'static str,
    /// How long it may take for that before it is killed.
    pub patience: Duration,
}

/// How a server ended: the exit code of the script, 128 + n for signal n.
type Exit = Option<i32>;

/// A running server. Dropping it stops the server in good order, without waiting for it.
pub(super) struct Supervised {
    server: &'static str,
    control: Option<ChildStdin>,
    pid: u32,
    exit: watch::Receiver<Option<Exit>>,
    log: PathBuf,
    patience: Duration,
}

impl Supervised {
    /// Starts the server; it is not ready yet.
    pub fn launch(launch: Launch<'_>) -> Result<Supervised, DevError> {
        let log = File::create(launch.log).map_err(DevError::io(format!(
            "write the log {}",
            launch.log.display()
        )))?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SUPERVISE, "supervise", launch.stop_signal])
            .arg(launch.patience.as_secs().to_string())
            .arg(launch.program)
            .args(launch.arguments)
            .current_dir(launch.dir)
            // A PGPORT or a locale of the user's shell must not change what the servers do and say.
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C at the terminal reaches only this process, which then stops the servers in order.
            .process_group(0);
        if let Some(owner) = launch.owner {
            owner.apply(&mut command);
        }
        let starting = format!("start {}", launch.program.display());
        let mut child = command.spawn().map_err(DevError::io(starting.clone()))?;
        let control = child.stdin.take();
        let mut pid = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut pid)
                .map_err(DevError::io(starting.clone()))?;
        }
        let (ended, exit) = watch::channel(None);
        // A thread and not the runtime's reaper: tests start a server in one runtime and stop it in another.
        thread::Builder::new()
            .name(format!("wait-{}", launch.server))
            .spawn(move || {
                let code = child.wait().ok().and_then(|status| status.code());
                ended.send_replace(Some(code));
            })
            .map_err(DevError::io(starting.clone()))?;
        let pid = pid.trim().parse().map_err(|_| DevError::Io {
            what: starting,
            source: io::Error::other(format!("no process id from the shell: {pid:?}")),
        })?;
        let (server, patience) = (launch.server, launch.patience);
        Ok(Supervised {
            server,
            control,
            pid,
            exit,
            log: launch.log.to_path_buf(),
            patience,
        })
    }

    /// The server's own process id (not the script's).
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal, by its name without `SIG`.
    pub fn signal(&mut self, signal: &str) -> Result<(), DevError> {
        let what = format!("signal {} (process {})", self.server, self.pid);
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let control = self.control.as_mut().ok_or_else(gone);
        control
            .and_then(|pipe| writeln!(pipe, "{signal}"))
            .map_err(DevError::io(what))
    }

    /// Asks the server to end in good order and waits; the script kills it when its patience ends.
    pub async fn stop(&mut self) -> Result<(), DevError> {
        self.control = None;
        self.ended_within(self.patience + STOP_MARGIN).await
    }

    /// Kills the server as a crash would, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<(), DevError> {
        if !self.has_ended() {
            self.signal("KILL")?;
        }
        self.ended_within(STOP_MARGIN).await
    }

    /// Whether it has ended, in whatever way.
    pub fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Waits for the end, and tells it as the error it is when nobody asked for it.
    pub async fn died(&self) -> DevError {
        let code = self.end().await;
        let (server, log) = (self.server, self.log.clone());
        DevError::Died {
            server,
            status: describe(code),
            tail: tail(&log),
            log,
        }
    }

    /// Waits until `probe` is true, the server ends, or the limit has passed.
    pub async fn ready_within(
        &self,
        limit: Duration,
        probe: impl AsyncFn() -> bool,
    ) -> Result<(), DevError> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.has_ended() {
                return Err(self.died().await);
            }
            // The probe's own connection has no limit of its own on every path.
            if timeout(deadline - Instant::now(), probe()).await == Ok(true) {
                return Ok(());
            }
            sleep(PROBE_PAUSE).await;
        }
        let (server, log) = (self.server, self.log.clone());
        Err(DevError::NotReady {
            server,
            limit,
            tail: tail(&log),
            log,
        })
    }

    async fn ended_within(&self, limit: Duration) -> Result<(), DevError> {
        let (server, pid) = (self.server, self.pid);
        timeout(limit, self.end())
            .await
            .map(|_| ())
            .map_err(|_| DevError::NotStopped { server, pid, limit })
    }

    /// Waits for the end of the server, for a program that ends by itself too.
    pub async fn end(&self) -> Exit {
        let mut exit = self.exit.clone();
        // The sender is only dropped after it has sent, so the error of a lost sender cannot occur.
        exit.wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|code| *code)
            .flatten()
    }
}

fn describe(code: Exit) -> String {
    match code {
        Some(code) if code > 128 => format!("by signal {}", code - 128),
        Some(code) => format!("exit code {code}"),
        None => "in an unknown way".to_owned(),
    }
}

/// The last lines of a log, or why there are none.
fn tail(log: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = fs::metadata(log)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    read().unwrap_or_else(|error| format!("(not readable: {error})"))
}

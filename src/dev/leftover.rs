//! Servers that a crash left running on one of our data folders.
//!
//! Owns telling them apart from every other process, and ending them. A server that was on the machine before never
//! qualifies: it does not work in our folder.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::error::DevError;

/// How long a leftover may take to end in good order, and then again to be gone after it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two looks at whether it is gone.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// A server that may still run.
pub(super) struct Leftover<'a> {
    pub server: &'static str,
    /// The program's name as the kernel knows it.
    pub program: &'static str,
    /// Where the server itself wrote its process id, on the first line.
    pub pid_file: &'a Path,
    /// Its data folder, which is its working directory.
    pub data: &'a Path,
    pub stop_signal: &'static str,
}

impl Leftover<'_> {
    /// Ends the server if it still runs and removes its pid file.
    ///
    /// The caller holds the folder, so nobody else can be using it.
    pub async fn end(&self) -> Result<(), DevError> {
        let Ok(content) = fs::read_to_string(self.pid_file) else {
            return Ok(());
        };
        if let Some(pid) = content
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok())
        {
            // It may be ending already: the script that watched it does so when its starter dies.
            for signal in [self.stop_signal, "KILL"] {
                if !self.runs_as(pid) {
                    break;
                }
                tracing::warn!(
                    server = self.server,
                    pid,
                    signal,
                    "ending a server that a crash left running"
                );
                send(signal, pid)?;
                self.gone_within(pid, PATIENCE).await;
            }
            if self.runs_as(pid) {
                return Err(DevError::NotStopped {
                    server: self.server,
                    pid,
                    limit: PATIENCE * 2,
                });
            }
        }
        // A process id can come again as somebody else's, and Postgres would then refuse to start.
        match fs::remove_file(self.pid_file) {
            Err(error) if self.pid_file.exists() => Err(DevError::io(format!(
                "remove {}",
                self.pid_file.display()
            ))(error)),
            _ => Ok(()),
        }
    }

    async fn gone_within(&self, pid: u32, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.runs_as(pid) && Instant::now() < deadline {
            sleep(LOOK_PAUSE).await;
        }
    }

    /// Whether that process is this server on this folder. A dead one that nobody has reaped has no directory any more.
    fn runs_as(&self, pid: u32) -> bool {
        let process = Path::new("/proc").join(pid.to_string());
        let same_program =
            fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == self.program);
        let data = self.data.canonicalize();
        same_program
            && data
                .is_ok_and(|data| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data))
    }
}

fn send(signal: &str, pid: u32) -> Result<(), DevError> {
    // A failure means that it has just ended; the caller looks again.
    Command::new("/bin/sh")
        .args([
            "-c",
            r#"kill -s "$1" "$2" 2>/dev/null"#,
            "send",
            signal,
            &pid.to_string(),
        ])
        .stdin(Stdio::null())
        .status()
        .map(|_| ())
        .map_err(DevError::io(format!("signal the process {pid}")))
}

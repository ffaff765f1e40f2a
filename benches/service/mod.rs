//! The real `holdbook serve` as a process of its own.

use std::{env, error::Error, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The service serves this long after its start at the latest.
const START_MAX: Duration = Duration::from_secs(60);
/// And has ended this long after it was asked to.
const STOP_MAX: Duration = Duration::from_secs(60);

/// A running service. Dropping it kills it.
pub struct Service {
    process: Child,
    /// Reads on, so that the service never waits for somebody to read its log.
    log: JoinHandle<()>,
    url: String,
}

impl Service {
    /// Starts it on free ports with its defaults but for `flags`, whatever is set in this shell.
    pub async fn start(redis_url: &str, postgres_url: &str, flags: &[&str]) -> Outcome<Self> {
        let (process, mut lines) = launch(redis_url, postgres_url, flags)?;
        let url = tokio::time::timeout(START_MAX, address(&mut lines)).await??;
        let log = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { process, log, url })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// It did not end, or not well.
    pub async fn stop(mut self) -> Outcome<()> {
        if let Some(pid) = self.process.id() {
            let mut kill = Command::new("kill");
            kill.arg("-TERM").arg(pid.to_string()).status().await?;
        }
        let ended = tokio::time::timeout(STOP_MAX, self.process.wait()).await??;
        self.log.await?;
        if ended.success() {
            Ok(())
        } else {
            Err(format!("the service ended with {ended}").into())
        }
    }
}

fn launch(
    redis_url: &str,
    postgres_url: &str,
    flags: &[&str],
) -> Outcome<(Child, Lines<BufReader<ChildStderr>>)> {
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
        .args(["serve", "--log-format=json"])
        .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
        .args(flags)
        .env("HOLDBOOK_REDIS_URL", redis_url)
        .env("HOLDBOOK_POSTGRES_URL", postgres_url)
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

//! A serving process: the program itself, as an operator starts it, which a fault can kill, stop and start again.

use std::{path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::watch,
};
use tonic::transport::Channel;

use crate::support;

/// Ends the program when this process ends, in whatever way.
const SUPERVISE: &str = include_str!("../../../src/dev/supervise.sh");

pub struct Process {
    arguments: Vec<String>,
    log: PathBuf,
    running: Option<Running>,
    channel: watch::Sender<Option<Channel>>,
}

struct Running {
    script: Child,
    pid: u32,
    /// Its end is the sign to stop.
    _control: ChildStdin,
}

/// A signal by its name without `SIG`, to a process of ours.
pub async fn signal(name: &str, pid: u32) {
    // The shell's own: not every machine has a program of that name.
    let status = Command::new("/bin/sh")
        .args(["-c", &format!("kill -s {name} {pid}")])
        .status()
        .await;
    assert!(
        status.is_ok_and(|status| status.success()),
        "SIG{name} to {pid}"
    );
}

impl Process {
    pub async fn start(arguments: Vec<String>, log: PathBuf) -> Self {
        let mut process = Self {
            arguments,
            log,
            running: None,
            channel: watch::Sender::new(None),
        };
        process.run().await;
        process
    }

    /// Where it serves now; follows its restarts.
    pub fn channel(&self) -> watch::Receiver<Option<Channel>> {
        self.channel.subscribe()
    }

    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").pid
    }

    /// Starts it and waits until it serves. It writes on in the same log.
    pub async fn run(&mut self) {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SUPERVISE, "supervise", "TERM", "20"])
            .arg(env!("CARGO_BIN_EXE_holdbook"))
            .arg("serve")
            .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut script = command.spawn().expect("the program starts");
        let control = script.stdin.take().expect("a pipe");
        let mut line = String::new();
        let stdout = script.stdout.take().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .await
            .expect("the process id");
        let pid = line.trim().parse().expect("a process id");
        let (said, mut serves) = watch::channel(String::new());
        let stderr = BufReader::new(script.stderr.take().expect("a pipe"));
        let mut log = tokio::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .await
            .expect("a log");
        tokio::spawn(async move {
            let mut lines = stderr.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // A log that cannot be written is missed only when it is read.
                let _ = log.write_all(format!("{line}\n").as_bytes()).await;
                if let Some(address) = address_in(&line) {
                    said.send_replace(address);
                }
            }
        });
        let address = serves
            .wait_for(|address| !address.is_empty())
            .await
            .unwrap_or_else(|_| panic!("it ended instead of serving: {}", self.log.display()))
            .parse()
            .expect("an address");
        self.running = Some(Running {
            script,
            pid,
            _control: control,
        });
        self.channel
            .send_replace(Some(support::channel_to(address)));
    }

    /// As a crash would; waits until it is gone.
    pub async fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        signal("KILL", running.pid).await;
        running.script.wait().await.expect("its end");
    }

    /// In good order, as an operator would.
    pub async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            signal("TERM", running.pid).await;
            running.script.wait().await.expect("its end");
        }
    }
}

/// `... serving grpc=127.0.0.1:1234 admin=...`, with or without colours.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("serving")?;
    let (_, rest) = rest.split_once("127.0.0.1:")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("127.0.0.1:{port}"))
}

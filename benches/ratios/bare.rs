//! The bare tonic server: the floor under any unary service with Reserve's messages. A process of its own, as the service is.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::Stdio,
};

use holdbook::proto::{
    NoopRequest, NoopResponse,
    bench_service_server::{BenchService, BenchServiceServer},
};
use prost::Message;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use super::Outcome;

/// The argument that makes this program the server; the next one is the file with its answer.
pub const MODE: &str = "bare";

struct Bare(NoopResponse);

#[tonic::async_trait]
impl BenchService for Bare {
    async fn noop(&self, _: Request<NoopRequest>) -> Result<Response<NoopResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }
}

/// Serves until standard input ends, which it does with whoever started this. Prints its address first.
pub async fn serve(answer: &Path) -> Outcome<()> {
    let answer = NoopResponse::decode(&tokio::fs::read(answer).await?[..])?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let ended = async {
        // Nothing is ever written there; an error ends it, too.
        let _ = tokio::task::spawn_blocking(|| io::stdin().read(&mut [0])).await;
    };
    Server::builder()
        .add_service(BenchServiceServer::new(Bare(answer)))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), ended)
        .await?;
    Ok(())
}

/// Starts it; answers its URL. It ends with the child.
pub async fn start(answer: &NoopResponse, folder: &Path) -> Outcome<(Child, String)> {
    let file = folder.join("noop-answer");
    tokio::fs::write(&file, answer.encode_to_vec()).await?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg(MODE)
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("the bare server has no output")?;
    let address = BufReader::new(stdout).lines().next_line().await?;
    let address = address.ok_or("the bare server ended at once")?;
    Ok((child, format!("http://{address}")))
}

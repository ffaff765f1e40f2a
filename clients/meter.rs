//! A render node that meters many frames over one stream.
//!
//!     cargo run --example meter -- http://127.0.0.1:7600 acme
//!
//! Reserves before each frame, commits what it cost, and sends again what a broken stream left unknown: the same call is safe to repeat.

use std::{env, error::Error, time::Duration};

use futures_util::{StreamExt, stream};
use holdbook::{
    cli::stream::MeterStream,
    proto::{
        CommitRequest, ReserveRequest, commit_request::What, meter_request::Operation,
        meter_response::Outcome,
    },
};
use tonic::{Code, Status, transport::Channel};

const FRAMES: usize = 200;
const AT_ONCE: usize = 32;

/// A node's stream, opened anew when it breaks.
async fn done(channel: &Channel, operation: Operation) -> Result<Outcome, Status> {
    loop {
        let answer = match MeterStream::open(channel.clone()).await {
            Ok(stream) => stream.call(operation.clone()).await,
            Err(status) => Err(status),
        };
        match answer {
            Err(status) if status.code() == Code::Unavailable => {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            answer => return answer,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("which server? http://host:port")?;
    let account = arguments.next().ok_or("which account?")?;
    let paid = render(url, account).await?;
    println!("{paid} of {FRAMES} frames are paid");
    Ok(())
}

/// The frames that were paid.
pub async fn render(url: String, account: String) -> Result<usize, Box<dyn Error>> {
    let channel = Channel::from_shared(url)?.connect().await?;
    let stream = MeterStream::open(channel.clone()).await?;
    // Another run renders other frames.
    let shot = uuid::Uuid::new_v4();
    let frame = async |number: usize| {
        let hold_id = format!("{shot}:frame-{number}");
        let sent = async |operation: Operation| match stream.call(operation.clone()).await {
            Err(status) if status.code() == Code::Unavailable => done(&channel, operation).await,
            answer => answer,
        };
        let reserve = ReserveRequest {
            account_id: account.clone(),
            hold_id: hold_id.clone(),
            amount: "0.05".into(),
            ..Default::default()
        };
        sent(Operation::Reserve(reserve)).await?;
        // Here the frame is rendered.
        let commit = CommitRequest {
            account_id: account.clone(),
            hold_id,
            what: Some(What::Amount("0.04".into())),
            ..Default::default()
        };
        sent(Operation::Commit(commit)).await
    };
    let frames = stream::iter(0..FRAMES).map(frame);
    let answers: Vec<_> = frames.buffer_unordered(AT_ONCE).collect().await;
    let paid = answers.iter().filter(|answer| answer.is_ok()).count();
    if let Some(Err(status)) = answers.into_iter().find(Result::is_err) {
        println!("the first that is not: {}", status.message());
    }
    Ok(paid)
}

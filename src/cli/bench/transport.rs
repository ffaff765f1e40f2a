//! How operations reach the server: a call each, or over streams.

use std::time::Duration;

use tonic::{Code, Status, transport::Channel};

use super::{
    super::{
        client::{self, ConnectError},
        stream::MeterStream,
    },
    args::{BenchArgs, Over},
};
use crate::proto::{
    meter_request::Operation, meter_response::Outcome,
    metering_service_client::MeteringServiceClient,
};

/// Between two tries of a call that could not be decided.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// One way to the server.
#[derive(Clone)]
pub(super) enum Way {
    Unary(MeteringServiceClient<Channel>),
    Stream(MeterStream),
}

/// All connections.
pub(super) async fn open(args: &BenchArgs) -> Result<Vec<Way>, ConnectError> {
    let mut ways = Vec::new();
    for _ in 0..args.connections {
        let channel = client::connect(&args.server.server).await?;
        ways.push(match args.over {
            Over::Unary => Way::Unary(MeteringServiceClient::new(channel)),
            Over::Stream => {
                let stream = MeterStream::open(channel).await;
                Way::Stream(stream.map_err(|status| ConnectError::Unreachable {
                    server: args.server.server.clone(),
                    reason: status.message().to_owned(),
                })?)
            }
        });
    }
    Ok(ways)
}

impl Way {
    /// Does an operation; what was not decided is sent again, as any client does. Answers how often, too.
    pub async fn send(&self, operation: Operation) -> (u64, Result<Outcome, Status>) {
        let mut again = 0;
        loop {
            let once = tokio::time::timeout(CALL_TIMEOUT, self.once(operation.clone()));
            let late = |_| Err(Status::deadline_exceeded("no answer in a minute"));
            match once.await.unwrap_or_else(late) {
                Err(status) if status.code() == Code::Unavailable && again < 200 => {
                    again += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return (again, answer),
            }
        }
    }

    async fn once(&self, operation: Operation) -> Result<Outcome, Status> {
        let mut client = match self {
            Self::Stream(stream) => return stream.call(operation).await,
            Self::Unary(client) => client.clone(),
        };
        Ok(match operation {
            Operation::Reserve(r) => Outcome::Reserve(client.reserve(r).await?.into_inner()),
            Operation::Extend(r) => Outcome::Extend(client.extend(r).await?.into_inner()),
            Operation::Commit(r) => Outcome::Commit(client.commit(r).await?.into_inner()),
            Operation::Release(r) => Outcome::Release(client.release(r).await?.into_inner()),
            Operation::Charge(r) => Outcome::Charge(client.charge(r).await?.into_inner()),
            Operation::Refund(r) => Outcome::Refund(client.refund(r).await?.into_inner()),
        })
    }
}

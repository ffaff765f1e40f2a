//! A connection to Redis that comes back by itself: after a failure the next call connects anew.

use std::time::Duration;

use redis::{
    Client, Cmd, IntoConnectionInfo, RedisError, Value, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};

use super::{
    HoldsError,
    program::{BatchReply, Program},
};

/// A call that takes longer has an unknown outcome. Well above a slow fsync, well below a caller's patience.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that does not accept within it is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One connection.
pub struct Connection {
    client: Client,
    live: Option<MultiplexedConnection>,
}

impl From<RedisError> for HoldsError {
    fn from(error: RedisError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Redis has no code of its own for it.
fn is_unknown_function(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("Function not found"))
}

/// A client for `url` that sends small packets at once.
///
/// # Errors
/// The URL is not one of a Redis server.
pub fn client(url: &str) -> Result<Client, HoldsError> {
    let info = url
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    Ok(Client::open(info)?)
}

impl Connection {
    /// Connects at the first call.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client, live: None }
    }

    /// Runs a batch; loads the program where Redis does not have it.
    pub async fn run(&mut self, call: Cmd) -> Result<BatchReply, HoldsError> {
        let value = match self.query(&call).await {
            Err(error) if is_unknown_function(&error) => {
                self.query(&Program::get().load()).await?;
                self.query(&call).await?
            }
            other => other?,
        };
        BatchReply::read(value)
    }

    /// Runs one command that answers within the usual time.
    pub async fn query(&mut self, cmd: &Cmd) -> Result<Value, RedisError> {
        self.query_within(cmd, RESPONSE_TIMEOUT).await
    }

    /// Runs one command; a failed connection is dropped, the next call makes a new one.
    pub async fn query_within(&mut self, cmd: &Cmd, limit: Duration) -> Result<Value, RedisError> {
        let live = match &mut self.live {
            Some(live) => live,
            none => {
                let config = redis::AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(limit));
                none.insert(
                    self.client
                        .get_multiplexed_async_connection_with_config(&config)
                        .await?,
                )
            }
        };
        let answer = cmd.query_async(live).await;
        if answer.as_ref().is_err_and(|error| {
            error.is_io_error() || error.is_timeout() || error.is_connection_dropped()
        }) {
            self.live = None;
        }
        answer
    }
}

//! The connection of the client commands: channel, user agent, the actor that the ledger records.
//!
//! It does not send anything again: what to do with an unknown outcome is its caller's choice.

use std::time::Duration;

use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::proto::{
    account_service_client::AccountServiceClient, grant_service_client::GrantServiceClient,
    metering_service_client::MeteringServiceClient, pricing_service_client::PricingServiceClient,
    subscription_service_client::SubscriptionServiceClient,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Above the server's own longest wait, the one for the ledger.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const USER_AGENT: &str = concat!("holdbook-cli/", env!("CARGO_PKG_VERSION"));

/// A channel whose calls name their actor.
pub type Connection = InterceptedService<Channel, Actor>;

/// Puts `x-holdbook-actor: cli` on every call, so that a ledger row tells where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Actor;

impl Interceptor for Actor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("x-holdbook-actor", MetadataValue::from_static("cli"));
        Ok(request)
    }
}

/// The services of one server. A clone shares the connection.
#[derive(Clone, Debug)]
pub struct Services {
    /// Accounts, balances, transfers.
    pub account: AccountServiceClient<Connection>,
    /// Grants.
    pub grant: GrantServiceClient<Connection>,
    /// Holds.
    pub metering: MeteringServiceClient<Connection>,
    /// Prices and the catalog.
    pub pricing: PricingServiceClient<Connection>,
    /// Subscriptions.
    pub subscription: SubscriptionServiceClient<Connection>,
}

impl Services {
    /// The services behind a channel.
    pub fn over(channel: Channel) -> Self {
        Self {
            account: AccountServiceClient::with_interceptor(channel.clone(), Actor),
            grant: GrantServiceClient::with_interceptor(channel.clone(), Actor),
            metering: MeteringServiceClient::with_interceptor(channel.clone(), Actor),
            pricing: PricingServiceClient::with_interceptor(channel.clone(), Actor),
            subscription: SubscriptionServiceClient::with_interceptor(channel, Actor),
        }
    }
}

/// No connection to the server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("--server {server}: not an address such as http://127.0.0.1:7600")]
    Address {
        /// As given.
        server: String,
    },
    /// Nobody answers there.
    #[error("no Holdbook answers at {server} (--server or HOLDBOOK_SERVER): {reason}")]
    Unreachable {
        /// As given.
        server: String,
        /// What the connection met.
        reason: String,
    },
}

/// Connects to a server such as `http://127.0.0.1:7600`.
pub async fn connect(server: &str) -> Result<Channel, ConnectError> {
    let address = || ConnectError::Address {
        server: server.to_owned(),
    };
    let endpoint = Endpoint::from_shared(server.to_owned())
        .and_then(|endpoint| endpoint.user_agent(USER_AGENT))
        .map_err(|_| address())?;
    if endpoint.uri().scheme_str() != Some("http") {
        return Err(address());
    }
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .connect()
        .await
        .map_err(|error| ConnectError::Unreachable {
            server: server.to_owned(),
            reason: innermost(&error),
        })
}

/// The transport's own text is only "transport error"; the cause underneath says what happened.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

//! One call, whichever RPC it is: how it is sent, what the model answers to it, and what an answer is compared by.
//!
//! Lists are not here: they are compared page by page in `inspect`.

use holdbook::cli::stream::MeterStream;
use holdbook::proto::account_service_client::AccountServiceClient;
use holdbook::proto::grant_service_client::GrantServiceClient;
use holdbook::proto::metering_service_client::MeteringServiceClient;
use holdbook::proto::test_clock_service_client::TestClockServiceClient;
use holdbook::proto::{self, Durability, meter_request, meter_response};
use tonic::Status;
use tonic::transport::Channel;

use super::reference::{Model, Refusal};

/// The clients of one lane.
#[derive(Clone)]
pub struct Clients {
    pub metering: MeteringServiceClient<Channel>,
    pub accounts: AccountServiceClient<Channel>,
    pub grants: GrantServiceClient<Channel>,
    pub clock: TestClockServiceClient<Channel>,
    /// What can be sent over a stream is.
    pub stream: Option<MeterStream>,
}

impl Clients {
    pub fn new(channel: Channel) -> Self {
        Self {
            metering: MeteringServiceClient::new(channel.clone()),
            accounts: AccountServiceClient::new(channel.clone()),
            grants: GrantServiceClient::new(channel.clone()),
            clock: TestClockServiceClient::new(channel),
            stream: None,
        }
    }
}

macro_rules! streamed {
    ($operation:expr, $stream:expr; $($name:ident),*) => {
        match $operation {
            $(Operation::$name(request) => {
                let sent = meter_request::Operation::$name(request.clone());
                match $stream.call(sent).await {
                    Ok(meter_response::Outcome::$name(answer)) => Some(Ok(Reply::$name(answer))),
                    Ok(other) => panic!("{request:?} was answered by {other:?}"),
                    Err(status) => Some(Err(Box::new(status))),
                }
            })*
            _ => None,
        }
    };
}

/// The answer of an operation that a stream takes.
async fn over_stream(
    operation: &Operation,
    stream: &MeterStream,
) -> Option<Result<Reply, Box<Status>>> {
    streamed!(operation, stream; Reserve, Extend, Commit, Release, Charge, Refund)
}

macro_rules! operations {
    ($($name:ident: $client:ident.$method:ident($request:ident) -> $response:ident;)*) => {
        /// A call with its request.
        #[derive(Clone, Debug)]
        pub enum Operation {
            $($name(proto::$request),)*
        }

        /// An answer.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Reply {
            $($name(proto::$response),)*
        }

        impl Operation {
            pub fn rpc(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            pub fn set_account_id(&mut self, account_id: &str) {
                match self {
                    $(Self::$name(request) => request.account_id = account_id.into(),)*
                }
            }

            pub async fn send(&self, clients: &mut Clients) -> Result<Reply, Box<Status>> {
                if let Some(stream) = &clients.stream
                    && let Some(answer) = over_stream(self, stream).await
                {
                    return answer;
                }
                match self {
                    $(Self::$name(request) => {
                        let answer = clients.$client.$method(request.clone()).await;
                        answer.map(|answer| Reply::$name(answer.into_inner())).map_err(Box::new)
                    })*
                }
            }

            pub fn expect(&self, model: &mut Model) -> Result<Reply, Refusal> {
                match self {
                    $(Self::$name(request) => model.$method(request).map(Reply::$name),)*
                }
            }
        }
    };
}

operations! {
    CreateAccount: accounts.create_account(CreateAccountRequest) -> CreateAccountResponse;
    GetAccount: accounts.get_account(GetAccountRequest) -> GetAccountResponse;
    UpdateAccount: accounts.update_account(UpdateAccountRequest) -> UpdateAccountResponse;
    CloseAccount: accounts.close_account(CloseAccountRequest) -> CloseAccountResponse;
    GetBalance: accounts.get_balance(GetBalanceRequest) -> GetBalanceResponse;
    GrantCredits: grants.grant_credits(GrantCreditsRequest) -> GrantCreditsResponse;
    RevokeGrant: grants.revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse;
    Reserve: metering.reserve(ReserveRequest) -> ReserveResponse;
    Extend: metering.extend(ExtendRequest) -> ExtendResponse;
    Commit: metering.commit(CommitRequest) -> CommitResponse;
    Release: metering.release(ReleaseRequest) -> ReleaseResponse;
    Charge: metering.charge(ChargeRequest) -> ChargeResponse;
    Refund: metering.refund(RefundRequest) -> RefundResponse;
    GetHold: metering.get_hold(GetHoldRequest) -> GetHoldResponse;
}

macro_rules! field_of {
    ($value:expr, $field:ident; $($name:ident),*; $otherwise:expr) => {
        match $value {
            $($name(inner) => Some(&mut inner.$field),)*
            _ => $otherwise,
        }
    };
}

impl Operation {
    pub fn durability_mut(&mut self) -> Option<&mut i32> {
        use Operation::*;
        field_of!(self, durability; CreateAccount, UpdateAccount, CloseAccount, GrantCredits, RevokeGrant, Reserve, Extend, Commit,
            Release, Charge, Refund; None)
    }
}

impl Reply {
    fn durability_mut(&mut self) -> Option<&mut i32> {
        use Reply::*;
        field_of!(self, durability; CreateAccount, UpdateAccount, CloseAccount, GrantCredits, RevokeGrant, Reserve, Extend, Commit,
            Release, Charge, Refund; None)
    }

    fn replayed_mut(&mut self) -> Option<&mut bool> {
        use Reply::*;
        field_of!(self, replayed; CreateAccount, CloseAccount, GrantCredits, RevokeGrant, Reserve, Extend, Commit, Release, Charge,
            Refund; None)
    }

    /// `ok` or `replayed`.
    pub fn outcome(&mut self) -> &'static str {
        match self.replayed_mut() {
            Some(true) => "replayed",
            _ => "ok",
        }
    }

    /// Takes the durability out, which the model does not know; false when the server named none.
    pub fn take_durability(&mut self) -> bool {
        match self.durability_mut() {
            Some(reached) => std::mem::take(reached) != Durability::Unspecified as i32,
            None => true,
        }
    }
}

//! One call, whichever RPC it is: how it is sent, what the model answers to it, and what of an answer is compared.

use holdbook::proto::{
    self, GrantAmount, account_service_client::AccountServiceClient,
    grant_service_client::GrantServiceClient, metering_service_client::MeteringServiceClient,
    subscription_service_client::SubscriptionServiceClient,
};
use tonic::{Status, transport::Channel};

use super::reference::{Account, Refused};

/// The clients of one lane.
#[derive(Clone)]
pub struct Clients {
    pub plans: SubscriptionServiceClient<Channel>,
    pub accounts: AccountServiceClient<Channel>,
    pub grants: GrantServiceClient<Channel>,
    pub metering: MeteringServiceClient<Channel>,
}

impl Clients {
    pub fn new(channel: &Channel) -> Self {
        Self {
            plans: SubscriptionServiceClient::new(channel.clone()),
            accounts: AccountServiceClient::new(channel.clone()),
            grants: GrantServiceClient::new(channel.clone()),
            metering: MeteringServiceClient::new(channel.clone()),
        }
    }
}

macro_rules! calls {
    ($($name:ident: $client:ident.$method:ident($request:ident) -> $response:ident;)*) => {
        #[derive(Clone, Debug)]
        pub enum Call {
            $($name(proto::$request),)*
        }

        #[derive(Clone, Debug, PartialEq)]
        pub enum Reply {
            $($name(proto::$response),)*
        }

        impl Call {
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            pub async fn send(&self, clients: &mut Clients) -> Result<Reply, Box<Status>> {
                match self {
                    $(Self::$name(request) => {
                        let answer = clients.$client.$method(request.clone()).await;
                        answer.map(|answer| Reply::$name(answer.into_inner())).map_err(Box::new)
                    })*
                }
            }

            pub fn expect(&self, model: &mut Account) -> Result<Reply, Refused> {
                match self {
                    $(Self::$name(request) => model.$method(request).map(Reply::$name),)*
                }
            }
        }
    };
}

calls! {
    Subscribe: plans.subscribe(SubscribeRequest) -> SubscribeResponse;
    GetSubscription: plans.get_subscription(GetSubscriptionRequest) -> GetSubscriptionResponse;
    ChangePlan: plans.change_plan(ChangePlanRequest) -> ChangePlanResponse;
    CancelScheduledChange: plans.cancel_scheduled_change(CancelScheduledChangeRequest) -> CancelScheduledChangeResponse;
    Cancel: plans.cancel(CancelRequest) -> CancelResponse;
    Resume: plans.resume(ResumeRequest) -> ResumeResponse;
    RecordPayment: plans.record_payment(RecordPaymentRequest) -> RecordPaymentResponse;
    RefundSubscription: plans.refund_subscription(RefundSubscriptionRequest) -> RefundSubscriptionResponse;
    ListBills: plans.list_bills(ListBillsRequest) -> ListBillsResponse;
    CreateAccount: accounts.create_account(CreateAccountRequest) -> CreateAccountResponse;
    CloseAccount: accounts.close_account(CloseAccountRequest) -> CloseAccountResponse;
    GetAccount: accounts.get_account(GetAccountRequest) -> GetAccountResponse;
    GetBalance: accounts.get_balance(GetBalanceRequest) -> GetBalanceResponse;
    GrantCredits: grants.grant_credits(GrantCreditsRequest) -> GrantCreditsResponse;
    RevokeGrant: grants.revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse;
    ListGrants: grants.list_grants(ListGrantsRequest) -> ListGrantsResponse;
    Reserve: metering.reserve(ReserveRequest) -> ReserveResponse;
    Commit: metering.commit(CommitRequest) -> CommitResponse;
    Release: metering.release(ReleaseRequest) -> ReleaseResponse;
    Refund: metering.refund(RefundRequest) -> RefundResponse;
}

/// `~plan:2+7:sub` as `~plan:2+:sub`, and a refund's grant without the event in it: what is behind an upgrade's number nobody promises.
fn normal(id: &mut String) {
    if id.starts_with("~refund:") {
        *id = "~refund:".into();
    }
    let Some(at) = id.find("~plan:").map(|at| at + "~plan:".len()) else {
        return;
    };
    let end = id[at..].find(':').map_or(id.len(), |end| at + end);
    if let Some(plus) = id[at..end].find('+') {
        id.replace_range(at + plus + 1..end, "");
    }
}

fn all_normal(parts: &mut [GrantAmount]) {
    parts.iter_mut().for_each(|part| normal(&mut part.grant_id));
}

impl Reply {
    /// Without what is not compared: durability, the number of events, the hold, ids within ids.
    pub fn compared(mut self) -> Self {
        let balance = match &mut self {
            Self::Subscribe(r) => (&mut r.balance, &mut r.durability).into(),
            Self::ChangePlan(r) => (&mut r.balance, &mut r.durability).into(),
            Self::CancelScheduledChange(r) => (&mut r.balance, &mut r.durability).into(),
            Self::Cancel(r) => (&mut r.balance, &mut r.durability).into(),
            Self::Resume(r) => (&mut r.balance, &mut r.durability).into(),
            Self::RecordPayment(r) => (&mut r.balance, &mut r.durability).into(),
            Self::RefundSubscription(r) => (&mut r.balance, &mut r.durability).into(),
            Self::RevokeGrant(r) => (&mut r.balance, &mut r.durability).into(),
            Self::CreateAccount(r) => {
                r.account = None;
                Some((&mut r.balance, &mut r.durability))
            }
            Self::CloseAccount(r) => {
                r.account = None;
                Some((&mut r.balance, &mut r.durability))
            }
            Self::GrantCredits(r) => {
                r.grant = None;
                Some((&mut r.balance, &mut r.durability))
            }
            Self::Reserve(r) => {
                r.hold = None;
                all_normal(&mut r.pinned);
                Some((&mut r.balance, &mut r.durability))
            }
            Self::Commit(r) => {
                r.hold = None;
                all_normal(&mut r.charged_by_grant);
                Some((&mut r.balance, &mut r.durability))
            }
            Self::Release(r) => {
                r.hold = None;
                Some((&mut r.balance, &mut r.durability))
            }
            Self::Refund(r) => {
                r.hold = None;
                all_normal(&mut r.refunded_to);
                Some((&mut r.balance, &mut r.durability))
            }
            Self::GetBalance(r) => {
                r.balance.iter_mut().for_each(|it| it.sequence = 0);
                None
            }
            Self::GetAccount(r) => {
                r.balance.iter_mut().for_each(|it| it.sequence = 0);
                if let Some(account) = &mut r.account {
                    (account.state, account.created_at) = (0, None);
                    account.etag.clear();
                }
                None
            }
            Self::ListGrants(r) => {
                for grant in &mut r.grants {
                    normal(&mut grant.grant_id);
                    grant.rollover = None;
                }
                None
            }
            Self::GetSubscription(_) | Self::ListBills(_) => None,
        };
        if let Some((balance, durability)) = balance {
            *durability = 0;
            balance.iter_mut().for_each(|it| it.sequence = 0);
        }
        self
    }
}

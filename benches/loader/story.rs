//! What an account has lived through, and what it has afterwards.

use holdbook::proto::{
    CommitRequest, CreateAccountRequest, Durability, GrantCreditsRequest, GrantKind,
    ReserveRequest, account_service_client::AccountServiceClient, commit_request::What,
    grant_credits_request::Expiry, grant_service_client::GrantServiceClient,
    metering_service_client::MeteringServiceClient,
};
use tonic::{Code, transport::Channel};

use super::Outcome;

const DAY_SECONDS: i64 = 24 * 3600;

/// A story that many accounts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Story {
    /// Made, and never given anything.
    SignedUp,
    /// Has a promotion that ends in a year: something is due, but not yet.
    Promoted,
    /// Has one top-up.
    ToppedUp,
    /// Has an allowance and a top-up, and one job done.
    Worker,
    /// Used more than it had.
    Debtor,
}

/// What GetBalance answers at the end of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Credits that can be spent.
    pub free: &'static str,
    /// Credits owed.
    pub debt: &'static str,
}

/// Of twenty accounts: most who sign up for a service never pay.
const MIX: [Story; 20] = {
    use Story::{Debtor, Promoted, SignedUp, ToppedUp, Worker};
    [
        SignedUp, Promoted, SignedUp, SignedUp, ToppedUp, SignedUp, Promoted, SignedUp, SignedUp,
        Worker, SignedUp, Promoted, SignedUp, SignedUp, ToppedUp, SignedUp, Debtor, SignedUp,
        Promoted, SignedUp,
    ]
};

impl Story {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::SignedUp,
        Self::Promoted,
        Self::ToppedUp,
        Self::Worker,
        Self::Debtor,
    ];

    /// The story of the account of that number.
    pub fn of(number: u64) -> Self {
        let at = number % MIX.len() as u64;
        MIX[usize::try_from(at).unwrap_or_default()]
    }

    /// What is there at its end.
    pub const fn expected(self) -> Expected {
        let (free, debt) = match self {
            Self::SignedUp => ("0", "0"),
            Self::Promoted => ("10", "0"),
            Self::ToppedUp => ("100", "0"),
            Self::Worker => ("523.5", "0"),
            Self::Debtor => ("0", "2"),
        };
        Expected { free, debt }
    }

    /// Lives it.
    pub(super) async fn live(self, channel: &Channel, account: &str) -> Outcome<()> {
        create(channel, account).await?;
        match self {
            Self::SignedUp => Ok(()),
            Self::Promoted => grant(channel, account, GrantKind::Promo, "10", Some(365)).await,
            Self::ToppedUp => grant(channel, account, GrantKind::TopUp, "100", None).await,
            Self::Worker => {
                grant(channel, account, GrantKind::Allowance, "25", Some(90)).await?;
                grant(channel, account, GrantKind::TopUp, "500", None).await?;
                job(channel, account, "2", "1.5").await
            }
            Self::Debtor => {
                grant(channel, account, GrantKind::TopUp, "1", None).await?;
                job(channel, account, "1", "3").await
            }
        }
    }
}

async fn create(channel: &Channel, account: &str) -> Outcome<()> {
    let request = CreateAccountRequest {
        account_id: account.into(),
        overdraft_limit: Some("50".into()),
        durability: Durability::Applied.into(),
        ..CreateAccountRequest::default()
    };
    let mut accounts = AccountServiceClient::new(channel.clone());
    accounts.create_account(request).await?;
    Ok(())
}

async fn grant(
    channel: &Channel,
    account: &str,
    kind: GrantKind,
    amount: &str,
    days: Option<i64>,
) -> Outcome<()> {
    let request = GrantCreditsRequest {
        account_id: account.into(),
        grant_id: format!("{kind:?}").to_lowercase(),
        kind: kind.into(),
        amount: amount.into(),
        expiry: days.map(|days| {
            Expiry::ExpiresIn(prost_types::Duration {
                seconds: days * DAY_SECONDS,
                nanos: 0,
            })
        }),
        ..GrantCreditsRequest::default()
    };
    let mut grants = GrantServiceClient::new(channel.clone());
    // A new grant asks the ledger, which may follow later than the service waits.
    while let Err(refused) = grants.grant_credits(request.clone()).await {
        if refused.code() != Code::Unavailable {
            return Err(refused.into());
        }
    }
    Ok(())
}

async fn job(channel: &Channel, account: &str, reserved: &str, used: &str) -> Outcome<()> {
    let mut metering = MeteringServiceClient::new(channel.clone());
    let reserve = ReserveRequest {
        account_id: account.into(),
        hold_id: "job-1".into(),
        amount: reserved.into(),
        ..ReserveRequest::default()
    };
    metering.reserve(reserve).await?;
    let commit = CommitRequest {
        account_id: account.into(),
        hold_id: "job-1".into(),
        what: Some(What::Amount(used.into())),
        ..CommitRequest::default()
    };
    metering.commit(commit).await?;
    Ok(())
}

//! Sends one act of the script and puts the answer into plain words.
//!
//! The words come from the answer alone, so that comparing them with the script compares the answer.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::Status;

use super::{
    super::{client::Services, names::Named, refusal::Refusal},
    script::Act,
    tell,
};
use crate::proto::{
    AccountState, Balance, ChargeRequest, CloseAccountRequest, CommitRequest, CreateAccountRequest,
    GetBalanceRequest, GetHoldRequest, GrantCreditsRequest, GrantKind, HoldState, RefundRequest,
    ReleaseRequest, ReserveRequest, commit_request::What,
};

/// Long enough to be seen open, short enough to be watched.
const SHORT_TTL: prost_types::Duration = prost_types::Duration {
    seconds: 0,
    nanos: 300_000_000,
};
/// How long to watch for the end of a hold of `SHORT_TTL`.
const WATCH_MAX: Duration = Duration::from_secs(10);
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// An answer in plain words and the balance after it.
#[derive(Debug)]
pub struct Answer {
    /// In plain words.
    pub answer: String,
    /// Free credits after it.
    pub free: String,
    /// Held credits after it.
    pub held: String,
    /// Debt after it.
    pub debt: String,
}

/// The answer in words, and the balance that it carries.
type Told = (String, Option<Balance>);

/// Asks for one account.
#[derive(Debug)]
pub struct Asker {
    services: Services,
    account_id: String,
}

impl Asker {
    /// For this account.
    pub fn new(services: Services, account_id: &str) -> Self {
        Self {
            services,
            account_id: account_id.to_owned(),
        }
    }

    /// Sends it. A refusal with a reason is an answer as well; a failure without one is an error.
    pub async fn ask(&mut self, act: Act) -> Result<Answer, Status> {
        let (answer, balance) = match self.send(act).await {
            Ok((answer, balance)) => (answer, balance.unwrap_or_default()),
            Err(status) => {
                let refusal = Refusal::from(status.clone());
                if refusal.reason.is_none() || refusal.is_unavailable() {
                    return Err(status);
                }
                (tell::refusal(&refusal), self.balance().await?)
            }
        };
        Ok(Answer {
            answer,
            free: balance.free,
            held: balance.held,
            debt: balance.debt,
        })
    }

    async fn send(&mut self, act: Act) -> Result<Told, Status> {
        match act {
            Act::Create(overdraft_limit, max_open_holds) => {
                self.create(overdraft_limit, max_open_holds).await
            }
            Act::Grant(grant_id, kind, amount) => self.grant(grant_id, kind, amount).await,
            Act::Reserve(hold_id, amount) => self.reserve(hold_id, amount, None).await,
            Act::ReserveShort(hold_id, amount) => {
                self.reserve(hold_id, amount, Some(SHORT_TTL)).await
            }
            Act::Commit(hold_id, amount) => self.commit(hold_id, None, amount).await,
            Act::CommitPart(hold_id, commit_id, amount) => {
                self.commit(hold_id, Some(commit_id), amount).await
            }
            Act::Release(hold_id) => self.release(hold_id).await,
            Act::Watch(hold_id) => self.watch(hold_id).await,
            Act::Charge(hold_id, amount) => self.charge(hold_id, amount).await,
            Act::Refund(hold_id, refund_id, amount) => {
                self.refund(hold_id, refund_id, amount).await
            }
            Act::Close => self.close().await,
        }
    }

    async fn create(&mut self, overdraft_limit: &str, max_open_holds: u32) -> Result<Told, Status> {
        let request = CreateAccountRequest {
            account_id: self.account_id.clone(),
            overdraft_limit: Some(overdraft_limit.to_owned()),
            max_open_holds,
            ..Default::default()
        };
        let answer = self
            .services
            .account
            .create_account(request)
            .await?
            .into_inner();
        let state = answer.account.unwrap_or_default().state();
        let words = if state == AccountState::Active {
            "active"
        } else {
            "not active"
        };
        Ok((
            tell::repeated(answer.replayed, words.to_owned()),
            answer.balance,
        ))
    }

    async fn grant(
        &mut self,
        grant_id: &str,
        kind: GrantKind,
        amount: &str,
    ) -> Result<Told, Status> {
        let request = GrantCreditsRequest {
            account_id: self.account_id.clone(),
            grant_id: grant_id.to_owned(),
            kind: kind.into(),
            amount: amount.to_owned(),
            ..Default::default()
        };
        let answer = self
            .services
            .grant
            .grant_credits(request)
            .await?
            .into_inner();
        Ok((tell::granted(&answer), answer.balance))
    }

    async fn reserve(
        &mut self,
        hold_id: &str,
        amount: &str,
        ttl: Option<prost_types::Duration>,
    ) -> Result<Told, Status> {
        let request = ReserveRequest {
            account_id: self.account_id.clone(),
            hold_id: hold_id.to_owned(),
            amount: amount.to_owned(),
            ttl,
            ..Default::default()
        };
        let answer = self.services.metering.reserve(request).await?.into_inner();
        let words = format!("set aside {}", tell::by_grant(&answer.pinned));
        Ok((tell::repeated(answer.replayed, words), answer.balance))
    }

    async fn commit(
        &mut self,
        hold_id: &str,
        part: Option<&str>,
        amount: &str,
    ) -> Result<Told, Status> {
        let request = CommitRequest {
            account_id: self.account_id.clone(),
            hold_id: hold_id.to_owned(),
            what: Some(What::Amount(amount.to_owned())),
            r#final: Some(part.is_none()),
            commit_id: part.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        let answer = self.services.metering.commit(request).await?.into_inner();
        Ok((tell::committed(&answer), answer.balance))
    }

    async fn release(&mut self, hold_id: &str) -> Result<Told, Status> {
        let request = ReleaseRequest {
            account_id: self.account_id.clone(),
            hold_id: hold_id.to_owned(),
            ..Default::default()
        };
        let answer = self.services.metering.release(request).await?.into_inner();
        let words = format!("released {}", answer.released);
        Ok((tell::repeated(answer.replayed, words), answer.balance))
    }

    async fn charge(&mut self, hold_id: &str, amount: &str) -> Result<Told, Status> {
        let request = ChargeRequest {
            account_id: self.account_id.clone(),
            hold_id: hold_id.to_owned(),
            amount: amount.to_owned(),
            ..Default::default()
        };
        let answer = self.services.metering.charge(request).await?.into_inner();
        let words = format!("charged {}", answer.charged);
        Ok((tell::repeated(answer.replayed, words), answer.balance))
    }

    async fn refund(
        &mut self,
        hold_id: &str,
        refund_id: &str,
        amount: &str,
    ) -> Result<Told, Status> {
        let request = RefundRequest {
            account_id: self.account_id.clone(),
            hold_id: hold_id.to_owned(),
            refund_id: refund_id.to_owned(),
            amount: amount.to_owned(),
            ..Default::default()
        };
        let answer = self.services.metering.refund(request).await?.into_inner();
        let words = format!("returned {}", tell::by_grant(&answer.refunded_to));
        Ok((tell::repeated(answer.replayed, words), answer.balance))
    }

    /// The only step on the real clock: a hold ends when its time has come, so it is looked at until then, within a bound.
    async fn watch(&mut self, hold_id: &str) -> Result<Told, Status> {
        let deadline = Instant::now() + WATCH_MAX;
        let mut ticks = interval(WATCH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let request = GetHoldRequest {
                account_id: self.account_id.clone(),
                hold_id: hold_id.to_owned(),
            };
            let answer = self.services.metering.get_hold(request).await?.into_inner();
            let hold = answer.hold.unwrap_or_default();
            if hold.state() != HoldState::Open {
                let state = hold.state().word();
                return Ok((
                    format!("{state}, released {}", hold.released),
                    answer.balance,
                ));
            }
            if Instant::now() >= deadline {
                let words = format!(
                    "still open after {WATCH_MAX:?}; does the server run on the test clock?"
                );
                return Ok((words, answer.balance));
            }
        }
    }

    async fn close(&mut self) -> Result<Told, Status> {
        let request = CloseAccountRequest {
            account_id: self.account_id.clone(),
            ..Default::default()
        };
        let answer = self
            .services
            .account
            .close_account(request)
            .await?
            .into_inner();
        let words = format!("closed, breakage {}", answer.breakage);
        Ok((tell::repeated(answer.replayed, words), answer.balance))
    }

    async fn balance(&mut self) -> Result<Balance, Status> {
        let request = GetBalanceRequest {
            account_id: self.account_id.clone(),
        };
        let answer = self
            .services
            .account
            .get_balance(request)
            .await?
            .into_inner();
        Ok(answer.balance.unwrap_or_default())
    }
}

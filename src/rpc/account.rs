//! `AccountService`: accounts, their limits, balances and ledger rows.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    core::{Core, caller},
    fields::{Fields, next_page_token},
    level, reused, status,
    subscriptions::terms::debt_without,
    view,
};
use crate::{
    domain::event::MoveKind,
    holds::operation::{NewAccount, Verb},
    ledger::{TransferFilter, TransferKey},
    proto::{self, AccountState, Durability, ErrorReason, account_service_server::AccountService},
};

/// The most that `max_open_holds` can be.
const OPEN_HOLDS_MAX: u32 = 1_000_000;

/// The service.
pub struct Accounts(pub Arc<Core>);

fn open_holds(fields: &mut Fields, count: u32) {
    if count > OPEN_HOLDS_MAX {
        fields.violation(
            "max_open_holds",
            format!("must be at most {OPEN_HOLDS_MAX}; 0 is no limit"),
        );
    }
}

const CREDIT_ABOVE_OVERDRAFT: &str = "must be at most overdraft_limit";

impl Accounts {
    /// What the catalog gives to a new account.
    async fn given(&self) -> Result<NewAccount, Status> {
        let Some((version, now)) = self.0.catalog_now().await? else {
            return Ok(NewAccount::default());
        };
        let catalog = &version.catalog;
        let (overdraft_limit, credit_limit) = debt_without(catalog);
        let welcome = catalog.accounts.welcome;
        Ok(NewAccount {
            overdraft_limit,
            credit_limit,
            welcome: welcome.map(|gift| (gift.credits, gift.expires.after(now))),
        })
    }
}

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn create_account(
        &self,
        request: Request<proto::CreateAccountRequest>,
    ) -> Result<Response<proto::CreateAccountResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        let before = fields.count();
        let overdraft_limit =
            fields.optional_amount("overdraft_limit", r.overdraft_limit.as_ref(), true);
        let credit_limit = fields.optional_amount("credit_limit", r.credit_limit.as_ref(), true);
        // Compared only where both can be read: one mistake is not told twice.
        let readable = fields.count() == before;
        if readable && credit_limit.unwrap_or_default() > overdraft_limit.unwrap_or_default() {
            fields.violation("credit_limit", CREDIT_ABOVE_OVERDRAFT);
        }
        open_holds(&mut fields, r.max_open_holds);
        let durability = fields.durability(r.durability, Durability::Ledger);
        fields.finish()?;
        let verb = Verb::CreateAccount {
            overdraft_limit,
            credit_limit,
            max_open_holds: r.max_open_holds,
            given: self.given().await?,
        };
        let done = self.0.ask(&r.account_id, caller, verb).await?;
        let done =
            reused::account(done, overdraft_limit, credit_limit, r.max_open_holds)?.or_refusal()?;
        Ok(Response::new(proto::CreateAccountResponse {
            account: view::account(&r.account_id, &done.answer),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        }))
    }

    async fn get_account(
        &self,
        request: Request<proto::GetAccountRequest>,
    ) -> Result<Response<proto::GetAccountResponse>, Status> {
        let caller = caller(&request)?;
        let account_id = request.into_inner().account_id;
        let mut fields = Fields::default();
        fields.account_id(&account_id);
        fields.finish()?;
        let done = self.0.ask(&account_id, caller, Verb::Read).await?;
        Ok(Response::new(proto::GetAccountResponse {
            account: view::account(&account_id, &done.answer),
            balance: view::balance(&done.answer),
        }))
    }

    async fn update_account(
        &self,
        request: Request<proto::UpdateAccountRequest>,
    ) -> Result<Response<proto::UpdateAccountResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        let overdraft_limit =
            fields.optional_amount("overdraft_limit", r.overdraft_limit.as_ref(), true);
        let credit_limit = fields.optional_amount("credit_limit", r.credit_limit.as_ref(), true);
        open_holds(&mut fields, r.max_open_holds.unwrap_or_default());
        const STATES: &str = "ACTIVE or SUSPENDED, or absent";
        let suspend = match fields.choice("state", r.state, true, STATES) {
            None => None,
            Some(AccountState::Active) => Some(false),
            Some(AccountState::Suspended) => Some(true),
            Some(_) => {
                fields.violation("state", format!("must be {STATES}"));
                None
            }
        };
        fields.text("etag", &r.etag, 16);
        let durability = fields.durability(r.durability, Durability::Ledger);
        fields.finish()?;
        let max_open_holds = r.max_open_holds;
        let verb = Verb::UpdateAccount {
            overdraft_limit,
            credit_limit,
            max_open_holds,
            suspend,
            etag: r.etag,
        };
        let done = self.0.ask(&r.account_id, caller, verb).await?;
        if done.refused_as(ErrorReason::Invalid) {
            let [credit, overdraft] = [done.answer.x, done.answer.y].map(view::credits);
            let what = format!("{CREDIT_ABOVE_OVERDRAFT}: {credit} is more than {overdraft}");
            return Err(status::invalid_field("credit_limit", what));
        }
        let done = done.or_refusal()?;
        Ok(Response::new(proto::UpdateAccountResponse {
            account: view::account(&r.account_id, &done.answer),
            balance: view::balance(&done.answer),
            durability: self.0.reach(&done, durability).await,
        }))
    }

    async fn close_account(
        &self,
        request: Request<proto::CloseAccountRequest>,
    ) -> Result<Response<proto::CloseAccountResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        let durability = fields.durability(r.durability, Durability::Ledger);
        fields.finish()?;
        let done = self
            .0
            .ask(&r.account_id, caller, Verb::CloseAccount)
            .await?
            .or_refusal()?;
        Ok(Response::new(proto::CloseAccountResponse {
            account: view::account(&r.account_id, &done.answer),
            breakage: view::sum(done.moves(), &[MoveKind::Lapse]).to_string(),
            lapsed: view::credits(done.numbers().0),
            balance: view::balance(&done.answer),
            replayed: done.answer.replayed,
            durability: self.0.reach(&done, durability).await,
        }))
    }

    async fn get_balance(
        &self,
        request: Request<proto::GetBalanceRequest>,
    ) -> Result<Response<proto::GetBalanceResponse>, Status> {
        let caller = caller(&request)?;
        let account_id = request.into_inner().account_id;
        let mut fields = Fields::default();
        fields.account_id(&account_id);
        fields.finish()?;
        let done = self.0.ask(&account_id, caller, Verb::Balance).await?;
        Ok(Response::new(proto::GetBalanceResponse {
            balance: view::balance(&done.answer),
            kinds: done.answer.kinds.iter().map(view::kind).collect(),
            levels: level::all(&self.0, done.answer.plan.as_ref()).await?,
        }))
    }

    async fn change_level(
        &self,
        request: Request<proto::ChangeLevelRequest>,
    ) -> Result<Response<proto::ChangeLevelResponse>, Status> {
        level::change(&self.0, request).await
    }

    async fn list_transfers(
        &self,
        request: Request<proto::ListTransfersRequest>,
    ) -> Result<Response<proto::ListTransfersResponse>, Status> {
        let caller = caller(&request)?;
        let r = request.into_inner();
        let mut fields = Fields::default();
        fields.account_id(&r.account_id);
        if !r.hold_id.is_empty() {
            fields.id("hold_id", &r.hold_id);
        }
        if !r.grant_id.is_empty() {
            fields.any_grant_id(&r.grant_id);
        }
        let filter = TransferFilter {
            hold_id: Some(r.hold_id).filter(|id| !id.is_empty()),
            grant_id: Some(r.grant_id).filter(|id| !id.is_empty()),
            occurred_from: fields.instant("occurred_from", r.occurred_from),
            occurred_before: fields.instant("occurred_before", r.occurred_before),
        };
        let after = fields
            .page_token::<2>(&r.page_token)
            .map(|[sequence, line]| TransferKey {
                sequence,
                line: u32::try_from(line).unwrap_or(u32::MAX),
            });
        let limit = fields.page_size(r.page_size);
        fields.finish()?;
        self.0.caught_up(&r.account_id, caller).await?;
        let page = self
            .0
            .ledger
            .list_transfers(&r.account_id, &filter, after, limit);
        let page = page.await.map_err(status::ledger_failed)?;
        let next = page
            .next
            .map(|key| next_page_token([key.sequence, u64::from(key.line)]));
        Ok(Response::new(proto::ListTransfersResponse {
            transfers: page.rows.into_iter().map(view::transfer).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }
}

//! A customer of a shop: an account, its grants, jobs, plan and rows, all through gRPC.

use holdbook::proto::{
    Account, Balance, Bill, CancelRequest, CancelScheduledChangeRequest, ChangeLevelRequest,
    ChangePlanRequest, ChangePlanResponse, CommitRequest, CommitResponse, CreateAccountRequest,
    GetAccountRequest, GetBalanceRequest, GetSubscriptionRequest, GrantCreditsRequest,
    GrantCreditsResponse, GrantKind, LedgerAccount, ListBillsRequest, ListGrantsRequest,
    ListTransfersRequest, PurchaseCreditsRequest, PurchaseCreditsResponse, RecordPaymentRequest,
    ReleaseRequest, ReserveRequest, ReserveResponse, ResumeRequest, RevokeGrantRequest,
    SubscribeRequest, SubscribeResponse, Subscription, Transfer, Usage,
    account_service_client::AccountServiceClient, change_level_request::Change,
    commit_request::What, grant_service_client::GrantServiceClient,
    metering_service_client::MeteringServiceClient, purchase_credits_request::What as Buy,
    subscription_service_client::SubscriptionServiceClient,
};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use super::shop::{Shop, usage};

pub const ACCOUNT: &str = "acme";
pub const DAY: i64 = 86_400;

/// A shop with one customer.
pub struct Customer(pub Shop);

impl Customer {
    pub async fn of(product: &str, overdraft_limit: &str) -> Self {
        let shop = Shop::selling(product).await;
        let account = CreateAccountRequest {
            account_id: ACCOUNT.into(),
            overdraft_limit: Some(overdraft_limit.into()),
            ..Default::default()
        };
        let mut accounts = AccountServiceClient::new(shop.stack.channel());
        accounts.create_account(account).await.expect("an account");
        Self(shop)
    }

    /// As the catalog has new accounts.
    pub async fn fresh(product: &str) -> Self {
        let customer = Self(Shop::selling(product).await);
        customer.open_account().await;
        customer
    }

    pub async fn open_account(&self) {
        let account = CreateAccountRequest {
            account_id: ACCOUNT.into(),
            ..Default::default()
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        accounts.create_account(account).await.expect("an account");
    }

    pub async fn account(&self) -> Account {
        let request = GetAccountRequest {
            account_id: ACCOUNT.into(),
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        let answer = accounts.get_account(request).await.expect("an account");
        answer.into_inner().account.expect("it")
    }

    pub async fn revoke(&self, id: &str) -> Result<(), Status> {
        let request = RevokeGrantRequest {
            account_id: ACCOUNT.into(),
            grant_id: id.into(),
            durability: 0,
        };
        let mut grants = GrantServiceClient::new(self.0.stack.channel());
        grants.revoke_grant(request).await.map(drop)
    }

    pub async fn release(&self, hold: &str) {
        let request = ReleaseRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            durability: 0,
        };
        let mut metering = MeteringServiceClient::new(self.0.stack.channel());
        metering.release(request).await.expect("released");
    }

    /// The same of one that may never have been made.
    pub async fn release_if_there(&self, hold: &str) {
        let request = ReleaseRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            durability: 0,
        };
        let mut metering = MeteringServiceClient::new(self.0.stack.channel());
        match metering.release(request).await {
            Err(status) if status.code() == Code::NotFound => {}
            answer => drop(answer.expect("released")),
        }
    }

    pub async fn reserve_amount(&self, hold: &str, amount: &str) -> Result<(), Status> {
        let request = ReserveRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            amount: amount.into(),
            ..Default::default()
        };
        let mut metering = MeteringServiceClient::new(self.0.stack.channel());
        metering.reserve(request).await.map(drop)
    }

    /// No scheduled change.
    pub async fn keep(&self, change_id: &str) {
        let request = CancelScheduledChangeRequest {
            account_id: ACCOUNT.into(),
            subscription_id: "sub".into(),
            change_id: change_id.into(),
            durability: 0,
        };
        let answer = self.plans().cancel_scheduled_change(request).await;
        answer.expect("kept");
    }

    /// With a plan whose allowance is used up.
    pub async fn with_plan(product: &str, plan: &str, used: &str) -> Self {
        let customer = Self::of(product, "0").await;
        customer.0.subscribe(ACCOUNT, plan).await;
        customer.job("before", used).await;
        customer
    }

    pub async fn ask(&self, request: GrantCreditsRequest) -> GrantCreditsResponse {
        let mut grants = GrantServiceClient::new(self.0.stack.channel());
        loop {
            match grants.grant_credits(request.clone()).await {
                // The ledger, which is asked for the id, may follow late.
                Err(status) if status.code() == Code::Unavailable => {}
                granted => return granted.expect("a grant").into_inner(),
            }
        }
    }

    pub async fn grant(&self, kind: GrantKind, id: &str, amount: &str) -> GrantCreditsResponse {
        self.ask(granted(kind, id, amount)).await
    }

    pub async fn reserve(&self, hold: &str, text: &str) -> Result<ReserveResponse, Status> {
        let request = ReserveRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            usage: Some(Usage { items: usage(text) }),
            ..Default::default()
        };
        let mut metering = MeteringServiceClient::new(self.0.stack.channel());
        Ok(metering.reserve(request).await?.into_inner())
    }

    pub async fn commit(&self, hold: &str, text: &str) -> CommitResponse {
        let request = CommitRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            what: Some(What::Usage(Usage { items: usage(text) })),
            ..Default::default()
        };
        let mut metering = MeteringServiceClient::new(self.0.stack.channel());
        metering
            .commit(request)
            .await
            .expect("a commit")
            .into_inner()
    }

    /// Reserve and commit of what the job was to do; what it was charged.
    pub async fn job(&self, hold: &str, text: &str) -> CommitResponse {
        let held = self.reserve(hold, text).await;
        held.unwrap_or_else(|status| panic!("{text}: {status}"));
        self.commit(hold, text).await
    }

    pub async fn balance(&self) -> Balance {
        let request = GetBalanceRequest {
            account_id: ACCOUNT.into(),
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        let answer = accounts.get_balance(request).await.expect("a balance");
        answer.into_inner().balance.expect("in it")
    }

    /// The ledger's rows of a hold, or of all, as `reserve free held 10 allowance`.
    pub async fn rows(&self, hold: &str) -> Vec<String> {
        let request = ListTransfersRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.into(),
            ..Default::default()
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        let answer = accounts.list_transfers(request).await.expect("rows");
        answer.into_inner().transfers.iter().map(row).collect()
    }

    pub fn plans(&self) -> SubscriptionServiceClient<Channel> {
        SubscriptionServiceClient::new(self.0.stack.channel())
    }

    pub async fn subscribe(&self, id: &str, plan: &str) -> Result<SubscribeResponse, Status> {
        let request = SubscribeRequest {
            account_id: ACCOUNT.into(),
            subscription_id: id.into(),
            plan: plan.into(),
            ..Default::default()
        };
        Ok(self.plans().subscribe(request).await?.into_inner())
    }

    /// The ids of its grants, newest first.
    pub async fn grants(&self) -> Vec<String> {
        let request = ListGrantsRequest {
            account_id: ACCOUNT.into(),
            ..Default::default()
        };
        let mut grants = GrantServiceClient::new(self.0.stack.channel());
        let answer = grants.list_grants(request).await.expect("its grants");
        let grants = answer.into_inner().grants.into_iter();
        grants.map(|grant| grant.grant_id).collect()
    }

    /// The payment of a period has come in.
    pub async fn paid(&self, id: &str, cycle: u32) {
        let request = RecordPaymentRequest {
            account_id: ACCOUNT.into(),
            subscription_id: id.into(),
            change_id: format!("payment-{cycle}"),
            cycle,
            durability: 0,
        };
        self.plans().record_payment(request).await.expect("paid");
    }

    pub async fn change(&self, change_id: &str, plan: &str) -> Result<ChangePlanResponse, Status> {
        self.change_of("sub", change_id, plan).await
    }

    pub async fn change_of(
        &self,
        id: &str,
        change_id: &str,
        plan: &str,
    ) -> Result<ChangePlanResponse, Status> {
        let request = ChangePlanRequest {
            account_id: ACCOUNT.into(),
            subscription_id: id.into(),
            change_id: change_id.into(),
            plan: plan.into(),
            ..Default::default()
        };
        Ok(self.plans().change_plan(request).await?.into_inner())
    }

    /// At once, another subscription.
    pub async fn cancel_of(&self, id: &str, change_id: &str) -> Subscription {
        self.cancelled((id, change_id), true).await
    }

    pub async fn cancel(&self, change_id: &str, at_once: bool) -> Subscription {
        self.cancelled(("sub", change_id), at_once).await
    }

    async fn cancelled(&self, (id, change_id): (&str, &str), at_once: bool) -> Subscription {
        let request = CancelRequest {
            account_id: ACCOUNT.into(),
            subscription_id: id.into(),
            change_id: change_id.into(),
            at_once,
            durability: 0,
        };
        let answer = self.plans().cancel(request).await.expect("cancelled");
        answer.into_inner().subscription.expect("it")
    }

    pub async fn resume(&self, change_id: &str) -> Subscription {
        let request = ResumeRequest {
            account_id: ACCOUNT.into(),
            subscription_id: "sub".into(),
            change_id: change_id.into(),
            durability: 0,
        };
        let answer = self.plans().resume(request).await.expect("resumed");
        answer.into_inner().subscription.expect("it")
    }

    pub async fn subscription(&self) -> Subscription {
        let request = GetSubscriptionRequest {
            account_id: ACCOUNT.into(),
            subscription_id: String::new(),
        };
        let answer = self.plans().get_subscription(request).await;
        answer.expect("one").into_inner().subscription.expect("it")
    }

    /// Buys a pack, or an amount in a trust tier.
    pub async fn buy(
        &self,
        id: &str,
        what: Buy,
        tier: &str,
    ) -> Result<PurchaseCreditsResponse, Status> {
        let request = PurchaseCreditsRequest {
            account_id: ACCOUNT.into(),
            grant_id: id.into(),
            what: Some(what),
            trust_tier: tier.into(),
            ..Default::default()
        };
        let mut grants = GrantServiceClient::new(self.0.stack.channel());
        Ok(grants.purchase_credits(request).await?.into_inner())
    }

    /// Changes a level; answers where it stands then.
    pub async fn level(&self, id: &str, capacity: &str, change: Change) -> Result<String, Status> {
        let request = ChangeLevelRequest {
            account_id: ACCOUNT.into(),
            change_id: id.into(),
            capacity: capacity.into(),
            change: Some(change),
            durability: 0,
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        Ok(accounts.change_level(request).await?.into_inner().level)
    }

    /// Made with and left, of a kind of grant.
    pub async fn kind(&self, kind: GrantKind) -> [String; 2] {
        let request = GetBalanceRequest {
            account_id: ACCOUNT.into(),
        };
        let mut accounts = AccountServiceClient::new(self.0.stack.channel());
        let answer = accounts.get_balance(request).await.expect("a balance");
        let kinds = answer.into_inner().kinds;
        let found = kinds.into_iter().find(|it| it.kind() == kind);
        found.map_or_else(|| ["0".into(), "0".into()], |it| [it.granted, it.free])
    }

    /// Each bill as `period 1 19.95`, or `change 1 3 -2`.
    pub async fn bills(&self) -> Vec<String> {
        let request = ListBillsRequest {
            account_id: ACCOUNT.into(),
            ..Default::default()
        };
        let answer = self.plans().list_bills(request).await.expect("bills");
        answer.into_inner().bills.iter().map(bill).collect()
    }

    /// The books balance.
    pub async fn end(self) {
        self.0.stack.balanced().await;
    }
}

pub fn granted(kind: GrantKind, id: &str, amount: &str) -> GrantCreditsRequest {
    GrantCreditsRequest {
        account_id: ACCOUNT.into(),
        grant_id: id.into(),
        kind: kind.into(),
        amount: amount.into(),
        ..Default::default()
    }
}

pub fn row(row: &Transfer) -> String {
    let side = |side: LedgerAccount| {
        let name = side.as_str_name().trim_start_matches("LEDGER_ACCOUNT_");
        name.to_lowercase()
    };
    let (debit, credit) = (side(row.debit()), side(row.credit()));
    let text = format!(
        "{} {debit} {credit} {} {}",
        row.event, row.amount, row.grant_id
    );
    text.trim_end().to_owned()
}

/// By grant, as `10 allowance`.
pub fn by_grant(charged: &CommitResponse) -> Vec<String> {
    let parts = charged.charged_by_grant.iter();
    parts
        .map(|part| format!("{} {}", part.amount, part.grant_id))
        .collect()
}

/// Not enough credits: what was wanted, and by how much it is short.
pub fn short_by(refused: &Status) -> String {
    let info = refused.get_details_error_info().expect("a reason");
    assert_eq!(
        (refused.code(), info.reason.as_str()),
        (Code::ResourceExhausted, "INSUFFICIENT_CREDITS")
    );
    assert_eq!(info.metadata["http_status"], "402");
    info.metadata["short_by"].clone()
}

fn bill(bill: &Bill) -> String {
    let kind = bill.kind().as_str_name().trim_start_matches("BILL_KIND_");
    let credit = match bill.credit.as_str() {
        "0" => String::new(),
        credit => format!(" -{credit}"),
    };
    let text = format!(
        "{} {} {}{credit}",
        kind.to_lowercase(),
        bill.cycle,
        bill.charge
    );
    text
}

//! A service that sells: catalogs applied and usages quoted through gRPC.

use holdbook::proto::{
    AdvanceRequest, ApplyCatalogRequest, ApplyCatalogResponse, GetCatalogRequest,
    GetCatalogResponse, QuoteRequest, QuoteResponse, RecordPaymentRequest, SubscribeRequest,
    UsageItem, pricing_service_client::PricingServiceClient,
    subscription_service_client::SubscriptionServiceClient,
    test_clock_service_client::TestClockServiceClient,
};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::StatusExt;

use super::text;
use crate::support::Stack;

/// A service on a clock that only the test moves.
pub struct Shop {
    pub stack: Stack,
    pub prices: Prices,
}

/// A client.
#[derive(Clone)]
pub struct Prices(pub PricingServiceClient<Channel>);

/// Why a call was refused: code, reason, message.
pub fn why(status: &Status) -> (Code, String, String) {
    let info = status.get_details_error_info().expect("a reason");
    (status.code(), info.reason, status.message().to_owned())
}

/// Each violated field and what is wrong with it.
pub fn violations(status: &Status) -> Vec<(String, String)> {
    let bad = status
        .get_details_bad_request()
        .unwrap_or_else(|| panic!("{status}"));
    let violations = bad.field_violations.into_iter();
    violations.map(|it| (it.field, it.description)).collect()
}

/// A small catalog whose one meter has this price.
pub fn small(price: &str) -> String {
    format!("catalog: small\nmeters:\n  job: {{unit: second, price: {price}}}\n")
}

/// `render 60 resolution=hd`, and `price=3` where the run came to it; items each after a `;`.
pub fn usage(text: &str) -> Vec<UsageItem> {
    let items = text.split("; ").filter(|item| !item.is_empty());
    items.map(item).collect()
}

fn item(text: &str) -> UsageItem {
    let mut words = text.split(' ');
    let mut next = || words.next().unwrap_or_default().to_owned();
    let mut item = UsageItem {
        meter: next(),
        quantity: next(),
        ..UsageItem::default()
    };
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        match name {
            "price" => item.price = Some(value.to_owned()),
            _ => drop(item.attributes.insert(name.to_owned(), value.to_owned())),
        }
    }
    item
}

impl Shop {
    pub async fn open() -> Self {
        let stack = Stack::start_with_test_clock().await;
        let prices = Prices::over(stack.channel());
        Self { stack, prices }
    }

    /// With a product's catalog.
    pub async fn selling(product: &str) -> Self {
        let shop = Self::open().await;
        shop.prices.apply(&text(&format!("{product}.yaml"))).await;
        shop
    }

    /// The account's plan holds from now, and is paid.
    pub async fn subscribe(&self, account: &str, plan: &str) {
        let request = SubscribeRequest {
            account_id: account.into(),
            subscription_id: "sub".into(),
            plan: plan.into(),
            ..Default::default()
        };
        let mut plans = SubscriptionServiceClient::new(self.stack.channel());
        let begun = plans.subscribe(request).await.expect("a plan").into_inner();
        if begun.subscription.expect("it").awaiting_payment {
            let payment = RecordPaymentRequest {
                account_id: account.into(),
                subscription_id: "sub".into(),
                change_id: "paid".into(),
                cycle: 1,
                durability: 0,
            };
            plans.record_payment(payment).await.expect("paid");
        }
    }

    /// Moves the clock; says where it stands.
    pub async fn advance(&self, seconds: i64) -> prost_types::Timestamp {
        let by = prost_types::Duration { seconds, nanos: 0 };
        let mut clock = TestClockServiceClient::new(self.stack.channel());
        loop {
            match clock.advance(AdvanceRequest { by: Some(by) }).await {
                // Redis was emptied, and not all is open again; nothing has moved then.
                Err(status) if status.code() == Code::Unavailable => {}
                moved => {
                    let moved = moved.expect("the clock moves").into_inner();
                    return moved.now.expect("an instant");
                }
            }
        }
    }
}

impl Prices {
    pub fn over(channel: Channel) -> Self {
        Self(PricingServiceClient::new(channel))
    }

    pub async fn ask(&self, request: ApplyCatalogRequest) -> Result<ApplyCatalogResponse, Status> {
        let mut request = Request::new(request);
        let actor = "ada".parse().expect("a word");
        request.metadata_mut().insert("x-holdbook-actor", actor);
        let answer = self.0.clone().apply_catalog(request).await?;
        Ok(answer.into_inner())
    }

    pub async fn apply(&self, yaml: &str) -> ApplyCatalogResponse {
        let request = ApplyCatalogRequest {
            yaml: yaml.to_owned(),
            ..Default::default()
        };
        self.ask(request).await.expect("a catalog")
    }

    /// A version; 0 is the one in force.
    pub async fn catalog(&self, version: u64) -> Result<GetCatalogResponse, Status> {
        let request = GetCatalogRequest { version };
        Ok(self.0.clone().get_catalog(request).await?.into_inner())
    }

    pub async fn quote(&self, request: QuoteRequest) -> Result<QuoteResponse, Status> {
        Ok(self.0.clone().quote(request).await?.into_inner())
    }

    /// What a usage costs by the version in force: `2 to 3`, or `5`.
    pub async fn cost(&self, text: &str, own: &str, exact: bool) -> String {
        let request = QuoteRequest {
            usage: usage(text),
            r#override: own.to_owned(),
            exact,
            ..Default::default()
        };
        let quote = self.quote(request).await;
        let QuoteResponse {
            minimum, maximum, ..
        } = quote.unwrap_or_else(|status| panic!("{text}: {}", status.message()));
        if minimum == maximum {
            minimum
        } else {
            format!("{minimum} to {maximum}")
        }
    }

    /// What a second of the small catalog costs, and the version that says so.
    pub async fn job(&self) -> (String, u64) {
        let request = QuoteRequest {
            usage: usage("job 1"),
            ..Default::default()
        };
        let quote = self.quote(request).await.expect("a quote");
        (quote.maximum, quote.version)
    }
}

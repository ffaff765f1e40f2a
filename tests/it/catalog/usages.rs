//! Random usages of the five products: quote, hold and charge agree with each other and with the products' own tables, to the
//! micro-credit. USAGES of them (default 2,000) from SEED: `make usages` does 100,000.

use std::sync::Arc;

use holdbook::proto::{
    CommitRequest, QuoteRequest, ReserveRequest, Usage, UsageItem, commit_request::What,
    metering_service_client::MeteringServiceClient,
};
use tokio::task::JoinSet;

use super::{
    PRODUCTS,
    shop::{Shop, usage},
    tables::{self, Sold, amount},
};
use crate::{
    model::{Dice, from_environment},
    support::fund,
};

/// Callers at once.
const CALLERS: u64 = 32;
/// Accounts of a product, so that not all is done in one.
const ACCOUNTS: u64 = 8;

/// Plans that allow whatever is asked here, where the product asks for one.
const PLANS: [(&str, &str); 4] = [
    ("json2video", "business"),
    ("studio", "team"),
    ("scriptkit", "studio"),
    ("creatify", "business"),
];

/// What a job will do and what it did, each with what the tables say.
struct Job {
    planned: String,
    most: u128,
    done: String,
    exact: u128,
}

impl Job {
    fn random(dice: &mut Dice, sold: &[Sold]) -> Self {
        let (mut planned, mut done) = (Vec::new(), Vec::new());
        let (mut most, mut exact) = (tables::Sum::default(), tables::Sum::default());
        for _ in 0..=dice.below(3) {
            let item = &sold[dice.below(sold.len() as u64) as usize];
            let bound = if item.whole { 300 } else { 300_000_000 };
            let quantity = u128::from(dice.below(bound)) * if item.whole { 1_000_000 } else { 1 };
            let price = item.prices[dice.below(item.prices.len() as u64) as usize];
            // Not more than was planned: a hold of the quote is enough then.
            let used = match dice.below(4) {
                0 => quantity,
                1 => 0,
                _ if item.whole => {
                    u128::from(dice.below(1 + (quantity / 1_000_000) as u64)) * 1_000_000
                }
                _ => u128::from(dice.below(1 + quantity as u64)),
            };
            planned.push(format!(
                "{} {}{}",
                item.meter,
                amount(quantity),
                item.before
            ));
            done.push(format!(
                "{} {}{}",
                item.meter,
                amount(used),
                item.after(price)
            ));
            most.add(item, item.most(), quantity);
            exact.add(item, price, used);
        }
        Self {
            planned: planned.join("; "),
            most: most.total(),
            done: done.join("; "),
            exact: exact.total(),
        }
    }
}

async fn quoted(shop: &Shop, items: Vec<UsageItem>, exact: bool) -> String {
    let request = QuoteRequest {
        usage: items,
        exact,
        ..Default::default()
    };
    shop.prices.quote(request).await.expect("a quote").maximum
}

async fn agree(shop: &Shop, account: &str, hold: &str, job: &Job) {
    let mut metering = MeteringServiceClient::new(shop.stack.channel());
    let reserve = ReserveRequest {
        account_id: account.into(),
        hold_id: hold.into(),
        usage: Some(Usage {
            items: usage(&job.planned),
        }),
        ..Default::default()
    };
    let quote = quoted(shop, usage(&job.planned), false).await;
    let held = metering.reserve(reserve).await;
    let held = held.unwrap_or_else(|status| panic!("{}: {status}", job.planned));
    let held = held.into_inner().hold.expect("it").held;
    let said = [quote, held];
    assert_eq!(
        said,
        [amount(job.most), amount(job.most)],
        "{}",
        job.planned
    );

    let commit = CommitRequest {
        account_id: account.into(),
        hold_id: hold.into(),
        what: Some(What::Usage(Usage {
            items: usage(&job.done),
        })),
        ..Default::default()
    };
    let quote = quoted(shop, usage(&job.done), true).await;
    let done = metering.commit(commit).await;
    let done = done.unwrap_or_else(|status| panic!("{}: {status}", job.done));
    let done = done.into_inner();
    let said = [quote, done.charged];
    assert_eq!(said, [amount(job.exact), amount(job.exact)], "{}", job.done);
    assert_eq!(
        (done.overdrawn.as_str(), done.absorbed.as_str()),
        ("0", "0")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quote_hold_and_charge_agree_with_the_products_tables() {
    let (count, seed) = (
        from_environment("USAGES", 2_000),
        from_environment("SEED", 7),
    );
    let each = count.div_ceil(PRODUCTS.len() as u64);
    for product in PRODUCTS {
        let shop = Arc::new(Shop::selling(product).await);
        for at in 0..ACCOUNTS {
            let account = format!("farm-{at}");
            fund(&shop.stack.channel(), &account, "5000000000").await;
            if let Some(plan) = PLANS.iter().find(|(of, _)| *of == product) {
                shop.subscribe(&account, plan.1).await;
            }
        }
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (shop, sold) = (Arc::clone(&shop), tables::sold(product));
            callers.spawn(async move {
                let mut dice = Dice::new(seed, caller);
                for number in (caller..each).step_by(CALLERS as usize) {
                    let account = format!("farm-{}", number % ACCOUNTS);
                    let job = Job::random(&mut dice, &sold);
                    agree(&shop, &account, &format!("job-{number}"), &job).await;
                }
            });
        }
        while let Some(ended) = callers.join_next().await {
            ended.expect("a caller does not panic");
        }
        shop.stack.balanced().await;
        println!("{product}: {each} usages");
    }
    println!(
        "usages: {} usages of {} products, seed {seed}, all agree",
        each * 5,
        PRODUCTS.len()
    );
}

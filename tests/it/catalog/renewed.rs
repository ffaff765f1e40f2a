//! Renewals as those see them who look at the same instant, and what becomes of a subscription when Redis loses it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use holdbook::proto::{
    CreateAccountRequest, Durability, GrantKind, ReleaseRequest, ReserveRequest, SubscribeRequest,
    account_service_client::AccountServiceClient, metering_service_client::MeteringServiceClient,
    subscription_service_client::SubscriptionServiceClient,
};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::{
    customer::{ACCOUNT, Customer, DAY},
    shop::{Prices, Shop, why},
    text,
};
use crate::{
    model::{Dice, from_environment},
    support::Stack,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_is_whole_for_all_who_look_at_its_instant() {
    let customer = Arc::new(Customer::of("scriptkit", "0").await);
    customer.subscribe("sub", "starter").await.expect("a plan");
    for cycle in 2..=6 {
        // All of the month's 400 are used, or none.
        let used = if cycle % 2 == 0 { 400 } else { 0 };
        let job = format!("upscale {used}");
        customer.job(&format!("job-{cycle}"), &job).await;
        let it = customer.subscription().await;
        let now = customer.balance().await.as_of.expect("it").seconds;
        customer
            .0
            .advance(it.until.expect("it").seconds - now)
            .await;
        let mut callers = JoinSet::new();
        for caller in 0..48 {
            let customer = customer.clone();
            callers.spawn(async move {
                if caller % 3 == 0 {
                    let balance = customer.balance().await;
                    let (free, held) = (amount(&balance.free), amount(&balance.held));
                    assert_eq!(free + held, 400, "one cycle's, and never two or none");
                    return 0;
                }
                let hold = format!("hold-{cycle}-{caller}");
                let reserved = customer.reserve_amount(&hold, "25").await;
                match reserved {
                    Ok(()) => 1,
                    Err(status) => {
                        assert_eq!(why(&status).1, "INSUFFICIENT_CREDITS");
                        0
                    }
                }
            });
        }
        let held: u32 = callers.join_all().await.into_iter().sum();
        assert_eq!(held, 16, "400 are 16 times 25");
        for caller in 0..48 {
            if caller % 3 != 0 {
                let hold = format!("hold-{cycle}-{caller}");
                customer.release_if_there(&hold).await;
            }
        }
        let all: Vec<_> = (1..=cycle)
            .rev()
            .map(|cycle| format!("~plan:{cycle}:sub"))
            .collect();
        assert_eq!(customer.grants().await, all, "one for each cycle");
    }
    let customer = Arc::into_inner(customer).expect("all callers are done");
    customer.end().await;
}

fn amount(text: &str) -> i64 {
    text.parse().expect("a whole number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_on_when_redis_has_forgotten_it() {
    let customer = Customer::of("scriptkit", "0").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    customer.change("down", "studio").await.expect("an upgrade");
    for round in 0..3 {
        match round {
            0 => customer.0.stack.forget().await,
            _ => drop(customer.0.stack.evict().await),
        }
        let again = customer.subscribe("sub", "starter").await;
        assert!(again.expect("a repeat").replayed, "{round}");
        let again = customer.change("down", "studio").await;
        let again = again.expect("a repeat");
        assert!(again.replayed, "{round}");
        assert_eq!(again.change.expect("it").granted, "2600");
        customer.0.advance(31 * DAY).await;
        assert_eq!(
            customer.kind(GrantKind::Allowance).await,
            ["3000", "3000"],
            "{round}"
        );
    }
    assert_eq!(customer.bills().await.len(), 5);
    // Of an account that nobody asks for the sweeper does what is due.
    customer.0.stack.evict().await;
    customer.0.advance(31 * DAY).await;
    let ledger = customer.0.stack.service.ledger().clone();
    loop {
        let page = ledger.list_bills(ACCOUNT, None, 100).await;
        if page.expect("Postgres answers").rows.len() == 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    customer.end().await;
}

/// Each is worked out from what the one before left.
#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_are_one_after_the_other() {
    let customer = Arc::new(Customer::of("scriptkit", "0").await);
    let mut callers = JoinSet::new();
    for caller in 0..16 {
        let customer = customer.clone();
        callers.spawn(async move {
            customer
                .subscribe(&format!("sub-{caller}"), "starter")
                .await
        });
    }
    let begun = callers.join_all().await;
    assert_eq!(begun.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in begun.into_iter().filter_map(Result::err) {
        assert_eq!(why(&refused).1, "SUBSCRIPTION_ACTIVE");
    }
    let id = customer.subscription().await.subscription_id;
    let mut callers = JoinSet::new();
    for caller in 0..16 {
        let (customer, id) = (customer.clone(), id.clone());
        let plan = ["professional", "studio"][caller % 2];
        callers.spawn(async move {
            let changed = customer.change_of(&id, plan, plan).await;
            let changed = changed.expect("a change");
            u32::from(!changed.replayed)
        });
    }
    let first: u32 = callers.join_all().await.into_iter().sum();
    assert_eq!(first, 2, "each change once");
    let customer = Arc::into_inner(customer).expect("all callers are done");
    // Up to studio by one step or by two it is the same; after it professional waits for the period's end.
    assert_eq!(customer.balance().await.free, "3000");
    assert_eq!(customer.subscription().await.plan, "studio");
    customer.end().await;
}

/// More calls than are remembered beside the account: the ledger knows them.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_long_ago_is_still_a_repeat() {
    let customer = Customer::of("scriptkit", "0").await;
    customer.subscribe("sub", "starter").await.expect("a plan");
    let first = customer.change("first", "professional").await;
    let first = first.expect("an upgrade").change.expect("it");
    for round in 0..20 {
        customer.cancel(&format!("cancel-{round}"), false).await;
        customer.resume(&format!("resume-{round}")).await;
    }
    let free = customer.balance().await.free;
    let again = customer.change("first", "professional").await;
    let again = again.expect("a repeat");
    assert!(again.replayed);
    assert_eq!(again.change.expect("it"), first);
    let other = customer.change("first", "studio").await;
    assert_eq!(why(&other.expect_err("another plan")).1, "ID_REUSED");
    let again = customer.subscribe("sub", "starter").await;
    assert!(again.expect("a repeat").replayed);
    assert_eq!(customer.balance().await.free, free);
    customer.end().await;
}

/// What was acknowledged and lost before the ledger had it is done again, as of then.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_again_after_a_loss_is_what_was_answered() {
    let more = ["--test-clock=true", "--relay-pause=3s", "--ledger-wait=30s"];
    let stack = Stack::start(&more).await;
    let prices = Prices::over(stack.channel());
    let shop = Shop { stack, prices };
    shop.prices.apply(&text("scriptkit.yaml")).await;
    let account = CreateAccountRequest {
        account_id: ACCOUNT.into(),
        ..Default::default()
    };
    let mut accounts = AccountServiceClient::new(shop.stack.channel());
    accounts.create_account(account).await.expect("an account");
    let request = SubscribeRequest {
        account_id: ACCOUNT.into(),
        subscription_id: "sub".into(),
        plan: "starter".into(),
        durability: Durability::Applied.into(),
        ..Default::default()
    };
    let mut plans = SubscriptionServiceClient::new(shop.stack.channel());
    let first = plans.subscribe(request.clone()).await.expect("a plan");
    let first = first.into_inner();
    assert_eq!(first.durability(), Durability::Applied);
    shop.advance(60).await;
    let customer = Customer(shop);
    let deed = holdbook::domain::subscription::call_deed("sub", "");
    let found = customer.0.stack.service.ledger().deed(ACCOUNT, &deed).await;
    assert_eq!(found.expect("an answer"), None, "it is in Redis only");
    customer.0.stack.redis_says("FLUSHALL").await;
    let again = loop {
        match plans.subscribe(request.clone()).await {
            Err(status) if status.code() == Code::Unavailable => {}
            answer => break answer.expect("a repeat").into_inner(),
        }
    };
    assert!(again.replayed);
    assert_eq!(again.subscription, first.subscription);
    assert_eq!(again.change, first.change);
    assert_eq!(customer.balance().await.free, "400");
    assert_eq!(customer.bills().await, ["period 1 29"]);
    customer.end().await;
}

/// Accounts that renew at one instant while others reserve: each once, and no reserve is refused for it. ACCOUNTS of them (default 300),
/// RENEWALS times (default 2): `make renewals` does 10,000, five times, and tells the latency of reserves before and meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_renew_at_one_instant_under_load() {
    let accounts = from_environment("ACCOUNTS", 300);
    let rounds = from_environment("RENEWALS", 2);
    let shop = Shop::selling("scriptkit").await;
    let channel = shop.stack.channel();
    let mut made = JoinSet::new();
    for lane in 0..32 {
        let channel = channel.clone();
        made.spawn(async move {
            let mut at = AccountServiceClient::new(channel.clone());
            let mut plans = SubscriptionServiceClient::new(channel);
            for number in (lane..accounts).step_by(32) {
                let account = CreateAccountRequest {
                    account_id: account_id(number),
                    durability: Durability::Applied.into(),
                    ..Default::default()
                };
                at.create_account(account).await.expect("an account");
                let request = SubscribeRequest {
                    account_id: account_id(number),
                    subscription_id: "sub".into(),
                    plan: "starter".into(),
                    durability: Durability::Applied.into(),
                    ..Default::default()
                };
                plans.subscribe(request).await.expect("a plan");
            }
        });
    }
    made.join_all().await;
    shop.stack.drain().await;
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let before = load(&shop, accounts, async || {
            tokio::time::sleep(Duration::from_secs(2)).await;
        });
        let before = before.await;
        shop.advance(31 * DAY).await;
        let meanwhile = load(&shop, accounts, async || renewed(&shop).await).await;
        let p99 = |of: &Histogram<u64>| of.value_at_quantile(0.99).max(1);
        println!(
            "renewals: {accounts} accounts, reserve p99 {} us before, {} us meanwhile",
            p99(&before),
            p99(&meanwhile)
        );
        // Thousandths, since there are no floats here.
        ratios.push(1000 * p99(&meanwhile) / p99(&before));
    }
    ratios.sort_unstable();
    let median = ratios[ratios.len() / 2];
    shop.stack.drain().await;
    let ledger = shop.stack.service.ledger();
    for number in 0..accounts {
        let page = ledger.list_bills(&account_id(number), None, 100).await;
        let cycles: Vec<_> = page
            .expect("bills")
            .rows
            .iter()
            .map(|row| row.bill.cycle)
            .collect();
        let all: Vec<_> = (1..=1 + u32::try_from(rounds).expect("few")).collect();
        assert_eq!(cycles, all, "account {number}");
    }
    shop.stack.balanced().await;
    println!(
        "renewals: {accounts} accounts, {rounds} times, each once, none refused, reserve p99 {}.{:03} times that before (median)",
        median / 1000,
        median % 1000
    );
}

fn account_id(number: u64) -> String {
    format!("farm-{number}")
}

/// Each with an id of its own.
static JOBS: AtomicU64 = AtomicU64::new(0);

/// Reserves and releases on random accounts as long as something takes; how long the reserves took, in microseconds.
async fn load(shop: &Shop, accounts: u64, takes: impl AsyncFnOnce()) -> Histogram<u64> {
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let (over, channel) = (over.clone(), shop.stack.channel());
        callers.spawn(async move {
            let mut metering = MeteringServiceClient::new(channel);
            let mut dice = Dice::new(7, caller);
            let mut took = Histogram::new(3).expect("a histogram");
            while !over.load(Ordering::Relaxed) {
                let job = JOBS.fetch_add(1, Ordering::Relaxed);
                let reserve = ReserveRequest {
                    account_id: account_id(dice.below(accounts)),
                    hold_id: format!("job-{job}"),
                    amount: "1".into(),
                    ..Default::default()
                };
                let release = ReleaseRequest {
                    account_id: reserve.account_id.clone(),
                    hold_id: reserve.hold_id.clone(),
                    durability: 0,
                };
                let begun = Instant::now();
                let reserved: Result<_, Status> = metering.reserve(reserve).await;
                reserved.expect("nothing is refused");
                let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                took.record(micros).expect("it grows");
                metering.release(release).await.expect("released");
            }
            took
        });
    }
    takes().await;
    over.store(true, Ordering::Relaxed);
    let mut all = Histogram::new(3).expect("a histogram");
    for took in callers.join_all().await {
        all.add(took).expect("alike");
    }
    all
}

/// Until nothing is due any more, in Redis and in the ledger.
async fn renewed(shop: &Shop) {
    let service = &shop.stack.service;
    loop {
        let mut due = 0;
        for partition in 0..service.holds().partitions() {
            let now = service.holds().now(partition).await.expect("a clock");
            let found = service.holds().due(partition, now, 1).await;
            due += found.expect("an answer").len();
        }
        if due == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! Spend caps, by the account and by labels, against a reference that keeps every charge and adds it up anew for each question.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt;
use holdbook::proto::{
    self, ApplyCatalogRequest, ChargeRequest, CommitRequest, ExtendRequest, GetBalanceRequest,
    Overage, RefundRequest, ReserveRequest, SubscribeRequest,
    account_service_client::AccountServiceClient, commit_request::What,
    metering_service_client::MeteringServiceClient,
};
use jiff::{Timestamp, tz::TimeZone};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use super::{
    customer::{ACCOUNT, Customer},
    shop::Shop,
};
use crate::{model::Dice, support::fund};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// What may be spent in an hour, a day and a month, by label; of the account under "".
type Caps = BTreeMap<&'static str, [Option<i64>; 3]>;

/// Plans by name: what they cap, and whether they reject overage. The first is what all have without a subscription.
fn plans(version: usize) -> [(&'static str, Caps, bool); 5] {
    let bare: Caps = match version {
        0 => BTreeMap::from([
            ("", [Some(20), None, None]),
            ("user", [Some(9), Some(25), None]),
        ]),
        1 => BTreeMap::from([("project", [Some(12), None, Some(90)])]),
        _ => BTreeMap::new(),
    };
    let users = [
        ("", [None, Some(60), None]),
        ("project", [None, None, Some(120)]),
        ("user", [Some(10), Some(20), None]),
    ];
    [
        ("bare", bare, version != 1),
        ("users", BTreeMap::from(users), false),
        (
            "projects",
            BTreeMap::from([("project", [Some(15), None, None])]),
            true,
        ),
        (
            "whole",
            BTreeMap::from([("", [Some(8), Some(40), Some(200)])]),
            false,
        ),
        ("open", BTreeMap::new(), false),
    ]
}

fn catalog(version: usize) -> String {
    let windows = |caps: &[Option<i64>; 3]| {
        let named = ["hour", "day", "month"].iter().zip(caps);
        let given = named.filter_map(|(name, cap)| Some(format!("{name}: {}", (*cap)?)));
        given.collect::<Vec<_>>().join(", ")
    };
    let mut text = "catalog: capped\naccounts: {plan: bare}\nmeters:\n  job: {unit: second, price: 1}\nplans:\n".to_owned();
    for (name, caps, rejects) in plans(version) {
        let own = caps.get("").map(windows).into_iter();
        let labels = caps.iter().filter(|(label, _)| !label.is_empty());
        let labels: Vec<_> = labels
            .map(|(label, caps)| format!("{label}: {{{}}}", windows(caps)))
            .collect();
        let labels = (!labels.is_empty()).then(|| format!("per_label: {{{}}}", labels.join(", ")));
        let caps: Vec<_> = own.chain(labels).collect();
        let overage = if rejects { "reject" } else { "allow" };
        text += &format!(
            "  {name}: {{allowance: 10, price: 5, overage: {overage}, spend_caps: {{{}}}}}\n",
            caps.join(", ")
        );
    }
    text
}

#[derive(Clone, Debug)]
struct Hold {
    id: String,
    labels: BTreeMap<&'static str, String>,
    /// Set aside, in micro-credits, until it ends.
    aside: i64,
    made: i64,
    expires_at: i64,
    open: bool,
    charged: i64,
    rejects: bool,
}

impl Hold {
    fn aside_at(&self, now: i64) -> i64 {
        if self.open && now < self.expires_at {
            self.aside
        } else {
            0
        }
    }
}

/// When, how much, and when the hold was made that it is of.
type Charge = (i64, i64, i64);

/// All that was ever spent, and the caps of now.
struct Reference {
    now: i64,
    /// What is counted; what a reserve is held to may be newer.
    kept: Caps,
    subscribed: Option<(String, &'static str)>,
    version: usize,
    spent: BTreeMap<(&'static str, String), Vec<Charge>>,
    holds: Vec<Hold>,
}

/// The window that would be passed, and what is told of it.
type Passed = BTreeMap<&'static str, String>;

fn show(micro: i64) -> String {
    holdbook::domain::credits::Credits::from_micro(micro).to_string()
}

impl Reference {
    fn plan(&self) -> (Caps, bool) {
        let name = self.subscribed.as_ref().map_or("bare", |(_, name)| name);
        let all = plans(self.version).into_iter();
        let (_, caps, rejects) = all.clone().find(|plan| plan.0 == name).expect(name);
        (caps, rejects)
    }

    /// Since when the hour, the day and the month of now are.
    fn windows(&self) -> [i64; 3] {
        let now = Timestamp::from_microsecond(self.now).expect("an instant");
        let now = TimeZone::UTC.to_datetime(now);
        let hour = now.date().at(now.hour(), 0, 0, 0);
        let starts = [
            hour,
            now.date().at(0, 0, 0, 0),
            now.date().first_of_month().at(0, 0, 0, 0),
        ];
        starts.map(|start| {
            TimeZone::UTC
                .to_timestamp(start)
                .expect("UTC")
                .as_microsecond()
        })
    }

    /// Whether a call that sets `amount` more aside, or spends it, passes a cap.
    fn passed(&self, amount: i64, labels: &BTreeMap<&'static str, String>) -> Option<Passed> {
        for (label, caps) in self.plan().0 {
            let value = match label {
                "" => String::new(),
                label => match labels.get(label) {
                    None => continue,
                    Some(value) => value.clone(),
                },
            };
            let same = |hold: &&Hold| label.is_empty() || hold.labels.get(label) == Some(&value);
            let held: i64 = self
                .holds
                .iter()
                .filter(same)
                .map(|hold| hold.aside_at(self.now))
                .sum();
            let events = self.spent.get(&(label, value.clone()));
            for ((window, since), cap) in ["hour", "day", "month"]
                .into_iter()
                .zip(self.windows())
                .zip(caps)
            {
                let Some(cap) = cap.map(|cap| cap * SECOND) else {
                    continue;
                };
                let of_window = events
                    .into_iter()
                    .flatten()
                    .filter(|(at, x, made)| *at >= since && (*x > 0 || *made >= since));
                let spent = of_window.fold(0, |sum: i64, (_, x, _)| (sum + x).max(0));
                if amount + held + spent > cap {
                    let mut told = Passed::from([
                        ("window", window.to_owned()),
                        ("limit", show(cap)),
                        ("spent", show(spent)),
                        ("held", show(held)),
                        ("amount", show(amount)),
                    ]);
                    if !label.is_empty() {
                        told.extend([("label", label.to_owned()), ("value", value)]);
                    }
                    return Some(told);
                }
            }
        }
        None
    }

    /// A call was looked at by the limits and passed them.
    fn looked_at(&mut self) {
        self.kept = self.plan().0;
    }

    fn spend(&mut self, labels: &BTreeMap<&'static str, String>, x: i64, made: i64) {
        let whole = (!self.kept.is_empty()).then(|| ("", String::new()));
        let capped = labels
            .iter()
            .filter(|(label, _)| self.kept.contains_key(*label));
        let capped = capped.map(|(label, value)| (*label, value.clone()));
        for key in whole.into_iter().chain(capped) {
            self.spent.entry(key).or_default().push((self.now, x, made));
        }
    }
}

/// What is told to come again comes again.
macro_rules! sent {
    ($self:ident.$metering:ident.$call:ident($request:ident)) => {
        loop {
            match $self.$metering.$call($request.clone()).await {
                Err(status) if status.code() == Code::Unavailable => {}
                answer => break answer,
            }
        }
    };
}

/// How often each thing came about: a run in which one never did has not tried it.
type Seen = BTreeMap<String, u32>;

struct Run {
    customer: Customer,
    metering: MeteringServiceClient<Channel>,
    reference: Reference,
    dice: Dice,
    seen: Seen,
    calls: u32,
}

fn sent_labels(labels: &BTreeMap<&'static str, String>) -> HashMap<String, String> {
    let owned = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    owned.collect()
}

/// A refusal as its reason and its metadata.
fn refusal(status: &Status) -> (String, HashMap<String, String>) {
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("{status}"));
    (info.reason, info.metadata)
}

impl Run {
    fn next_id(&mut self) -> String {
        self.calls += 1;
        format!("c{}", self.calls)
    }

    fn amount(&mut self, most: u64) -> i64 {
        let whole = self.dice.below(most + 1) as i64 * SECOND;
        if self.dice.chance(20) {
            whole + self.dice.below(SECOND as u64) as i64
        } else {
            whole
        }
    }

    fn labels(&mut self) -> BTreeMap<&'static str, String> {
        let mut labels = BTreeMap::new();
        if self.dice.chance(75) {
            labels.insert("user", self.dice.pick(&["ada", "bob", ""]).to_owned());
        }
        if self.dice.chance(60) {
            labels.insert("project", self.dice.pick(&["film", "advert"]).to_owned());
        }
        if self.dice.chance(20) {
            labels.insert("node", self.dice.pick(&["n1", "n2"]).to_owned());
        }
        labels
    }

    /// What a call that passes the limits, or does not, must answer.
    fn limits<T>(
        &mut self,
        what: &str,
        expected: Option<Passed>,
        answer: Result<T, Status>,
    ) -> bool {
        match (expected, answer) {
            (None, Ok(_)) => {
                *self.seen.entry(format!("{what} passes")).or_default() += 1;
                self.reference.looked_at();
                true
            }
            (Some(expected), Err(status)) => {
                let (reason, told) = refusal(&status);
                assert_eq!(reason, "SPEND_CAP", "{what}: {status}");
                let told: Passed = expected
                    .keys()
                    .map(|key| (*key, told.get(*key).cloned().unwrap_or_default()))
                    .collect();
                assert_eq!(told, expected, "{what}: {status}");
                let by = expected.get("label").map_or("account", String::as_str);
                let by = format!("{what} refused by {by} and {}", expected["window"]);
                *self.seen.entry(by).or_default() += 1;
                false
            }
            (expected, answer) => {
                let answer = answer.map(drop);
                panic!(
                    "{what} at {}: expected {expected:?}, got {answer:?}",
                    self.reference.now
                )
            }
        }
    }

    async fn reserve(&mut self) {
        let (id, amount, labels) = (self.next_id(), self.amount(8), self.labels());
        let ttl = (1 + self.dice.below(180) as i64) * 60;
        let overage = self.dice.pick(&[
            Overage::Unspecified,
            Overage::Unspecified,
            Overage::Allow,
            Overage::Reject,
        ]);
        // By whole seconds.
        let by_usage = amount % SECOND == 0 && self.dice.chance(40);
        let request = ReserveRequest {
            account_id: ACCOUNT.into(),
            hold_id: id.clone(),
            amount: if by_usage {
                String::new()
            } else {
                show(amount)
            },
            usage: by_usage.then(|| proto::Usage {
                items: super::shop::usage(&format!("job {}", show(amount))),
            }),
            ttl: Some(prost_types::Duration {
                seconds: ttl,
                nanos: 0,
            }),
            overage: overage.into(),
            labels: sent_labels(&labels),
            ..Default::default()
        };
        let expected = self.reference.passed(amount, &labels);
        let answer = sent!(self.metering.reserve(request));
        if self.limits("reserve", expected, answer) {
            let rejects = match overage {
                Overage::Unspecified => self.reference.plan().1,
                said => said == Overage::Reject,
            };
            self.reference.holds.push(Hold {
                id,
                labels,
                aside: amount,
                made: self.reference.now,
                expires_at: self.reference.now + ttl * SECOND,
                open: true,
                charged: 0,
                rejects,
            });
        }
    }

    async fn charge(&mut self) {
        let (id, amount, labels) = (self.next_id(), self.amount(5), self.labels());
        let request = ChargeRequest {
            account_id: ACCOUNT.into(),
            hold_id: id.clone(),
            amount: show(amount),
            labels: sent_labels(&labels),
            ..Default::default()
        };
        let expected = self.reference.passed(amount, &labels);
        let answer = sent!(self.metering.charge(request));
        if self.limits("charge", expected, answer) {
            self.reference.spend(&labels, amount, self.reference.now);
            self.reference.holds.push(Hold {
                id,
                labels,
                aside: 0,
                made: self.reference.now,
                expires_at: self.reference.now,
                open: false,
                charged: amount,
                rejects: false,
            });
        }
    }

    /// The place of a hold that fits.
    fn some_hold(&mut self, fits: impl Fn(&Hold) -> bool) -> Option<usize> {
        let all = self.reference.holds.iter().enumerate();
        let all: Vec<_> = all
            .filter(|(_, hold)| fits(hold))
            .map(|(at, _)| at)
            .collect();
        (!all.is_empty()).then(|| self.dice.pick(&all))
    }

    fn some_open(&mut self) -> Option<usize> {
        let now = self.reference.now;
        self.some_hold(|hold| hold.open && now < hold.expires_at)
    }

    async fn extend(&mut self) {
        let Some(at) = self.some_open() else {
            return;
        };
        let (extend_id, amount) = (self.next_id(), self.amount(4).max(1));
        let hold = self.reference.holds[at].clone();
        let request = ExtendRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.id,
            extend_id,
            ttl: Some(prost_types::Duration {
                seconds: 3600,
                nanos: 0,
            }),
            amount: Some(show(amount)),
            ..Default::default()
        };
        let expected = self.reference.passed(amount, &hold.labels);
        let answer = sent!(self.metering.extend(request));
        if self.limits("extend", expected, answer) {
            let now = self.reference.now;
            let hold = &mut self.reference.holds[at];
            (hold.aside, hold.expires_at) = (hold.aside + amount, now + HOUR);
        }
    }

    /// Of a hold that is open, or has expired and was never committed.
    async fn commit(&mut self) {
        let (now, late) = (self.reference.now, self.dice.chance(25));
        let since = move |hold: &Hold| now - hold.expires_at;
        let found = match late {
            false => self.some_open(),
            true => self.some_hold(|hold| hold.open && (0..12 * HOUR).contains(&since(hold))),
        };
        let Some(at) = found else { return };
        let hold = self.reference.holds[at].clone();
        let amount = self.amount(9);
        let last = late || self.dice.chance(60);
        let request = CommitRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.id.clone(),
            what: Some(What::Amount(show(amount))),
            r#final: Some(last),
            commit_id: if last { String::new() } else { self.next_id() },
            ..Default::default()
        };
        let answer = sent!(self.metering.commit(request));
        if hold.rejects && amount > hold.aside {
            let status = answer.expect_err("above its hold");
            assert_eq!(refusal(&status).0, "ABOVE_HOLD", "{hold:?}");
            *self.seen.entry("commit rejected".into()).or_default() += 1;
            return;
        }
        answer.unwrap_or_else(|status| panic!("{amount} of {hold:?}: {status}"));
        *self
            .seen
            .entry(format!("commit {}", if late { "late" } else { "in time" }))
            .or_default() += 1;
        self.reference.spend(&hold.labels, amount, hold.made);
        let of = &mut self.reference.holds[at];
        of.charged += amount;
        of.aside = (of.aside - amount).max(0);
        if last {
            (of.open, of.aside) = (false, 0);
        }
    }

    async fn release(&mut self) {
        if let Some(at) = self.some_open() {
            let id = self.reference.holds[at].id.clone();
            self.customer.release(&id).await;
            let hold = &mut self.reference.holds[at];
            (hold.open, hold.aside) = (false, 0);
        }
    }

    async fn refund(&mut self) {
        let Some(at) = self.some_hold(|hold| !hold.open && hold.charged > 0) else {
            return;
        };
        let hold = self.reference.holds[at].clone();
        let amount = 1 + self.dice.below(hold.charged as u64) as i64;
        let request = RefundRequest {
            account_id: ACCOUNT.into(),
            hold_id: hold.id.clone(),
            refund_id: self.next_id(),
            amount: show(amount),
            ..Default::default()
        };
        let answer = sent!(self.metering.refund(request));
        answer.unwrap_or_else(|status| panic!("{amount} of {hold:?}: {status}"));
        *self.seen.entry("refund".into()).or_default() += 1;
        self.reference.holds[at].charged -= amount;
        self.reference.spend(&hold.labels, -amount, hold.made);
    }

    async fn advance(&mut self) {
        let minutes = self
            .dice
            .weighted(&[(70, 20), (20, 150), (6, 1000), (2, 4000), (1, 44_640)]);
        let seconds = 1 + self.dice.below(minutes * 60) as i64;
        let now = self.customer.0.advance(seconds).await;
        self.reference.now = now.seconds * SECOND + i64::from(now.nanos) / 1000;
        // What is due is done: a call that is refused keeps nothing.
        self.customer.balance().await;
    }

    async fn change_plan(&mut self) {
        if let Some((id, _)) = self.reference.subscribed.take() {
            self.customer.cancel_of(&id, "end").await;
        }
        if self.dice.chance(70) {
            let id = self.next_id();
            let (name, caps, _) = self.dice.pick(&plans(self.reference.version)[1..]);
            let request = SubscribeRequest {
                account_id: ACCOUNT.into(),
                subscription_id: id.clone(),
                plan: name.into(),
                ..Default::default()
            };
            let begun = self.customer.plans().subscribe(request).await;
            begun.expect("a plan");
            (self.reference.subscribed, self.reference.kept) = (Some((id, name)), caps);
            *self.seen.entry(format!("plan {name}")).or_default() += 1;
        }
    }

    async fn change_catalog(&mut self) {
        self.reference.version = self.dice.below(3) as usize;
        let text = catalog(self.reference.version);
        loop {
            let request = ApplyCatalogRequest {
                yaml: text.clone(),
                ..Default::default()
            };
            match self.customer.0.prices.ask(request).await {
                // Redis was emptied, and not all is open again.
                Err(status) if status.code() == Code::Unavailable => {}
                answer => return drop(answer.expect("a catalog")),
            }
        }
    }

    /// Redis is emptied; until it is whole again calls may be told to come again.
    async fn forget(&mut self) {
        self.customer.0.stack.forget().await;
        let mut accounts = AccountServiceClient::new(self.customer.0.stack.channel());
        loop {
            let request = GetBalanceRequest {
                account_id: ACCOUNT.into(),
            };
            match accounts.get_balance(request).await {
                Err(status) if status.code() == Code::Unavailable => {}
                answer => return drop(answer.expect("a balance")),
            }
        }
    }

    async fn step(&mut self) {
        match self.dice.below(200) {
            0..70 => self.reserve().await,
            70..85 => self.charge().await,
            85..100 => self.extend().await,
            100..135 => self.commit().await,
            135..145 => self.release().await,
            145..155 => self.refund().await,
            155..190 => self.advance().await,
            190..194 => self.change_plan().await,
            194..196 => self.change_catalog().await,
            196 => self.forget().await,
            197 => drop(self.customer.0.stack.evict().await),
            _ => {}
        }
    }
}

/// `STEPS` and `SEED` say how many calls, and which. All that can happen must have happened.
#[tokio::test(flavor = "multi_thread")]
async fn random_histories_are_capped_as_the_reference_says() {
    let given = |name: &str| std::env::var(name).ok()?.parse().ok();
    let (steps, seed): (u64, u64) = (given("STEPS").unwrap_or(3000), given("SEED").unwrap_or(1));
    let customer = Customer(Shop::open().await);
    customer.0.prices.apply(&catalog(0)).await;
    customer.open_account().await;
    let channel = customer.0.stack.channel();
    fund(&channel, ACCOUNT, "1000000").await;
    let mut run = Run {
        metering: MeteringServiceClient::new(channel),
        reference: Reference {
            now: 0,
            kept: Caps::new(),
            subscribed: None,
            version: 0,
            spent: BTreeMap::new(),
            holds: Vec::new(),
        },
        dice: Dice::new(seed, 0),
        seen: Seen::new(),
        calls: 0,
        customer,
    };
    run.advance().await;
    for _ in 0..steps {
        run.step().await;
    }
    for (what, count) in &run.seen {
        println!("{count:7} {what}");
    }
    let must = [
        "reserve refused by account and hour",
        "reserve refused by account and day",
        "reserve refused by user and hour",
        "reserve refused by project and hour",
        "charge refused by user and hour",
        "extend refused by user and hour",
        "commit late",
        "commit rejected",
        "refund",
    ];
    for what in must {
        assert!(run.seen.contains_key(what), "{what} never came about");
    }
    println!("caps: {steps} steps, seed {seed}, 0 differences");
    run.customer.end().await;
}

/// So many values of labels are counted in a month, and no more; the next month begins with none.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_labels_are_counted_up_to_a_bound() {
    const VALUES: usize = 4096;
    let text = "catalog: capped
accounts: {plan: bare}
meters:
  job: {unit: second, price: 1}
plans:
  bare: {allowance: 0, spend_caps: {per_label: {user: {month: 2}}}}
";
    let customer = Customer(Shop::open().await);
    customer.0.prices.apply(text).await;
    customer.open_account().await;
    let channel = customer.0.stack.channel();
    fund(&channel, ACCOUNT, "1000000").await;
    let charge = async |id: String, user: String| {
        let request = ChargeRequest {
            account_id: ACCOUNT.into(),
            hold_id: id,
            amount: "1".into(),
            labels: HashMap::from([("user".into(), user)]),
            ..Default::default()
        };
        let mut metering = MeteringServiceClient::new(channel.clone());
        metering.charge(request).await.map(drop)
    };
    let all = (0..VALUES).map(|user| charge(format!("c{user}"), format!("u{user}")));
    let all = futures_util::stream::iter(all).buffer_unordered(64);
    let all: Vec<_> = all.collect().await;
    assert!(all.iter().all(Result::is_ok));
    let refused = async |user: &str| {
        let status = charge(format!("more-{user}"), user.into()).await;
        refusal(&status.expect_err("refused"))
    };
    for lost in [false, true] {
        if lost {
            // All of them come back from the ledger.
            customer.0.stack.evict().await;
        }
        let (reason, told) = refused("one-more").await;
        assert_eq!(
            (reason.as_str(), told["resource"].as_str()),
            ("CAPACITY_LIMIT", "label_values")
        );
        assert_eq!(
            (told["limit"].as_str(), told["label"].as_str()),
            ("4096", "user")
        );
        let again = format!("again-{lost}");
        let known = charge(again.clone(), format!("u{}", usize::from(lost))).await;
        known.expect("2 of 2");
        let (reason, told) = refused("u0").await;
        assert_eq!(
            (reason.as_str(), told["spent"].as_str()),
            ("SPEND_CAP", "2")
        );
    }
    customer.0.advance(31 * 86_400).await;
    charge("next".into(), "one-more".into())
        .await
        .expect("a new month");
    charge("u0".into(), "u0".into()).await.expect("1 of 2");
    let stack = &customer.0.stack;
    let key = redis::Client::open(stack.redis.url()).expect("a URL");
    let mut redis = key
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("hb:*:a:{ACCOUNT}"))
        .query_async(&mut redis)
        .await
        .expect("keys");
    let fields: Vec<Vec<u8>> = redis::cmd("HKEYS")
        .arg(&keys[0])
        .query_async(&mut redis)
        .await
        .expect("fields");
    let counted = fields.iter().filter(|name| name.starts_with(b"u:")).count();
    assert_eq!(counted, 3, "the account's own and two users");
    customer.end().await;
}

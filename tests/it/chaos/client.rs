//! A client: it calls one process, and sends what has no certain outcome to the other, until it has.

use std::{collections::HashMap, sync::Arc, time::Duration};

use holdbook::proto::{
    ChangeLevelRequest, ChangePlanRequest, ChargeRequest, CommitRequest, Durability,
    GrantCreditsRequest, GrantKind, RefundRequest, ReleaseRequest, ReserveRequest, Usage,
    UsageItem, account_service_client::AccountServiceClient, change_level_request::Change,
    commit_request::What, grant_service_client::GrantServiceClient,
    metering_service_client::MeteringServiceClient,
    subscription_service_client::SubscriptionServiceClient,
};
use tokio::{sync::watch, time};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use super::{
    journal::{Answers, Deed, Entry, Journal, PART, Refusal, Verb},
    world::{LEVEL, PLANS, SUBSCRIPTION},
};
use crate::model::Dice;

/// A caller's patience: a stopped process must not hold its callers for ever.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many calls go to the other process after one that was silent.
const AVOIDS: u32 = 10;
/// Between two tries, as a caller does.
const RETRY: Duration = Duration::from_millis(20);

/// The processes, by where they serve now.
pub type Doors = Arc<[watch::Receiver<Option<Channel>>; 2]>;

struct OpenHold {
    account: String,
    id: String,
    amount: u64,
}

pub struct Client {
    lane: u64,
    dice: Dice,
    doors: Doors,
    answers: Arc<Answers>,
    accounts: Arc<Vec<String>>,
    made: u64,
    open: Vec<OpenHold>,
    /// Committed and not refunded, with what was charged.
    committed: Vec<OpenHold>,
    journal: Journal,
    /// The process that did not answer lately, and how many calls still avoid it.
    silent: (usize, u32),
}

enum Outcome {
    Done { ledger: bool },
    Unknown,
    Refused(String),
}

impl Client {
    pub fn new(
        seed: u64,
        lane: u64,
        doors: Doors,
        answers: Arc<Answers>,
        accounts: Arc<Vec<String>>,
    ) -> Self {
        Self {
            lane,
            dice: Dice::new(seed, 1000 + lane),
            doors,
            answers,
            accounts,
            made: 0,
            open: Vec::new(),
            committed: Vec::new(),
            journal: Journal::default(),
            silent: (0, 0),
        }
    }

    /// Works until told to stop; every call has a certain outcome then.
    pub async fn work(mut self, stop: watch::Receiver<bool>) -> Self {
        while !*stop.borrow() {
            self.turn().await;
        }
        self
    }

    /// Ends all its holds; answers its book.
    pub async fn settle(mut self) -> Journal {
        for hold in std::mem::take(&mut self.open) {
            let verb = self.dice.pick(&[Verb::Commit, Verb::Release]);
            self.end(verb, hold).await;
        }
        self.journal
    }

    async fn turn(&mut self) {
        let verb = self.dice.weighted(&[
            (36, Verb::Reserve),
            (24, Verb::Commit),
            (12, Verb::Capture),
            (10, Verb::Release),
            (8, Verb::Charge),
            (5, Verb::Refund),
            (3, Verb::Grant),
            (2, Verb::Plan),
            (2, Verb::Level),
        ]);
        match verb {
            Verb::Commit | Verb::Release if !self.open.is_empty() => {
                let hold = Self::any(&mut self.dice, &mut self.open);
                self.end(verb, hold).await;
            }
            Verb::Capture if !self.open.is_empty() => self.capture().await,
            Verb::Refund if !self.committed.is_empty() => self.refund().await,
            Verb::Charge => self.charge().await,
            Verb::Grant => {
                let (account, id) = (self.dice.pick(&self.accounts), self.name("grant"));
                let amount = 1 + self.dice.below(50);
                self.done(self.deed(Verb::Grant, account, id, amount)).await;
            }
            Verb::Plan | Verb::Level => {
                let (account, id) = (self.dice.pick(&self.accounts), self.name("change"));
                let which = match verb {
                    Verb::Plan => self.dice.below(PLANS.len() as u64),
                    _ => 0,
                };
                self.done(self.deed(verb, account, id, which)).await;
            }
            _ => self.reserve().await,
        }
    }

    fn any(dice: &mut Dice, from: &mut Vec<OpenHold>) -> OpenHold {
        let at = dice.below(from.len() as u64) as usize;
        from.swap_remove(at)
    }

    fn name(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-{}-{}", self.lane, self.made)
    }

    fn deed(&self, verb: Verb, account: String, id: String, amount: u64) -> Deed {
        Deed {
            verb,
            account,
            id,
            part: String::new(),
            amount,
            ledger: false,
            by_usage: false,
        }
    }

    async fn reserve(&mut self) {
        let (account, id) = (self.dice.pick(&self.accounts), self.name("hold"));
        let amount = self.dice.below(20);
        let deed = self.deed(Verb::Reserve, account.clone(), id.clone(), amount);
        if self.done(deed).await {
            self.open.push(OpenHold {
                account,
                id,
                amount,
            });
        }
    }

    async fn charge(&mut self) {
        let (account, id) = (self.dice.pick(&self.accounts), self.name("charge"));
        let amount = 1 + self.dice.below(9);
        self.done(self.deed(Verb::Charge, account, id, amount))
            .await;
    }

    async fn capture(&mut self) {
        let hold = Self::any(&mut self.dice, &mut self.open);
        let amount = 1 + self.dice.below(3);
        let mut deed = self.deed(Verb::Capture, hold.account.clone(), hold.id.clone(), amount);
        deed.part = self.name(PART);
        if self.done(deed).await {
            self.open.push(hold);
        }
    }

    async fn refund(&mut self) {
        let hold = Self::any(&mut self.dice, &mut self.committed);
        let mut deed = self.deed(Verb::Refund, hold.account, hold.id, hold.amount);
        deed.part = self.name("refund");
        self.done(deed).await;
    }

    async fn end(&mut self, verb: Verb, hold: OpenHold) {
        let amount = match verb {
            Verb::Commit => self.dice.below(hold.amount + 4),
            _ => 0,
        };
        let deed = self.deed(verb, hold.account.clone(), hold.id.clone(), amount);
        if self.done(deed).await && amount > 0 {
            self.committed.push(OpenHold { amount, ..hold });
        }
    }

    /// Sends a deed until its outcome is certain, each time to the other process; says whether it was done.
    async fn done(&mut self, mut deed: Deed) -> bool {
        deed.ledger = self.dice.chance(20);
        let can = matches!(deed.verb, Verb::Reserve | Verb::Capture | Verb::Commit);
        deed.by_usage = can && self.dice.chance(40);
        let mut process = self.dice.below(2) as usize;
        if let (silent, left @ 1..) = self.silent {
            (process, self.silent) = (1 - silent, (silent, left - 1));
        }
        loop {
            let door = self.doors[process].borrow().clone();
            let outcome = match door {
                Some(channel) => match time::timeout(PATIENCE, send(channel, &deed)).await {
                    Ok(Ok(reached)) => Outcome::Done {
                        ledger: reached == Durability::Ledger,
                    },
                    Ok(Err(status)) => certain(&status),
                    Err(_) => {
                        self.silent = (process, AVOIDS);
                        Outcome::Unknown
                    }
                },
                None => Outcome::Unknown,
            };
            self.answers.any();
            match outcome {
                Outcome::Done { ledger } => {
                    let number = self.answers.acknowledged();
                    self.journal.entries.push(Entry {
                        deed,
                        ledger,
                        number,
                        process,
                    });
                    return true;
                }
                Outcome::Refused(why) => {
                    self.journal.refusals.push(Refusal { deed, why });
                    return false;
                }
                Outcome::Unknown => {
                    self.journal.unknown += 1;
                    process = 1 - process;
                    time::sleep(RETRY).await;
                }
            }
        }
    }
}

/// Whether a refusal is the last word.
fn certain(status: &Status) -> Outcome {
    let reason = status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default();
    match status.code() {
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded => {
            Outcome::Unknown
        }
        // Each refusal of the service says its reason: this is the transport's own, such as RESOURCE_EXHAUSTED of a connection that a
        // stopped server hangs up on, because too many of its callers had given up.
        _ if reason.is_empty() => Outcome::Unknown,
        code => Outcome::Refused(format!("{code:?} {reason}: {}", status.message())),
    }
}

async fn send(channel: Channel, deed: &Deed) -> Result<Durability, Status> {
    let mut metering = MeteringServiceClient::new(channel.clone());
    let Deed {
        account, id, part, ..
    } = deed;
    let (account_id, hold_id) = (account.clone(), id.clone());
    // By every version of the catalog a credit a second.
    let usage = deed.by_usage.then(|| Usage {
        items: vec![UsageItem {
            meter: "job".into(),
            quantity: deed.amount.to_string(),
            ..Default::default()
        }],
    });
    let (amount, durability) = (
        deed.amount.to_string(),
        if deed.ledger {
            Durability::Ledger
        } else {
            Durability::Applied
        }
        .into(),
    );
    let reached = match deed.verb {
        Verb::Grant => {
            let request = GrantCreditsRequest {
                account_id,
                grant_id: id.clone(),
                kind: GrantKind::TopUp.into(),
                amount,
                durability,
                ..Default::default()
            };
            let mut grants = GrantServiceClient::new(channel);
            grants.grant_credits(request).await?.get_ref().durability()
        }
        Verb::Plan => {
            let request = ChangePlanRequest {
                account_id,
                subscription_id: SUBSCRIPTION.into(),
                change_id: id.clone(),
                plan: PLANS[deed.amount as usize].into(),
                durability,
                ..Default::default()
            };
            let mut plans = SubscriptionServiceClient::new(channel);
            plans.change_plan(request).await?.get_ref().durability()
        }
        Verb::Level => {
            let request = ChangeLevelRequest {
                account_id,
                change_id: id.clone(),
                capacity: LEVEL.into(),
                change: Some(Change::Allocate("1".into())),
                durability,
            };
            let mut accounts = AccountServiceClient::new(channel);
            accounts.change_level(request).await?.get_ref().durability()
        }
        Verb::Reserve => {
            let request = ReserveRequest {
                account_id,
                labels: labels(&hold_id),
                hold_id,
                amount: if deed.by_usage { String::new() } else { amount },
                usage,
                durability,
                ..Default::default()
            };
            metering.reserve(request).await?.get_ref().durability()
        }
        Verb::Capture | Verb::Commit => {
            let request = CommitRequest {
                account_id,
                hold_id,
                what: Some(usage.map_or(What::Amount(amount), What::Usage)),
                r#final: Some(deed.verb == Verb::Commit),
                commit_id: part.clone(),
                durability,
            };
            metering.commit(request).await?.get_ref().durability()
        }
        Verb::Release => {
            let request = ReleaseRequest {
                account_id,
                hold_id,
                durability,
            };
            metering.release(request).await?.get_ref().durability()
        }
        Verb::Charge => {
            let request = ChargeRequest {
                account_id,
                labels: labels(&hold_id),
                hold_id,
                amount,
                durability,
            };
            metering.charge(request).await?.get_ref().durability()
        }
        Verb::Refund => {
            let request = RefundRequest {
                account_id,
                hold_id,
                refund_id: part.clone(),
                amount,
                durability,
            };
            metering.refund(request).await?.get_ref().durability()
        }
    };
    Ok(reached)
}

/// The same for the same hold.
fn labels(hold_id: &str) -> HashMap<String, String> {
    let sum: usize = hold_id.bytes().map(usize::from).sum();
    let label = |name: &str, values: [&str; 3]| (name.to_owned(), values[sum % 3].to_owned());
    let labels = [
        label("user", ["ada", "bob", "cy"]),
        label("project", ["film", "film", "advert"]),
    ];
    labels.into_iter().take(sum % 4).collect()
}

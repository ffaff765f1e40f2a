//! What is tried next on an account: calls that mean something as it stands, and some that do not.
//!
//! More than 400 lines, because each act is a few of them and its weight is read beside all others.

use holdbook::proto::commit_request::What;
use holdbook::proto::grant_credits_request::Expiry;
use holdbook::proto::{self, GrantKind, HoldState, PaidBy};
use prost_types::Duration;

use super::super::model::Dice;
use super::call::Call;
use super::reference::{Account, Credits, DAY, HOUR, Hold, Micros, SECOND, show};

/// Their plans, a weight each: cheap ones more often, so that there is something to go up to.
const PLANS: [(u64, &str); 11] = [
    (10, "free"),
    (12, "starter"),
    (16, "pro"),
    (8, "twin"),
    (12, "plus"),
    (12, "studio"),
    (8, "studio-max"),
    (10, "weekly"),
    (8, "weekly-large"),
    (10, "custom"),
    (1, "gold"),
];

/// An account under test, and what was asked of it.
pub struct Subject {
    pub account_id: String,
    /// Steps left.
    pub left: u64,
    asked: u64,
    /// Calls that have an id of their own.
    past: Vec<Call>,
}

#[derive(Clone, Copy)]
enum Act {
    Subscribe,
    Change,
    Cancel,
    CancelChange,
    Resume,
    Pay,
    RefundMoney,
    Grant,
    Revoke,
    Reserve,
    Commit,
    Release,
    Refund,
    Again,
    Look,
}

impl Subject {
    pub fn new(dice: &mut Dice, account_id: String) -> Self {
        Self {
            account_id,
            left: 30 + dice.below(120),
            asked: 0,
            past: Vec::new(),
        }
    }

    pub fn create(&self, dice: &mut Dice) -> Call {
        let own = dice.chance(25).then(|| dice.pick(&["0", "8", "70"]));
        Call::CreateAccount(proto::CreateAccountRequest {
            account_id: self.account_id.clone(),
            overdraft_limit: own.map(Into::into),
            credit_limit: own.filter(|_| dice.chance(70)).map(Into::into),
            durability: self.durability(dice),
            ..Default::default()
        })
    }

    pub fn next(&mut self, dice: &mut Dice, model: &Account) -> Call {
        self.asked += 1;
        let begun = model.latest().is_some_and(|it| !it.is_over());
        let waits = model.latest().is_some_and(|it| it.waits());
        let some = |which: fn(&&Hold) -> bool| model.holds.iter().any(|hold| which(&hold));
        let open = some(|hold| hold.state == HoldState::Open);
        let late = some(|hold| hold.state == HoldState::Expired && !hold.committed);
        let paid = some(|hold| hold.refundable() > 0);
        let acts = [
            (if begun { 2 } else { 30 }, Act::Subscribe),
            (if begun { 13 } else { 2 }, Act::Change),
            (if begun { 5 } else { 1 }, Act::Cancel),
            (3, Act::CancelChange),
            (5, Act::Resume),
            (if waits { 16 } else { 4 }, Act::Pay),
            (2, Act::RefundMoney),
            (4, Act::Grant),
            (1, Act::Revoke),
            (20, Act::Reserve),
            (if open { 15 } else { 1 + 3 * u64::from(late) }, Act::Commit),
            (1 + 2 * u64::from(open), Act::Release),
            (1 + 3 * u64::from(paid), Act::Refund),
            (8, Act::Again),
            (12, Act::Look),
        ];
        let call = match dice.weighted(&acts) {
            Act::Subscribe => self.subscribe(dice),
            Act::Change => self.change(dice, model),
            Act::Cancel => Call::Cancel(proto::CancelRequest {
                account_id: self.account_id.clone(),
                subscription_id: self.subscription(dice, model),
                change_id: self.change_id(),
                at_once: dice.chance(30),
                durability: self.durability(dice),
            }),
            Act::CancelChange => Call::CancelScheduledChange(proto::CancelScheduledChangeRequest {
                account_id: self.account_id.clone(),
                subscription_id: self.subscription(dice, model),
                change_id: self.change_id(),
                durability: self.durability(dice),
            }),
            Act::Resume => Call::Resume(proto::ResumeRequest {
                account_id: self.account_id.clone(),
                subscription_id: self.subscription(dice, model),
                change_id: self.change_id(),
                durability: self.durability(dice),
            }),
            Act::Pay => Call::RecordPayment(proto::RecordPaymentRequest {
                account_id: self.account_id.clone(),
                subscription_id: self.subscription(dice, model),
                change_id: self.change_id(),
                cycle: cycle(dice, model),
                durability: self.durability(dice),
            }),
            Act::RefundMoney => Call::RefundSubscription(proto::RefundSubscriptionRequest {
                account_id: self.account_id.clone(),
                subscription_id: self.subscription(dice, model),
                change_id: self.change_id(),
                durability: self.durability(dice),
            }),
            Act::Grant => self.grant(dice),
            Act::Revoke => self.revoke(dice, model),
            Act::Reserve => self.reserve(dice, model),
            Act::Commit => self.commit(dice, model),
            Act::Release => self.release(dice, model),
            // Of two grants made by refunds at one instant the number of the event says which burns first, which is not known here.
            Act::Refund if model.has_refunded_now() => self.look(dice, model),
            Act::Refund => self.refund(dice, model),
            Act::Again => self.again(dice),
            Act::Look => self.look(dice, model),
        };
        if is_remembered(&call) {
            self.past.push(call.clone());
        }
        call
    }

    fn subscribe(&self, dice: &mut Dice) -> Call {
        let (plan, paid_by, allowance, price) = agreed(dice);
        // Any sign that an id may have, also those that ids of grants are written with.
        let sign = dice.pick(&["-", ":", "+", "@"]);
        Call::Subscribe(proto::SubscribeRequest {
            account_id: self.account_id.clone(),
            subscription_id: format!("s{sign}{}", self.asked),
            plan,
            paid_by,
            trial: dice.chance(25),
            allowance,
            price,
            durability: self.durability(dice),
        })
    }

    fn change(&self, dice: &mut Dice, model: &Account) -> Call {
        let (mut plan, mut paid_by, mut allowance, mut price) = agreed(dice);
        if let Some(it) = model.latest().filter(|_| dice.chance(8)) {
            // What it has, or what waits.
            let same = it.next.as_ref().unwrap_or(&it.agreed);
            plan = same.plan.name.into();
            paid_by = i32::from(same.yearly) + 1;
            if same.plan.allowance.is_none() {
                (allowance, price) = (Some(show(same.allowance)), Some(show(same.price * 10_000)));
            } else {
                (allowance, price) = (None, None);
            }
        }
        Call::ChangePlan(proto::ChangePlanRequest {
            account_id: self.account_id.clone(),
            subscription_id: self.subscription(dice, model),
            change_id: self.change_id(),
            plan,
            paid_by,
            allowance,
            price,
            preview: dice.chance(20),
            durability: self.durability(dice),
        })
    }

    /// Mostly the latest; sometimes one before it, or one that there is not.
    fn subscription(&self, dice: &mut Dice, model: &Account) -> String {
        let ids: Vec<&str> = model.subscriptions.iter().map(|it| &*it.id).collect();
        match dice.below(100) {
            0 => "nobody".into(),
            1..4 if !ids.is_empty() => dice.pick(&ids).into(),
            _ => ids.last().copied().unwrap_or("none-yet").into(),
        }
    }

    fn change_id(&self) -> String {
        format!("c{}", self.asked)
    }

    fn durability(&self, dice: &mut Dice) -> i32 {
        dice.weighted(&[(85, 1), (10, 2), (5, 0)])
    }

    fn grant(&self, dice: &mut Dice) -> Call {
        let expires = [
            None,
            None,
            Some(HOUR),
            Some(DAY),
            Some(30 * DAY),
            Some(400 * DAY),
        ];
        Call::GrantCredits(proto::GrantCreditsRequest {
            account_id: self.account_id.clone(),
            grant_id: format!("g{}", self.asked),
            kind: dice.pick(&[GrantKind::Promo, GrantKind::TopUp, GrantKind::Allowance]) as i32,
            amount: dice
                .pick(&["1", "7.25", "33.333333", "0.000001", "60"])
                .into(),
            expiry: dice
                .pick(&expires)
                .map(|length| Expiry::ExpiresIn(duration(length))),
            durability: self.durability(dice),
            ..Default::default()
        })
    }

    fn revoke(&self, dice: &mut Dice, model: &Account) -> Call {
        let ids: Vec<&str> = model.grants.iter().map(|it| &*it.id).collect();
        // An id with an event's number in it is not known here.
        let known = |id: &&&str| !id.starts_with("~refund:") && !id.contains("+");
        let known: Vec<&str> = ids.iter().filter(known).copied().collect();
        let id = match known.is_empty() {
            true => "nothing",
            false => known[known.len() - 1 - dice.below(known.len().min(3) as u64) as usize],
        };
        Call::RevokeGrant(proto::RevokeGrantRequest {
            account_id: self.account_id.clone(),
            grant_id: id.into(),
            durability: self.durability(dice),
        })
    }

    fn reserve(&self, dice: &mut Dice, model: &Account) -> Call {
        let all = model.available();
        let amounts = [
            all,
            all,
            all / 2,
            all / 3 + 1,
            all + 1,
            1,
            0,
            2_500_000,
            30_000_000,
        ];
        let ttls = [HOUR, 6 * HOUR, DAY, DAY, DAY];
        let ttl = duration(dice.pick(&ttls));
        Call::Reserve(proto::ReserveRequest {
            account_id: self.account_id.clone(),
            hold_id: format!("h{}", self.asked),
            amount: show(dice.pick(&amounts)),
            ttl: Some(ttl).filter(|_| dice.chance(90)),
            ..Default::default()
        })
    }

    fn commit(&self, dice: &mut Dice, model: &Account) -> Call {
        // Late ones too; one that is too late is refused, which need not be seen often.
        let late = dice.chance(25);
        let open = |hold: &&Hold| match hold.state {
            HoldState::Expired => late && !hold.committed,
            state => state == HoldState::Open,
        };
        let all = model.available();
        let amounts: [Credits; 7] = [0, 1, all / 2, all, all + 3_000_000, 50_000_000, 4_250_000];
        Call::Commit(proto::CommitRequest {
            account_id: self.account_id.clone(),
            hold_id: hold(dice, model, open),
            what: Some(What::Amount(show(dice.pick(&amounts)))),
            ..Default::default()
        })
    }

    fn release(&self, dice: &mut Dice, model: &Account) -> Call {
        Call::Release(proto::ReleaseRequest {
            account_id: self.account_id.clone(),
            hold_id: hold(dice, model, |hold| hold.state == HoldState::Open),
            durability: 0,
        })
    }

    fn refund(&self, dice: &mut Dice, model: &Account) -> Call {
        let id = hold(dice, model, |hold| hold.refundable() > 0);
        let found = model.holds.iter().find(|hold| hold.id == id);
        let most = found.map_or(0, Hold::refundable);
        let amount = dice.pick(&[most, most, most / 2, most + 1]).max(1);
        Call::Refund(proto::RefundRequest {
            account_id: self.account_id.clone(),
            hold_id: id,
            refund_id: format!("r{}", self.asked),
            amount: show(amount),
            durability: self.durability(dice),
        })
    }

    fn look(&self, dice: &mut Dice, model: &Account) -> Call {
        let account_id = self.account_id.clone();
        match dice.below(10) {
            0..4 => Call::GetSubscription(proto::GetSubscriptionRequest {
                account_id,
                subscription_id: match dice.chance(50) {
                    true => String::new(),
                    false if dice.chance(50) => self.subscription(dice, model),
                    false => {
                        let any = model.subscriptions.iter().map(|it| it.id.clone());
                        let any: Vec<String> = any.chain(["nobody".into()]).collect();
                        dice.pick(&any)
                    }
                },
            }),
            4..7 => Call::GetBalance(proto::GetBalanceRequest { account_id }),
            7 => Call::GetAccount(proto::GetAccountRequest { account_id }),
            8 => list_grants(account_id),
            _ => list_bills(account_id),
        }
    }

    /// An earlier call once more, or with other content under the same id.
    fn again(&self, dice: &mut Dice) -> Call {
        if self.past.is_empty() {
            return Call::GetBalance(proto::GetBalanceRequest {
                account_id: self.account_id.clone(),
            });
        }
        let recent = self.past.len().saturating_sub(6);
        let at = match dice.chance(50) {
            true => recent + dice.below((self.past.len() - recent) as u64) as usize,
            false => dice.below(self.past.len() as u64) as usize,
        };
        let mut call = self.past[at].clone();
        if dice.chance(35) {
            alter(&mut call, dice);
        }
        call
    }
}

pub fn list_grants(account_id: String) -> Call {
    Call::ListGrants(proto::ListGrantsRequest {
        account_id,
        page_size: 1000,
        ..Default::default()
    })
}

pub fn list_bills(account_id: String) -> Call {
    Call::ListBills(proto::ListBillsRequest {
        account_id,
        page_size: 1000,
        page_token: String::new(),
    })
}

fn is_remembered(call: &Call) -> bool {
    match call {
        Call::ChangePlan(r) => !r.preview,
        Call::Subscribe(_)
        | Call::CancelScheduledChange(_)
        | Call::Cancel(_)
        | Call::Resume(_)
        | Call::RecordPayment(_)
        | Call::RefundSubscription(_) => true,
        _ => false,
    }
}

/// Other content, or another verb, under the same ids.
fn alter(call: &mut Call, dice: &mut Dice) {
    match call {
        Call::Subscribe(r) if dice.chance(50) => r.trial = !r.trial,
        Call::Subscribe(r) => (r.plan, r.paid_by, r.allowance, r.price) = agreed(dice),
        Call::ChangePlan(r) => (r.plan, r.paid_by, r.allowance, r.price) = agreed(dice),
        Call::RecordPayment(r) => r.cycle += 1,
        Call::Cancel(r) if dice.chance(50) => r.at_once = !r.at_once,
        Call::Cancel(r) => {
            *call = Call::Resume(proto::ResumeRequest {
                account_id: r.account_id.clone(),
                subscription_id: r.subscription_id.clone(),
                change_id: r.change_id.clone(),
                durability: 1,
            });
        }
        Call::Resume(r) => {
            *call = Call::Cancel(proto::CancelRequest {
                account_id: r.account_id.clone(),
                subscription_id: r.subscription_id.clone(),
                change_id: r.change_id.clone(),
                at_once: false,
                durability: 1,
            });
        }
        _ => {}
    }
}

/// A plan, how it is paid, and what is agreed with this account: sometimes what no account may agree to.
fn agreed(dice: &mut Dice) -> (String, i32, Option<String>, Option<String>) {
    let plan = dice.weighted(&PLANS);
    let yearly = ["starter", "pro", "plus", "studio", "custom"].contains(&plan);
    let paid_by = match dice.below(100) {
        0..30 if yearly => PaidBy::Year,
        0..2 => PaidBy::Year,
        2..60 => PaidBy::Unspecified,
        _ => PaidBy::Cycle,
    };
    let own = (plan == "custom") != dice.chance(2);
    let amounts = ["0", "50", "333.333333", "1234.5"];
    let prices = ["0", "12.34", "49.99", "100", "600", "0.01", "1.005"];
    let allowance = own.then(|| dice.pick(&amounts).to_string());
    let most = if dice.chance(5) { 7 } else { 6 };
    let price = own.then(|| dice.pick(&prices[..most]).to_string());
    (plan.into(), paid_by as i32, allowance, price)
}

/// Mostly the one that waits; also those around it.
fn cycle(dice: &mut Dice, model: &Account) -> u32 {
    let Some(it) = model.latest() else { return 1 };
    let period = it.period().max(1);
    let unpaid = it.unpaid.last().copied().unwrap_or(1);
    match dice.below(100) {
        0..75 => period,
        75..82 => it.cycle,
        82..88 => unpaid,
        88..95 => period + 1,
        95..99 => period.saturating_sub(1),
        _ => 99,
    }
}

/// A recent hold of this kind; else one that there is not.
fn hold(dice: &mut Dice, model: &Account, which: impl Fn(&&Hold) -> bool) -> String {
    let found: Vec<&Hold> = model.holds.iter().rev().filter(which).take(3).collect();
    match found.is_empty() {
        true => "nowhere".into(),
        false => dice.pick(&found).id.clone(),
    }
}

pub fn duration(length: Micros) -> Duration {
    Duration {
        seconds: length / SECOND,
        nanos: (length % SECOND * 1000) as i32,
    }
}

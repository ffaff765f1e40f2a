//! The reference model of subscriptions: what Holdbook must answer about an account with a plan, in plain Rust.
//!
//! Written from the public contract: `subscription.proto`, `docs/catalog.md` and the rules of holds and grants. It imports only
//! the generated client types and std, has a calendar of its own and keeps everything for ever in plain lists.
//! It is one file of many lines, so that it can be read from top to bottom against the contract.
//!
//! Reading order: what a plan is, what an account is, the calls about subscriptions, the calls about credits, what time does, the
//! moves of credits, what is shown, the calendar and the numbers.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use holdbook::proto::commit_request::What;
use holdbook::proto::grant_credits_request::Expiry;
use holdbook::proto::{
    self, BillKind, ErrorReason, GrantAmount, GrantKind, GrantState, HoldState, SubscriptionState,
};
use prost_types::Timestamp;

/// Micro-credits.
pub type Credits = i64;
pub type Cents = i64;
/// Microseconds: since 1970 for an instant.
pub type Micros = i64;

pub const SECOND: Micros = 1_000_000;
pub const HOUR: Micros = 3600 * SECOND;
pub const DAY: Micros = 24 * HOUR;
/// As the test stack is configured.
pub const LATE_WINDOW: Micros = DAY;
pub const DEFAULT_TTL: Micros = HOUR;
const REFUND_TTL: Micros = 30 * DAY;

// ---------------------------------------------------------------------------------------------------------------------
// What a plan is.

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cycle {
    Month,
    Days(i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Term {
    Days(i64),
    Years(i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OnUpgrade {
    ProratedDifference,
    Difference,
    Full,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    pub lasts: Term,
    pub allowance: Credits,
    pub converts: bool,
}

/// A plan of the catalog. No allowance, no price: they are agreed with each account.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub name: &'static str,
    pub allowance: Option<Credits>,
    pub price: Option<Cents>,
    pub cycle: Cycle,
    /// It can be paid by the year, for so much unless that is agreed, too.
    pub yearly: Option<Option<Cents>>,
    /// Credits wait for the payment.
    pub on_payment: bool,
    pub rollover: Option<(Term, Option<Credits>)>,
    pub on_upgrade: OnUpgrade,
    pub trial: Option<Trial>,
    pub refund_within: Option<Term>,
    pub retention: Option<Term>,
    pub overdraft_limit: Credits,
    pub credit_limit: Credits,
}

/// The catalog, and what an account has without a subscription.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub plans: Vec<Plan>,
    pub overdraft_limit: Credits,
    pub credit_limit: Credits,
    pub welcome: Credits,
    pub welcome_for: Term,
}

/// A plan as an account agreed to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreed {
    pub plan: Plan,
    pub yearly: bool,
    pub allowance: Credits,
    pub price: Cents,
    /// Twelve times the money of a cycle, nothing off: a year that was agreed is twelve.
    list: i128,
}

impl Agreed {
    /// The cycle, and how many are paid at once.
    fn cycles(&self) -> (Cycle, u32) {
        if self.yearly {
            (Cycle::Month, 12)
        } else {
            (self.plan.cycle, 1)
        }
    }

    /// By the money of a day, then by the credits of a day; a month is the twelfth part of 365 days.
    fn rank(&self, other: &Self) -> Ordering {
        let length = |it: &Self| match it.plan.cycle {
            Cycle::Month => 365,
            Cycle::Days(days) => 12 * i128::from(days),
        };
        let (mine, others) = (length(self), length(other));
        let money = (self.list * others).cmp(&(other.list * mine));
        let credits =
            (i128::from(self.allowance) * others).cmp(&(i128::from(other.allowance) * mine));
        money.then(credits)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What an account is.

/// Why a call is refused, and what of the metadata the contract fixes.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub reason: ErrorReason,
    pub details: BTreeMap<&'static str, String>,
}

type Answer<T> = Result<T, Refused>;

fn refuse(reason: ErrorReason) -> Refused {
    Refused {
        reason,
        details: BTreeMap::new(),
    }
}

fn because(reason: ErrorReason, name: &'static str, value: impl ToString) -> Refused {
    Refused {
        reason,
        details: BTreeMap::from([(name, value.to_string())]),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    Started,
    Expired,
    Revoked,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Grant {
    pub id: String,
    pub kind: GrantKind,
    pub standing: Standing,
    pub amount: Credits,
    pub free: Credits,
    pub priority: u32,
    pub starts_at: Micros,
    pub expires_at: Option<Micros>,
    /// How long the rest lives on, and the most of it.
    rollover: Option<(Term, Option<Credits>)>,
    /// Of a rollover: what may still join.
    room: Option<Credits>,
    /// The subscription and cycle whose credits they are.
    of_cycle: Option<(usize, u32)>,
    revoke: Option<(Credits, Credits)>,
}

#[derive(Clone, Debug)]
pub struct Hold {
    pub id: String,
    pub state: HoldState,
    pins: Vec<(usize, Credits)>,
    promise: Credits,
    /// What grants paid, in the order of burning.
    burns: Vec<(usize, Credits)>,
    charged: Credits,
    overdrawn: Credits,
    pub refunded: Credits,
    returned: BTreeMap<usize, Credits>,
    overdrawn_returned: Credits,
    pub committed: bool,
    pub expires_at: Micros,
    pub ended_at: Option<Micros>,
}

impl Hold {
    fn held(&self) -> Credits {
        self.pins.iter().map(|pin| pin.1).sum()
    }

    pub fn refundable(&self) -> Credits {
        self.charged + self.overdrawn - self.refunded
    }

    fn pin_of(&self, grant: usize) -> Credits {
        let pins = self.pins.iter().filter(|pin| pin.0 == grant);
        pins.map(|pin| pin.1).sum()
    }

    fn unpin(&mut self, grant: usize, amount: Credits) {
        for pin in self.pins.iter_mut().filter(|pin| pin.0 == grant) {
            pin.1 -= amount;
        }
        self.pins.retain(|pin| pin.1 > 0);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    Cancelled,
    TrialOver,
    Refunded,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    Trial {
        from: Micros,
        until: Micros,
        converts: bool,
    },
    /// Cycles are counted from the anchor, which is the beginning of the cycle `first`.
    Running {
        anchor: Micros,
        first: u32,
        waits: bool,
        /// How much of this cycle's credits may roll.
        rollable: Credits,
    },
    Over {
        at: Micros,
        why: Why,
    },
}

/// What was sent under an id, by field; the method under the name of it.
type Sent = BTreeMap<&'static str, String>;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Change {
    changed: bool,
    holds_from: Option<Micros>,
    granted: Credits,
    charge: Cents,
    credit: Cents,
}

#[derive(Clone, Debug)]
pub struct Subscription {
    pub id: String,
    /// The account paid for none before.
    first: bool,
    pub agreed: Agreed,
    pub next: Option<Agreed>,
    pub cancelled: bool,
    pub phase: Phase,
    pub cycle: u32,
    /// The current cycle's own credits, without those of upgrades.
    pub began_with: Credits,
    paid_since: Option<Micros>,
    paid: Cents,
    /// First cycles of periods that ended unpaid.
    pub unpaid: Vec<u32>,
    /// All that became true of it, numbered: a grant's id has the number in it, and ids are the last criterion of burning.
    effects: u32,
    calls: BTreeMap<String, (Sent, Change)>,
}

impl Subscription {
    /// Money came in for it, also if it went back.
    fn was_paid(&self) -> bool {
        let refunded = matches!(
            self.phase,
            Phase::Over {
                why: Why::Refunded,
                ..
            }
        );
        self.paid > 0 || refunded
    }

    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    fn start(&self, cycle: u32) -> Micros {
        let Phase::Running { anchor, first, .. } = self.phase else {
            panic!("{} has no cycles now", self.id);
        };
        let since = i64::from(cycle - first);
        match self.agreed.cycles().0 {
            Cycle::Month => months_after(anchor, since),
            Cycle::Days(days) => anchor + since * days * DAY,
        }
    }

    /// The first cycle of the paid period that a cycle is in.
    fn paid_from(&self, cycle: u32) -> u32 {
        match self.phase {
            Phase::Running { first, .. } => cycle - (cycle - first) % self.agreed.cycles().1,
            _ => 0,
        }
    }

    /// The current one.
    pub fn period(&self) -> u32 {
        self.paid_from(self.cycle)
    }

    fn paid_bounds(&self) -> (Micros, Micros) {
        let from = self.period();
        (self.start(from), self.start(from + self.agreed.cycles().1))
    }

    pub fn bounds(&self) -> (Micros, Option<Micros>) {
        match self.phase {
            Phase::Trial { from, until, .. } => (from, Some(until)),
            Phase::Running { .. } => (self.start(self.cycle), Some(self.start(self.cycle + 1))),
            Phase::Over { at, .. } => (at, None),
        }
    }

    pub fn paid_until(&self) -> Option<Micros> {
        match self.phase {
            Phase::Trial { until, .. } => Some(until),
            Phase::Running { .. } => Some(self.paid_bounds().1),
            Phase::Over { .. } => None,
        }
    }

    pub fn waits(&self) -> bool {
        matches!(self.phase, Phase::Running { waits: true, .. })
    }
}

#[derive(Clone, Debug)]
pub struct Account {
    id: String,
    catalog: Catalog,
    now: Micros,
    created: bool,
    overdraft_limit: Credits,
    pub credit_limit: Credits,
    pub closed: bool,
    pub debt: Credits,
    pub grants: Vec<Grant>,
    pub holds: Vec<Hold>,
    pub subscriptions: Vec<Subscription>,
    pub bills: Vec<proto::Bill>,
    had_trial: bool,
    /// Until when a free plan's credits were given that was ended within its cycle.
    free_until: Option<Micros>,
    /// Given less taken back, used less refunded, ended unused, paid by the platform.
    pub issued: Credits,
    pub spent: Credits,
    pub breakage: Credits,
    pub absorbed: Credits,
    /// What the call under way came to so far.
    coming: Change,
    /// What occurred, and how often: a run in which something never does has not tried it.
    pub occurred: BTreeMap<&'static str, u64>,
}

// ---------------------------------------------------------------------------------------------------------------------
// The calls about subscriptions.

/// One answer of the calls that change a subscription: they have one form.
macro_rules! answered {
    ($account:ident, $at:expr, $change:expr, $replayed:expr, $of:ident) => {
        Ok(proto::$of {
            subscription: Some($account.shown_subscription($at)),
            change: Some(show_change(&$change)),
            balance: Some($account.balance()),
            replayed: $replayed,
            durability: 0,
        })
    };
}

/// A call on a subscription: the repeat, or what `$does` makes of it.
macro_rules! on_subscription {
    ($account:ident, $request:ident, $sent:expr, $of:ident, |$it:ident, $s:ident| $does:expr) => {{
        $account.exists()?;
        let sent: Sent = $sent;
        let found = $account
            .subscriptions
            .iter()
            .position(|it| it.id == $request.subscription_id);
        let s = found.ok_or_else(|| refuse(ErrorReason::SubscriptionNotFound))?;
        if let Some((first, change)) = $account.subscriptions[s].calls.get(&$request.change_id) {
            same_content(first, &sent)?;
            let change = *change;
            return answered!($account, s, change, true, $of);
        }
        $account.coming = Change::default();
        let does = |$it: &mut Account, $s: usize| -> Answer<bool> { $does };
        let changed = does($account, s)?;
        let change = $account.came(changed);
        let calls = &mut $account.subscriptions[s].calls;
        calls.insert($request.change_id.clone(), (sent, change));
        answered!($account, s, change, false, $of)
    }};
}

impl Account {
    pub fn new(id: &str, catalog: Catalog, now: Micros) -> Self {
        Self {
            id: id.into(),
            overdraft_limit: 0,
            credit_limit: 0,
            catalog,
            now,
            created: false,
            closed: false,
            debt: 0,
            grants: Vec::new(),
            holds: Vec::new(),
            subscriptions: Vec::new(),
            bills: Vec::new(),
            had_trial: false,
            free_until: None,
            issued: 0,
            spent: 0,
            breakage: 0,
            absorbed: 0,
            coming: Change::default(),
            occurred: BTreeMap::new(),
        }
    }

    fn occurs(&mut self, what: &'static str) {
        *self.occurred.entry(what).or_default() += 1;
    }

    pub fn latest(&self) -> Option<&Subscription> {
        self.subscriptions.last()
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The credits of a free plan's cycle were given, and it was ended within it.
    pub fn has_had_free_cycle(&self) -> bool {
        self.free_until.is_some_and(|until| self.now < until)
    }

    fn exists(&self) -> Answer<()> {
        match self.created {
            true => Ok(()),
            false => Err(refuse(ErrorReason::AccountNotFound)),
        }
    }

    /// What is sent of a plan, made whole by the catalog.
    fn agree(
        &self,
        plan: &str,
        paid_by: i32,
        (allowance, price): (Option<Credits>, Option<Cents>),
    ) -> Answer<Agreed> {
        let invalid = || refuse(ErrorReason::Invalid);
        let plan = self.catalog.plans.iter().find(|it| it.name == plan);
        let plan = plan.cloned().ok_or_else(invalid)?;
        let yearly = paid_by == proto::PaidBy::Year as i32;
        // Exactly one of the two says it.
        if plan.allowance.is_some() == allowance.is_some()
            || plan.price.is_some() == price.is_some()
        {
            return Err(invalid());
        }
        let of_cycle = plan.price.or(price).ok_or_else(invalid)?;
        let (price, list) = match (yearly, plan.yearly) {
            (false, _) => (of_cycle, 12 * i128::from(of_cycle)),
            (true, None) => return Err(invalid()),
            (true, Some(Some(year))) => (year, 12 * i128::from(of_cycle)),
            (true, Some(None)) => (of_cycle, i128::from(of_cycle)),
        };
        Ok(Agreed {
            yearly,
            allowance: plan.allowance.or(allowance).ok_or_else(invalid)?,
            price,
            list,
            plan,
        })
    }

    pub fn subscribe(&mut self, r: &proto::SubscribeRequest) -> Answer<proto::SubscribeResponse> {
        let own = own(&r.allowance, &r.price)?;
        self.exists()?;
        let mut sent = sent_plan(&r.plan, r.paid_by, own);
        sent.insert("trial", r.trial.to_string());
        let found = self.subscriptions.iter();
        if let Some(s) = found.clone().position(|it| it.id == r.subscription_id) {
            let (first, change) = self.subscriptions[s].calls[""].clone();
            same_content(&first, &sent)?;
            return answered!(self, s, change, true, SubscribeResponse);
        }
        let agreed = self.agree(&r.plan, r.paid_by, own)?;
        if let Some(running) = self.latest().filter(|it| !it.is_over()) {
            let id = running.id.clone();
            return Err(because(
                ErrorReason::SubscriptionActive,
                "subscription_id",
                id,
            ));
        }
        let unavailable = |why: &str| because(ErrorReason::PlanUnavailable, "why", why);
        if agreed.price == 0 && self.has_had_free_cycle() {
            return Err(unavailable("TOO_SOON"));
        }
        let trial = match (r.trial, agreed.plan.trial) {
            (false, _) => None,
            (true, _) if self.had_trial => return Err(unavailable("TRIAL_USED")),
            (true, None) => return Err(unavailable("NO_TRIAL")),
            (true, trial) => trial,
        };
        if self.closed {
            return Err(refuse(ErrorReason::AccountClosed));
        }
        self.coming = Change::default();
        let now = self.now;
        self.had_trial |= trial.is_some();
        self.subscriptions.push(Subscription {
            id: r.subscription_id.clone(),
            first: !self.subscriptions.iter().any(Subscription::was_paid),
            agreed,
            next: None,
            cancelled: false,
            phase: Phase::Trial {
                from: now,
                until: trial.map_or(now, |trial| trial.lasts.after(now)),
                converts: trial.is_none_or(|trial| trial.converts),
            },
            cycle: 0,
            began_with: 0,
            paid_since: None,
            paid: 0,
            unpaid: Vec::new(),
            effects: 0,
            calls: BTreeMap::new(),
        });
        let s = self.subscriptions.len() - 1;
        self.plan_holds(s);
        match trial {
            Some(trial) => {
                let until = self.subscriptions[s].paid_until();
                self.give(s, trial.allowance, false, until.unwrap_or(now), None);
            }
            None => self.anchor(s),
        }
        let change = self.came(true);
        let calls = &mut self.subscriptions[s].calls;
        calls.insert(String::new(), (sent, change));
        answered!(self, s, change, false, SubscribeResponse)
    }

    pub fn get_subscription(
        &mut self,
        r: &proto::GetSubscriptionRequest,
    ) -> Answer<proto::GetSubscriptionResponse> {
        self.exists()?;
        let mut named = self.subscriptions.iter();
        let s = match r.subscription_id.as_str() {
            "" => self.subscriptions.len().checked_sub(1),
            id => named.position(|it| it.id == id),
        };
        let s = s.ok_or_else(|| refuse(ErrorReason::SubscriptionNotFound))?;
        Ok(proto::GetSubscriptionResponse {
            subscription: Some(self.shown_subscription(s)),
        })
    }

    pub fn change_plan(
        &mut self,
        r: &proto::ChangePlanRequest,
    ) -> Answer<proto::ChangePlanResponse> {
        if r.preview {
            let before = self.clone();
            let real = proto::ChangePlanRequest {
                preview: false,
                ..r.clone()
            };
            let answer = self.change_plan(&real);
            *self = before;
            return answer.map(|answer| proto::ChangePlanResponse {
                balance: Some(self.balance()),
                ..answer
            });
        }
        let own = own(&r.allowance, &r.price)?;
        let mut sent = sent_plan(&r.plan, r.paid_by, own);
        sent.insert("method", "change_plan".into());
        let known = |it: &Subscription| it.id == r.subscription_id;
        if self.created && !self.subscriptions.iter().any(known) {
            self.agree(&r.plan, r.paid_by, own)?; // what no account may agree to is told first
        }
        on_subscription!(self, r, sent, ChangePlanResponse, |it, s| {
            let to = it.agree(&r.plan, r.paid_by, own)?;
            it.is_latest(s)?;
            it.not_over(s)?;
            it.change_to(s, to)
        })
    }

    fn change_to(&mut self, s: usize, to: Agreed) -> Answer<bool> {
        let it = &self.subscriptions[s];
        if to == it.agreed {
            return Ok(false);
        }
        if it.next.as_ref() == Some(&to) {
            self.coming.holds_from = it.paid_until();
            return Ok(false);
        }
        if it.cancelled {
            return Err(refuse(ErrorReason::SubscriptionCancelled));
        }
        let rank = to.rank(&it.agreed);
        let in_trial = matches!(it.phase, Phase::Trial { .. });
        if !in_trial && (rank == Ordering::Less || to.cycles() != it.agreed.cycles()) {
            let holds_from = it.paid_until();
            self.subscriptions[s].next = Some(to);
            self.occurs("a change waits");
            self.coming.holds_from = holds_from;
            return Ok(true);
        }
        if !in_trial && it.waits() {
            let cycle = it.period();
            return Err(because(ErrorReason::PaymentOutstanding, "cycle", cycle));
        }
        if to.plan.credit_limit < self.credit_limit && self.debt > to.plan.credit_limit {
            return Err(refuse(ErrorReason::InDebt));
        }
        let old = std::mem::replace(&mut self.subscriptions[s].agreed, to.clone());
        if in_trial {
            self.occurs("another plan in a trial");
            self.plan_holds(s); // nothing is paid, so nothing is prorated
            return Ok(true);
        }
        self.subscriptions[s].next = None;
        self.plan_holds(s);
        self.occurs(match (rank, to.plan.on_upgrade) {
            (Ordering::Greater, OnUpgrade::Nothing) => "up with no credits",
            (Ordering::Greater, OnUpgrade::Full) => "up with all credits",
            (Ordering::Greater, OnUpgrade::Difference) => "up with the difference",
            (Ordering::Greater, OnUpgrade::ProratedDifference) => {
                "up with a part of the difference"
            }
            _ => "to a plan of the same rank",
        });
        let (from, until) = self.subscriptions[s].paid_bounds();
        let left = |price| money_left(price, from, until, self.now);
        let (credit, charge) = (left(old.price), left(to.price));
        if credit != charge {
            let (now, it) = (self.now, &mut self.subscriptions[s]);
            it.paid_since.get_or_insert(now);
            it.paid += charge - credit;
            let cycle = it.period();
            self.bill(s, BillKind::Change, cycle, (charge, credit), None);
        }
        if rank == Ordering::Greater {
            let more = (to.allowance - old.allowance).max(0);
            let (from, until) = self.subscriptions[s].bounds();
            let until = until.unwrap_or(from);
            let amount = match to.plan.on_upgrade {
                OnUpgrade::Nothing => 0,
                OnUpgrade::Full => to.allowance,
                OnUpgrade::Difference => more,
                OnUpgrade::ProratedDifference => {
                    let part =
                        i128::from(more) * i128::from(until - self.now) / i128::from(until - from);
                    i64::try_from(part).expect("less than the whole")
                }
            };
            self.give(s, amount, true, until, to.plan.rollover);
        }
        Ok(true)
    }

    pub fn cancel_scheduled_change(
        &mut self,
        r: &proto::CancelScheduledChangeRequest,
    ) -> Answer<proto::CancelScheduledChangeResponse> {
        let sent = Sent::from([("method", "cancel_scheduled_change".into())]);
        on_subscription!(self, r, sent, CancelScheduledChangeResponse, |it, s| {
            it.is_latest(s)?;
            it.not_over(s)?;
            Ok(it.subscriptions[s].next.take().is_some())
        })
    }

    pub fn cancel(&mut self, r: &proto::CancelRequest) -> Answer<proto::CancelResponse> {
        let mut sent = Sent::from([("method", "cancel".into())]);
        sent.insert("at_once", r.at_once.to_string());
        on_subscription!(self, r, sent, CancelResponse, |it, s| {
            it.is_latest(s)?;
            if it.subscriptions[s].is_over() {
                return Ok(false);
            }
            if r.at_once {
                it.occurs("an end at once");
                it.end_credits(s, Standing::Expired);
                it.end(s, Why::Cancelled);
                return Ok(true);
            }
            it.coming.holds_from = it.subscriptions[s].paid_until();
            Ok(!std::mem::replace(&mut it.subscriptions[s].cancelled, true))
        })
    }

    pub fn resume(&mut self, r: &proto::ResumeRequest) -> Answer<proto::ResumeResponse> {
        let sent = Sent::from([("method", "resume".into())]);
        on_subscription!(self, r, sent, ResumeResponse, |it, s| {
            it.is_latest(s)?;
            it.not_over(s)?;
            Ok(std::mem::take(&mut it.subscriptions[s].cancelled))
        })
    }

    pub fn record_payment(
        &mut self,
        r: &proto::RecordPaymentRequest,
    ) -> Answer<proto::RecordPaymentResponse> {
        if r.cycle == 0 {
            return Err(refuse(ErrorReason::Invalid));
        }
        let mut sent = Sent::from([("method", "record_payment".into())]);
        sent.insert("cycle", r.cycle.to_string());
        on_subscription!(self, r, sent, RecordPaymentResponse, |it, s| {
            it.pay(s, r.cycle)
        })
    }

    /// One before the latest was over before that began, and is changed no more.
    fn is_latest(&self, s: usize) -> Answer<()> {
        match s + 1 == self.subscriptions.len() {
            true => Ok(()),
            false => Err(refuse(ErrorReason::SubscriptionEnded)),
        }
    }

    fn pay(&mut self, s: usize, cycle: u32) -> Answer<bool> {
        let not_due = |why: &str| Err(because(ErrorReason::PaymentNotDue, "why", why));
        if self.is_latest(s).is_err() {
            return not_due("PAID_TOO_LATE");
        }
        let it = &mut self.subscriptions[s];
        let running = matches!(it.phase, Phase::Running { .. });
        let past = if running { it.period() } else { it.cycle + 1 };
        if cycle < past {
            // A period that was paid, or that was not and ended without its credits.
            return match it.unpaid.contains(&cycle) {
                true => not_due("PAID_TOO_LATE"),
                false => Ok(false),
            };
        }
        if !running || cycle >= past + it.agreed.cycles().1 {
            return not_due("PERIOD_NOT_BEGUN");
        }
        let Phase::Running { waits, .. } = &mut it.phase else {
            return Ok(false);
        };
        if !std::mem::take(waits) {
            return Ok(false);
        }
        it.paid += it.agreed.price;
        self.occurs("a payment brings credits");
        self.give_cycle(s);
        Ok(true)
    }

    pub fn refund_subscription(
        &mut self,
        r: &proto::RefundSubscriptionRequest,
    ) -> Answer<proto::RefundSubscriptionResponse> {
        let sent = Sent::from([("method", "refund_subscription".into())]);
        on_subscription!(self, r, sent, RefundSubscriptionResponse, |it, s| {
            it.is_latest(s)?;
            it.refund_money(s)
        })
    }

    fn refund_money(&mut self, s: usize) -> Answer<bool> {
        let it = &self.subscriptions[s];
        match it.phase {
            Phase::Over {
                why: Why::Refunded, ..
            } => return Ok(false),
            Phase::Over {
                why: Why::TrialOver,
                ..
            } => {
                return Err(refuse(ErrorReason::SubscriptionEnded));
            }
            _ => {} // one that was cancelled is refunded still
        }
        let refused = || refuse(ErrorReason::NonRefundable);
        let within = it.agreed.plan.refund_within.ok_or_else(refused)?;
        let since = it.paid_since.ok_or_else(refused)?;
        if !it.first || self.now >= within.after(since) || it.paid <= 0 {
            return Err(refused());
        }
        let amount = std::mem::take(&mut self.subscriptions[s].paid);
        self.occurs("money goes back");
        self.end_credits(s, Standing::Revoked);
        self.bill(s, BillKind::Refund, 0, (0, amount), None);
        match &mut self.subscriptions[s].phase {
            Phase::Over { why, .. } => *why = Why::Refunded,
            _ => self.end(s, Why::Refunded),
        }
        Ok(true)
    }

    pub fn list_bills(&mut self, _: &proto::ListBillsRequest) -> Answer<proto::ListBillsResponse> {
        self.exists()?;
        Ok(proto::ListBillsResponse {
            bills: self.bills.clone(),
            next_page_token: String::new(),
        })
    }

    fn not_over(&self, s: usize) -> Answer<()> {
        match self.subscriptions[s].is_over() {
            true => Err(refuse(ErrorReason::SubscriptionEnded)),
            false => Ok(()),
        }
    }

    /// What a call came to; all that is not scheduled holds from now.
    fn came(&mut self, changed: bool) -> Change {
        self.coming.changed = changed;
        self.coming.holds_from = self.coming.holds_from.or(Some(self.now));
        std::mem::take(&mut self.coming)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The calls about credits.

impl Account {
    pub fn create_account(
        &mut self,
        r: &proto::CreateAccountRequest,
    ) -> Answer<proto::CreateAccountResponse> {
        self.created = true;
        let own = |sent: &Option<String>| sent.as_deref().and_then(parse);
        let overdraft = own(&r.overdraft_limit).unwrap_or(self.catalog.overdraft_limit);
        let credit = own(&r.credit_limit).unwrap_or(self.catalog.credit_limit.min(overdraft));
        (self.overdraft_limit, self.credit_limit) = (overdraft, credit);
        if self.catalog.welcome > 0 {
            let until = self.catalog.welcome_for.after(self.now);
            self.add_grant(
                "~welcome",
                GrantKind::Promo,
                self.catalog.welcome,
                Some(until),
            );
        }
        Ok(proto::CreateAccountResponse {
            account: None,
            balance: Some(self.balance()),
            replayed: false,
            durability: 0,
        })
    }

    pub fn get_account(
        &mut self,
        _: &proto::GetAccountRequest,
    ) -> Answer<proto::GetAccountResponse> {
        self.exists()?;
        let account = proto::Account {
            account_id: self.id.clone(),
            overdraft_limit: show(self.overdraft_limit),
            credit_limit: show(self.credit_limit),
            open_holds: self.open_holds().count() as u32,
            ..Default::default()
        };
        Ok(proto::GetAccountResponse {
            account: Some(account),
            balance: Some(self.balance()),
        })
    }

    pub fn get_balance(
        &mut self,
        _: &proto::GetBalanceRequest,
    ) -> Answer<proto::GetBalanceResponse> {
        self.exists()?;
        let mut kinds: BTreeMap<i32, [Credits; 3]> = BTreeMap::new();
        for (at, grant) in self.grants.iter().enumerate() {
            if grant.standing == Standing::Started {
                let kind = kinds.entry(grant.kind as i32).or_default();
                let of_grant = [grant.amount, grant.free, self.pinned(at)];
                (0..3).for_each(|side| kind[side] += of_grant[side]);
            }
        }
        let kinds = kinds.into_iter();
        let kinds = kinds.map(|(kind, [granted, free, held])| proto::KindBalance {
            kind,
            granted: show(granted),
            free: show(free),
            held: show(held),
        });
        Ok(proto::GetBalanceResponse {
            balance: Some(self.balance()),
            kinds: kinds.collect(),
            levels: Vec::new(),
        })
    }

    pub fn close_account(
        &mut self,
        _: &proto::CloseAccountRequest,
    ) -> Answer<proto::CloseAccountResponse> {
        self.exists()?;
        if self.latest().is_some_and(|it| !it.is_over()) {
            return Err(refuse(ErrorReason::SubscriptionActive));
        }
        let mut breakage = 0;
        for grant in &mut self.grants {
            breakage += std::mem::take(&mut grant.free);
            if grant.standing == Standing::Started {
                grant.standing = Standing::Closed;
            }
        }
        self.breakage += breakage;
        self.closed = true;
        Ok(proto::CloseAccountResponse {
            account: None,
            breakage: show(breakage),
            lapsed: show(0),
            balance: Some(self.balance()),
            replayed: false,
            durability: 0,
        })
    }

    pub fn grant_credits(
        &mut self,
        r: &proto::GrantCreditsRequest,
    ) -> Answer<proto::GrantCreditsResponse> {
        self.exists()?;
        let amount = parse(&r.amount).unwrap_or(0);
        let expires_at = match &r.expiry {
            Some(Expiry::ExpiresIn(length)) => Some(self.now + length.seconds * SECOND),
            _ => None,
        };
        let settled = self.add_grant(&r.grant_id, r.kind(), amount, expires_at);
        Ok(proto::GrantCreditsResponse {
            grant: None,
            settled: show(settled),
            balance: Some(self.balance()),
            replayed: false,
            durability: 0,
        })
    }

    pub fn revoke_grant(
        &mut self,
        r: &proto::RevokeGrantRequest,
    ) -> Answer<proto::RevokeGrantResponse> {
        self.exists()?;
        let found = self.grants.iter().position(|it| it.id == r.grant_id);
        let g = found.ok_or_else(|| refuse(ErrorReason::GrantNotFound))?;
        let replayed = self.grants[g].revoke.is_some();
        if !replayed {
            let free = std::mem::take(&mut self.grants[g].free);
            self.issued -= free;
            self.grants[g].standing = Standing::Revoked;
            self.grants[g].revoke = Some((free, self.pinned(g)));
        }
        let (revoked, outstanding) = self.grants[g].revoke.unwrap_or_default();
        Ok(proto::RevokeGrantResponse {
            revoked: show(revoked),
            outstanding: show(outstanding),
            balance: Some(self.balance()),
            replayed,
            durability: 0,
        })
    }

    /// All grants, newest first.
    pub fn list_grants(
        &mut self,
        _: &proto::ListGrantsRequest,
    ) -> Answer<proto::ListGrantsResponse> {
        self.exists()?;
        let shown = |g: usize| {
            let grant = &self.grants[g];
            let state = match grant.standing {
                Standing::Started => GrantState::Active,
                Standing::Expired => GrantState::Expired,
                Standing::Revoked => GrantState::Revoked,
                Standing::Closed => GrantState::Closed,
            };
            proto::Grant {
                account_id: self.id.clone(),
                grant_id: grant.id.clone(),
                kind: grant.kind as i32,
                state: state as i32,
                amount: show(grant.amount),
                free: show(grant.free),
                held: show(self.pinned(g)),
                priority: grant.priority,
                starts_at: Some(timestamp(grant.starts_at)),
                expires_at: grant.expires_at.map(timestamp),
                ..Default::default()
            }
        };
        Ok(proto::ListGrantsResponse {
            grants: (0..self.grants.len()).rev().map(shown).collect(),
            next_page_token: String::new(),
        })
    }

    /// Only by amount, and only a new id.
    pub fn reserve(&mut self, r: &proto::ReserveRequest) -> Answer<proto::ReserveResponse> {
        self.exists()?;
        let amount = parse(&r.amount).unwrap_or(0);
        if self.closed {
            return Err(refuse(ErrorReason::AccountClosed));
        }
        if self.debt > self.credit_limit {
            return Err(refuse(ErrorReason::InDebt));
        }
        if amount > self.available() {
            return Err(refuse(ErrorReason::InsufficientCredits));
        }
        let (mut rest, mut pins) = (amount, Vec::new());
        for g in self.burn_order() {
            let part = self.grants[g].free.min(rest);
            if part > 0 {
                self.grants[g].free -= part;
                pins.push((g, part));
                rest -= part;
            }
        }
        let ttl = r
            .ttl
            .as_ref()
            .map_or(DEFAULT_TTL, |ttl| ttl.seconds * SECOND);
        let pinned = self.amounts(&pins);
        self.holds.push(Hold {
            id: r.hold_id.clone(),
            state: HoldState::Open,
            pins,
            promise: rest,
            burns: Vec::new(),
            charged: 0,
            overdrawn: 0,
            refunded: 0,
            returned: BTreeMap::new(),
            overdrawn_returned: 0,
            committed: false,
            expires_at: self.now + ttl,
            ended_at: None,
        });
        Ok(proto::ReserveResponse {
            hold: None,
            pinned,
            promised: show(rest),
            balance: Some(self.balance()),
            replayed: false,
            durability: 0,
        })
    }

    fn hold(&self, id: &str) -> Answer<usize> {
        let found = self.holds.iter().position(|hold| hold.id == id);
        found.ok_or_else(|| refuse(ErrorReason::HoldNotFound))
    }

    /// The final one, by amount, and the first: a late one counts too.
    pub fn commit(&mut self, r: &proto::CommitRequest) -> Answer<proto::CommitResponse> {
        self.exists()?;
        let h = self.hold(&r.hold_id)?;
        let amount = match &r.what {
            Some(What::Amount(amount)) => parse(amount).unwrap_or(0),
            _ => return Err(refuse(ErrorReason::Invalid)),
        };
        let late = self.holds[h].state == HoldState::Expired;
        let ended_at = self.holds[h].ended_at.unwrap_or(self.now);
        if late && self.now - ended_at > LATE_WINDOW {
            return Err(refuse(ErrorReason::LateWindowPassed));
        }
        if !late && self.holds[h].state != HoldState::Open {
            return Err(refuse(ErrorReason::HoldEnded));
        }
        let burned = self.burn(h, amount);
        let charged: Credits = burned.iter().map(|burn| burn.1).sum();
        let rest = amount - charged;
        let overdrawn = rest.min((self.overdraft_limit - self.debt).max(0));
        self.debt += overdrawn;
        self.absorbed += rest - overdrawn;
        self.spent += amount;
        let released = match late {
            true => 0,
            false => self.end_hold(h, HoldState::Committed),
        };
        let hold = &mut self.holds[h];
        (hold.charged, hold.overdrawn, hold.committed) = (charged, overdrawn, true);
        Ok(proto::CommitResponse {
            hold: None,
            charged: show(charged),
            charged_by_grant: self.amounts(&burned),
            overdrawn: show(overdrawn),
            absorbed: show(rest - overdrawn),
            released: show(released),
            late,
            balance: Some(self.balance()),
            replayed: false,
            durability: 0,
        })
    }

    pub fn release(&mut self, r: &proto::ReleaseRequest) -> Answer<proto::ReleaseResponse> {
        self.exists()?;
        let h = self.hold(&r.hold_id)?;
        let released = match self.holds[h].state {
            HoldState::Open => self.end_hold(h, HoldState::Released),
            _ => 0,
        };
        Ok(proto::ReleaseResponse {
            hold: None,
            released: show(released),
            balance: Some(self.balance()),
            replayed: false,
            durability: 0,
        })
    }

    /// The overdrawn part first, against debt still owed, then the grants, last burned first; what has no live source becomes a grant.
    pub fn refund(&mut self, r: &proto::RefundRequest) -> Answer<proto::RefundResponse> {
        self.exists()?;
        let h = self.hold(&r.hold_id)?;
        let amount = parse(&r.amount).unwrap_or(0);
        if amount > self.holds[h].refundable() {
            return Err(refuse(ErrorReason::AboveHold));
        }
        let hold = &mut self.holds[h];
        let overdrawn = amount.min(hold.overdrawn - hold.overdrawn_returned);
        hold.overdrawn_returned += overdrawn;
        hold.refunded += amount;
        let debt_reduced = overdrawn.min(self.debt);
        let (mut homeless, mut rest) = (overdrawn - debt_reduced, amount - overdrawn);
        let mut targets: Vec<(usize, Credits)> = Vec::new();
        for (g, burned) in hold.burns.clone().into_iter().rev() {
            let returned = hold.returned.entry(g).or_default();
            let part = rest.min(burned - *returned);
            *returned += part;
            rest -= part;
            if self.grants[g].standing == Standing::Started {
                targets.extend((part > 0).then_some((g, part)));
            } else {
                homeless += part;
            }
        }
        self.debt -= debt_reduced;
        self.spent -= amount;
        for (g, part) in &targets {
            self.grants[*g].free += part;
        }
        if homeless > 0 {
            targets.push((self.grants.len(), homeless));
            let id = format!("~refund:{}", self.grants.len());
            let until = self.now + REFUND_TTL;
            self.push_grant(&id, GrantKind::Refund, homeless, self.now, Some(until));
        }
        self.settle();
        Ok(proto::RefundResponse {
            hold: None,
            debt_reduced: show(debt_reduced),
            refunded_to: self.amounts(&targets),
            balance: Some(self.balance()),
            replayed: false,
            durability: 0,
        })
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What time does.

/// At one instant grants end, then what a subscription does comes, then holds end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Grant(usize),
    Renewal,
    Hold(usize),
}

impl Account {
    /// Time passes: all that is due is done, each at its own instant.
    pub fn until(&mut self, now: Micros) {
        while let Some((at, due)) = self.next_due().filter(|next| next.0 <= now) {
            self.now = at;
            match due {
                Due::Grant(g) => self.expire_grant(g),
                Due::Renewal => self.renew(),
                Due::Hold(h) => drop(self.end_hold(h, HoldState::Expired)),
            }
        }
        self.now = now;
    }

    fn next_due(&self) -> Option<(Micros, Due)> {
        let grants = self.grants.iter().enumerate();
        let grants = grants.filter(|(_, grant)| grant.standing == Standing::Started);
        let grants = grants.filter_map(|(g, grant)| Some((grant.expires_at?, Due::Grant(g))));
        let renewal = self.latest().and_then(|it| it.bounds().1);
        let holds = self.holds.iter().enumerate();
        let holds = holds.filter(|(_, hold)| hold.state == HoldState::Open);
        let holds = holds.map(|(h, hold)| (hold.expires_at, Due::Hold(h)));
        let renewal = renewal.map(|at| (at, Due::Renewal));
        grants.chain(renewal).chain(holds).min()
    }

    /// The instants at which something changes.
    pub fn edges(&self) -> Vec<Micros> {
        let grants = self.grants.iter();
        let grants = grants.filter(|grant| grant.standing == Standing::Started);
        let grants = grants.filter_map(|grant| grant.expires_at);
        let latest = self.latest();
        let renewals = [
            latest.and_then(|it| it.bounds().1),
            latest.and_then(Subscription::paid_until),
            latest.and_then(|it| it.agreed.plan.refund_within?.after(it.paid_since?).into()),
            self.free_until,
        ];
        let mut edges: Vec<Micros> = grants.chain(renewals.into_iter().flatten()).collect();
        edges.extend(self.open_holds().map(|hold| hold.expires_at));
        edges.retain(|at| *at > self.now);
        edges
    }

    /// A cycle or a trial ends.
    fn renew(&mut self) {
        let s = self.subscriptions.len() - 1;
        let it = &mut self.subscriptions[s];
        if let Phase::Trial { converts, .. } = it.phase {
            let cancelled = it.cancelled;
            self.occurs(match (cancelled, converts) {
                (true, _) => "a cancelled trial ends",
                (false, true) => "a trial converts",
                (false, false) => "a trial ends",
            });
            return match (cancelled, converts) {
                (true, _) => self.end(s, Why::Cancelled),
                (false, false) => self.end(s, Why::TrialOver),
                (false, true) => self.anchor(s),
            };
        }
        let period_over = it.paid_until() == it.bounds().1;
        let (cancelled, waits) = (it.cancelled, it.waits());
        if self.open_holds().any(|hold| hold.held() > 0) {
            self.occurs("a hold is open over a renewal");
        }
        if !period_over {
            self.occurs("a month of a year begins");
            self.subscriptions[s].cycle += 1;
            return self.begin_cycle(s);
        }
        if cancelled {
            self.occurs("a cancelled period ends");
            return self.end(s, Why::Cancelled);
        }
        if waits {
            self.occurs("a period ends unpaid");
        }
        self.occurs("a paid period begins");
        let it = &mut self.subscriptions[s];
        if waits {
            it.unpaid.push(it.period());
        }
        if let Some(to) = it.next.take() {
            let same = to.cycles() == it.agreed.cycles();
            it.agreed = to;
            self.plan_holds(s);
            self.occurs(match same {
                true => "a change that waited comes",
                false => "a change that waited comes with other cycles",
            });
            if !same {
                return self.anchor(s);
            }
        }
        self.subscriptions[s].cycle += 1;
        self.begin_period(s);
        self.begin_cycle(s);
    }

    /// Cycles are counted from here.
    fn anchor(&mut self, s: usize) {
        let (now, it) = (self.now, &mut self.subscriptions[s]);
        it.cycle += 1;
        it.phase = Phase::Running {
            anchor: now,
            first: it.cycle,
            waits: false,
            rollable: 0,
        };
        self.begin_period(s);
        self.begin_cycle(s);
    }

    /// A paid period begins with its bill.
    fn begin_period(&mut self, s: usize) {
        let (now, it) = (self.now, &mut self.subscriptions[s]);
        let (price, on_payment) = (it.agreed.price, it.agreed.plan.on_payment);
        if let Phase::Running { waits, .. } = &mut it.phase {
            *waits = price > 0 && on_payment;
        }
        if price == 0 {
            return;
        }
        it.paid_since.get_or_insert(now);
        it.paid += if on_payment { 0 } else { price };
        let (cycle, bounds) = (it.cycle, it.paid_bounds());
        self.bill(s, BillKind::Period, cycle, (price, 0), Some(bounds));
    }

    fn begin_cycle(&mut self, s: usize) {
        if let Phase::Running { rollable, .. } = &mut self.subscriptions[s].phase {
            *rollable = 0;
        }
        if !self.subscriptions[s].waits() {
            self.give_cycle(s);
        }
    }

    fn give_cycle(&mut self, s: usize) {
        let it = &self.subscriptions[s];
        let (allowance, rollover) = (it.agreed.allowance, it.agreed.plan.rollover);
        let until = it.bounds().1.unwrap_or(self.now);
        self.subscriptions[s].began_with = allowance;
        self.give(s, allowance, false, until, rollover);
    }

    /// Credits of the current cycle. The cap of what rolls is the cycle's, shared by all of its grants.
    fn give(
        &mut self,
        s: usize,
        amount: Credits,
        upgrade: bool,
        until: Micros,
        rollover: Option<(Term, Option<Credits>)>,
    ) {
        if amount == 0 {
            return;
        }
        let it = &mut self.subscriptions[s];
        it.effects += 1;
        let (cycle, effect) = (it.cycle, it.effects);
        let id = match upgrade {
            true => format!("~plan:{cycle}+{effect}:{}", it.id),
            false => format!("~plan:{cycle}:{}", it.id),
        };
        let rollover = match (&mut it.phase, rollover) {
            (Phase::Running { rollable, .. }, Some((lasts, cap))) => {
                let cap = cap.map(|cap| (cap - *rollable).max(0));
                *rollable += cap.map_or(amount, |cap| cap.min(amount));
                (cap != Some(0)).then_some((lasts, cap))
            }
            _ => None,
        };
        self.coming.granted += amount;
        if self.debt > 0 {
            self.occurs("a cycle's credits settle debt");
        }
        let g = self.push_grant(&id, GrantKind::Allowance, amount, self.now, Some(until));
        (self.grants[g].rollover, self.grants[g].of_cycle) = (rollover, Some((s, cycle)));
        self.issued += amount;
        self.settle();
    }

    fn bill(
        &mut self,
        s: usize,
        kind: BillKind,
        cycle: u32,
        (charge, credit): (Cents, Cents),
        period: Option<(Micros, Micros)>,
    ) {
        let it = &mut self.subscriptions[s];
        it.effects += 1;
        self.coming.charge += charge;
        self.coming.credit += credit;
        self.bills.push(proto::Bill {
            subscription_id: it.id.clone(),
            number: it.effects,
            kind: kind as i32,
            cycle,
            charge: show_money(charge),
            credit: show_money(credit),
            period_from: period.map(|period| timestamp(period.0)),
            period_until: period.map(|period| timestamp(period.1)),
            occurred_at: Some(timestamp(self.now)),
        });
    }

    /// The plan's limits hold from now.
    fn plan_holds(&mut self, s: usize) {
        let it = &mut self.subscriptions[s];
        it.effects += 1;
        self.overdraft_limit = it.agreed.plan.overdraft_limit;
        self.credit_limit = it.agreed.plan.credit_limit;
    }

    /// The credits of the current cycle, or trial, end before their time; nothing of them rolls.
    fn end_credits(&mut self, s: usize, standing: Standing) {
        if self.subscriptions[s].is_over() {
            return;
        }
        let cycle = self.subscriptions[s].cycle;
        let mut any = false;
        let pinned: Vec<Credits> = (0..self.grants.len()).map(|g| self.pinned(g)).collect();
        for (grant, pinned) in self.grants.iter_mut().zip(pinned) {
            if grant.of_cycle == Some((s, cycle)) {
                any = true;
                if grant.standing == Standing::Started {
                    let free = std::mem::take(&mut grant.free);
                    match standing {
                        // A revoke, so that a caller's own is the second one.
                        Standing::Revoked => {
                            self.issued -= free;
                            grant.revoke = Some((free, pinned));
                        }
                        _ => self.breakage += free,
                    }
                    (grant.standing, grant.rollover) = (standing, None);
                }
            }
        }
        self.subscriptions[s].effects += u32::from(any);
    }

    fn end(&mut self, s: usize, why: Why) {
        let (now, it) = (self.now, &mut self.subscriptions[s]);
        if it.waits() {
            it.unpaid.push(it.period());
        }
        if let (Phase::Running { .. }, (_, Some(until)), 0) =
            (it.phase, it.bounds(), it.agreed.price)
        {
            self.free_until = Some(until).filter(|until| *until > now).or(self.free_until);
        }
        it.next = None;
        it.phase = Phase::Over { at: now, why };
        it.effects += 1;
        self.overdraft_limit = self.catalog.overdraft_limit;
        self.credit_limit = self.catalog.credit_limit;
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The moves of credits.

impl Account {
    fn open_holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds
            .iter()
            .filter(|hold| hold.state == HoldState::Open)
    }

    pub fn free(&self) -> Credits {
        self.grants.iter().map(|grant| grant.free).sum()
    }

    pub fn held(&self) -> Credits {
        self.open_holds().map(Hold::held).sum()
    }

    fn promised(&self) -> Credits {
        self.open_holds().map(|hold| hold.promise).sum()
    }

    pub fn available(&self) -> Credits {
        if self.debt > self.credit_limit {
            return 0;
        }
        self.free() + (self.credit_limit - self.debt - self.promised()).max(0)
    }

    fn pinned(&self, g: usize) -> Credits {
        self.open_holds().map(|hold| hold.pin_of(g)).sum()
    }

    pub fn has_refunded_now(&self) -> bool {
        let mut grants = self.grants.iter();
        grants.any(|it| it.kind == GrantKind::Refund && it.starts_at == self.now)
    }

    pub fn is_spent(&self, g: usize) -> bool {
        self.grants[g].free == 0 && self.pinned(g) == 0
    }

    /// Priority, then soonest expiry, then earliest start, then id by bytes.
    fn burn_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.grants.len()).collect();
        order.sort_by_key(|g| {
            let grant = &self.grants[*g];
            let until = grant.expires_at.unwrap_or(Micros::MAX);
            (grant.priority, until, grant.starts_at, grant.id.as_bytes())
        });
        order
    }

    fn push_grant(
        &mut self,
        id: &str,
        kind: GrantKind,
        amount: Credits,
        starts_at: Micros,
        expires_at: Option<Micros>,
    ) -> usize {
        self.grants.push(Grant {
            id: id.into(),
            kind,
            standing: Standing::Started,
            amount,
            free: amount,
            priority: match kind {
                GrantKind::Promo => 5,
                GrantKind::Rollover => 9,
                GrantKind::Allowance => 10,
                _ => 100,
            },
            starts_at,
            expires_at,
            rollover: None,
            room: None,
            of_cycle: None,
            revoke: None,
        });
        self.grants.len() - 1
    }

    fn add_grant(
        &mut self,
        id: &str,
        kind: GrantKind,
        amount: Credits,
        expires_at: Option<Micros>,
    ) -> Credits {
        self.push_grant(id, kind, amount, self.now, expires_at);
        self.issued += amount;
        self.settle()
    }

    /// Credits that become free while there is debt settle it at once.
    fn settle(&mut self) -> Credits {
        let before = self.debt;
        for g in self.burn_order() {
            let part = self.grants[g].free.min(self.debt);
            self.grants[g].free -= part;
            self.debt -= part;
        }
        before - self.debt
    }

    /// The unpinned rest becomes a rollover, up to its cap, and breakage.
    fn expire_grant(&mut self, g: usize) {
        let used_up = self.is_spent(g);
        let ended = &mut self.grants[g];
        ended.standing = Standing::Expired;
        let free = std::mem::take(&mut ended.free);
        let (id, at) = (ended.id.clone(), self.now);
        let Some((lasts, cap)) = ended.rollover.filter(|_| !used_up) else {
            self.breakage += free;
            return;
        };
        let rolled = cap.unwrap_or(free).min(free);
        self.occurs(if rolled < free {
            "a rollover is cut"
        } else {
            "a rollover"
        });
        self.breakage += free - rolled;
        let id = format!("~rollover:{id}");
        let until = Some(lasts.after(at));
        let roll = self.push_grant(&id, GrantKind::Rollover, rolled, at, until);
        self.grants[roll].room = cap.map(|cap| cap - rolled);
    }

    /// A pin that comes back after its grant's end joins the rollover while that lives, else it is breakage.
    fn return_pin(&mut self, h: usize, g: usize, amount: Credits) {
        self.holds[h].unpin(g, amount);
        match self.grants[g].standing {
            Standing::Started => self.grants[g].free += amount,
            Standing::Revoked => self.issued -= amount,
            Standing::Closed => self.breakage += amount,
            Standing::Expired => {
                let id = format!("~rollover:{}", self.grants[g].id);
                let mut alive = self.grants.iter_mut();
                let into = alive.find(|it| it.id == id && it.standing == Standing::Started);
                let joins = into.map_or(0, |into| {
                    let joins = into.room.unwrap_or(amount).min(amount);
                    into.free += joins;
                    into.room = into.room.map(|room| room - joins);
                    joins
                });
                self.breakage += amount - joins;
                self.occurs(match joins {
                    0 => "a pin of an ended grant is breakage",
                    _ => "a pin joins a rollover",
                });
            }
        }
    }

    /// Ends an open hold; answers what came back.
    fn end_hold(&mut self, h: usize, state: HoldState) -> Credits {
        let mut released = 0;
        for g in self.burn_order() {
            let amount = self.holds[h].pin_of(g);
            if amount > 0 {
                released += amount;
                self.return_pin(h, g, amount);
            }
        }
        let hold = &mut self.holds[h];
        (hold.promise, hold.state, hold.ended_at) = (0, state, Some(self.now));
        self.settle();
        released
    }

    /// In burn order over free credits and the hold's own pins together, pins of ended grants first.
    fn burn(&mut self, h: usize, amount: Credits) -> Vec<(usize, Credits)> {
        let order = self.burn_order().into_iter();
        let ended = |g: &usize| self.grants[*g].standing != Standing::Started;
        let (mut first, rest): (Vec<usize>, Vec<usize>) = order.partition(ended);
        first.extend(rest);
        let (mut rest, mut burned) = (amount, Vec::new());
        for g in first {
            let from_pin = self.holds[h].pin_of(g).min(rest);
            self.holds[h].unpin(g, from_pin);
            let from_free = self.grants[g].free.min(rest - from_pin);
            self.grants[g].free -= from_free;
            rest -= from_pin + from_free;
            if from_pin + from_free > 0 {
                burned.push((g, from_pin + from_free));
            }
        }
        self.holds[h].burns = burned.clone();
        burned
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is shown.

impl Account {
    fn amounts(&self, parts: &[(usize, Credits)]) -> Vec<GrantAmount> {
        let shown = |(g, amount): &(usize, Credits)| GrantAmount {
            grant_id: self.grants[*g].id.clone(),
            kind: self.grants[*g].kind as i32,
            amount: show(*amount),
        };
        parts.iter().map(shown).collect()
    }

    /// The number of events is not compared.
    pub fn balance(&self) -> proto::Balance {
        proto::Balance {
            balance: show(self.free() - self.debt),
            available: show(self.available()),
            free: show(self.free()),
            held: show(self.held()),
            debt: show(self.debt),
            pending: show(0),
            promised: show(self.promised()),
            as_of: Some(timestamp(self.now)),
            sequence: 0,
        }
    }

    fn shown_subscription(&self, s: usize) -> proto::Subscription {
        let it = &self.subscriptions[s];
        let state = match it.phase {
            Phase::Over { .. } => SubscriptionState::Ended,
            _ if it.cancelled => SubscriptionState::Cancelled,
            Phase::Trial { .. } => SubscriptionState::Trial,
            Phase::Running { .. } => SubscriptionState::Active,
        };
        let (since, until) = it.bounds();
        let short = proto::Subscription {
            account_id: self.id.clone(),
            subscription_id: it.id.clone(),
            plan: it.agreed.plan.name.into(),
            catalog_version: 1,
            state: state as i32,
            since: Some(timestamp(since)),
            ..Default::default()
        };
        if s + 1 < self.subscriptions.len() {
            return short; // of one before the latest only its plan, version, state and end
        }
        let kept = it.agreed.plan.retention.filter(|_| it.is_over());
        let paid_by = match it.agreed.yearly {
            true => proto::PaidBy::Year,
            false => proto::PaidBy::Cycle,
        };
        let next = it.next.as_ref();
        proto::Subscription {
            paid_by: paid_by as i32,
            cycle: it.cycle,
            until: until.map(timestamp),
            paid_until: it.paid_until().map(timestamp),
            next_plan: next.map_or(String::new(), |next| next.plan.name.into()),
            awaiting_payment: it.waits(),
            allowance: show(it.agreed.allowance),
            price: show_money(it.agreed.price),
            keep_data_until: kept.map(|term| timestamp(term.after(since))),
            ..short
        }
    }
}

fn show_change(change: &Change) -> proto::SubscriptionChange {
    proto::SubscriptionChange {
        changed: change.changed,
        holds_from: change.holds_from.map(timestamp),
        granted: show(change.granted),
        charge: show_money(change.charge),
        credit: show_money(change.credit),
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is sent; the calendar and the numbers.

type Own = (Option<Credits>, Option<Cents>);

/// What is agreed with the account itself: money has at most two decimal places.
fn own(allowance: &Option<String>, price: &Option<String>) -> Answer<Own> {
    let invalid = || refuse(ErrorReason::Invalid);
    let read = |text: &String| parse(text).ok_or_else(invalid);
    let allowance = allowance.as_ref().map(read).transpose()?;
    let price = price.as_ref().map(read).transpose()?;
    match price {
        Some(price) if price % 10_000 != 0 => Err(invalid()),
        price => Ok((allowance, price.map(|price| price / 10_000))),
    }
}

fn sent_plan(plan: &str, paid_by: i32, (allowance, price): Own) -> Sent {
    let yearly = paid_by == proto::PaidBy::Year as i32;
    Sent::from([
        ("method", "subscribe".into()),
        ("plan", plan.into()),
        ("paid_by", yearly.to_string()),
        ("allowance", allowance.map(show).unwrap_or_default()),
        ("price", price.map(show_money).unwrap_or_default()),
    ])
}

/// The same id with other content names the fields that differ, `method` where another verb used it.
fn same_content(first: &Sent, sent: &Sent) -> Answer<()> {
    if first == sent {
        return Ok(());
    }
    let names: BTreeSet<&&str> = first.keys().chain(sent.keys()).collect();
    let differs = |name: &&&str| first.get(**name) != sent.get(**name);
    let fields = match first["method"] == sent["method"] {
        true => names.into_iter().filter(differs).copied().collect(),
        false => vec!["method"],
    };
    Err(because(ErrorReason::IdReused, "fields", fields.join(",")))
}

impl Term {
    pub fn after(self, from: Micros) -> Micros {
        match self {
            Self::Days(days) => from + days * DAY,
            Self::Years(years) => months_after(from, 12 * years),
        }
    }
}

/// The same day and time of day so many months later, or the last day of a month that is too short.
pub fn months_after(from: Micros, months: i64) -> Micros {
    let (days, time) = (from.div_euclid(DAY), from.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let number = year * 12 + month - 1 + months;
    let (year, month) = (number.div_euclid(12), number.rem_euclid(12) + 1);
    (days_since_1970(year, month) + day.min(length_of(year, month)) - 1) * DAY + time
}

fn length_of(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// To the first of a month.
fn days_since_1970(year: i64, month: i64) -> i64 {
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    years + (1..month).map(|month| length_of(year, month)).sum::<i64>()
}

fn date(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days / 366;
    while days_since_1970(year + 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_since_1970(year, month + 1) <= days {
        month += 1;
    }
    (year, month, days - days_since_1970(year, month) + 1)
}

/// Money for what is left of a period, half a cent up.
fn money_left(price: Cents, from: Micros, until: Micros, at: Micros) -> Cents {
    let (left, whole) = (i128::from(until - at), i128::from(until - from));
    let cents = (2 * i128::from(price) * left + whole) / (2 * whole);
    i64::try_from(cents).expect("at most the price")
}

/// A decimal number with at most six places.
pub fn parse(text: &str) -> Option<Credits> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let short = (1..=10).contains(&whole.len()) && decimals.len() <= 6;
    let right = short && digits(whole) && digits(decimals) && !text.ends_with('.');
    right.then(|| format!("{whole}{decimals:0<6}").parse().ok())?
}

/// No trailing zeros.
pub fn show(amount: Credits) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let (whole, rest) = (amount.abs() / 1_000_000, amount.abs() % 1_000_000);
    let decimals = format!(".{rest:06}");
    format!(
        "{sign}{whole}{}",
        decimals.trim_end_matches('0').trim_end_matches('.')
    )
}

fn show_money(cents: Cents) -> String {
    show(cents * 10_000)
}

pub fn timestamp(at: Micros) -> Timestamp {
    Timestamp {
        seconds: at.div_euclid(SECOND),
        nanos: (at.rem_euclid(SECOND) * 1000) as i32,
    }
}

pub fn micros(at: &Timestamp) -> Micros {
    at.seconds * SECOND + i64::from(at.nanos) / 1000
}

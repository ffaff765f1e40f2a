//! Events: facts that became true in Redis, one per successful transition, with the credits that each moved.

use super::{
    account::{AccountTerms, Micros},
    credits::Credits,
    grant::GrantTerms,
    hold::Hold,
    plan::Spending,
    subscription::SubscriptionStep,
};

/// Where an event stands in its partition's stream. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The partition's era; grows with every recovery.
    pub epoch: u64,
    /// The stream entry, dense from 1 within an epoch.
    pub n: u64,
    /// The event's place in its entry, from 0.
    pub index: u32,
}

/// One stream entry: the events of one batch, and the accounts as they stand after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The partition.
    pub partition: u32,
    /// The era.
    pub epoch: u64,
    /// Its number.
    pub n: u64,
    /// In order.
    pub events: Vec<Event>,
    /// Those that cannot be read.
    pub bad: Vec<BadEvent>,
    /// One for each account that the batch changed.
    pub images: Vec<AccountImage>,
    /// Accounts whose spent grants changed, and those in Redis' own packed form.
    pub spent: Vec<(String, Vec<u8>)>,
    /// Accounts whose subscription changed.
    pub plans: Vec<PlanImage>,
    /// What was spent under spend caps that changed, by account.
    pub spending: Vec<(String, Spending)>,
    /// Of entry 0, which begins an era and has no events: era and number of the entry that the era follows.
    pub follows: Option<(u64, u64)>,
}

/// An account as it stands after an event: what a lost account is loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountImage {
    /// The account.
    pub account: String,
    /// Its last event.
    pub sequence: u64,
    /// Redis' own packed form, kept as it is.
    pub packed: Vec<u8>,
}

/// An account's plan as it stands after an event, in Redis' own packed forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanImage {
    /// The account.
    pub account: String,
    /// What the program reads of it.
    pub plan: Vec<u8>,
    /// The record of its subscription.
    pub record: Vec<u8>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// Whose.
    pub account: String,
    /// Gapless per account, from 1 (O1).
    pub sequence: u64,
    /// When it became true (T2: of what time did, its own instant).
    pub occurred_at: Micros,
    /// Who asked; `clock` for what time did.
    pub actor: String,
    /// W3C `traceparent` of a sampled call; empty otherwise.
    pub traceparent: String,
    /// What happened.
    pub fact: Fact,
    /// The credits that moved, in order.
    pub moves: Vec<Move>,
    /// Redis' own packed form of all this.
    pub raw: Vec<u8>,
}

/// An event that cannot be read: it goes to quarantine with its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvent {
    /// Where it stands.
    pub position: Position,
    /// Whose; empty if not even that can be read.
    pub account: String,
    /// As it was found.
    pub raw: Vec<u8>,
    /// What is wrong with it.
    pub why: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A new account; `sent` are the creating call's fields in packed form.
    AccountCreated(AccountTerms),
    /// Limits or standing changed.
    AccountUpdated(AccountTerms),
    /// An event went to quarantine.
    AccountFrozen(AccountTerms),
    /// The quarantine is empty again.
    AccountUnfrozen(AccountTerms),
    /// Closed for ever: started grants ended with what was free in them, pending ones lapsed.
    AccountClosed(AccountTerms),
    /// Credits were given (posted now only if `started`).
    Grant(GrantTerms),
    /// A pending grant started.
    GrantStarted {
        /// Its number.
        no: u32,
        /// Its id.
        grant_id: String,
    },
    /// A grant's expiry passed; the rest rolled over, or not.
    GrantExpired {
        /// Its number.
        no: u32,
        /// Its id.
        grant_id: String,
        /// The grant that the rest became.
        rollover: Option<GrantTerms>,
    },
    /// A grant was taken back.
    Revoke {
        /// Its number.
        no: u32,
        /// Its id.
        grant_id: String,
    },
    /// One of the account's levels is another one.
    LevelChanged {
        /// The id of the change, as it is remembered.
        id: String,
        /// The level.
        capacity: String,
        /// Where it stands now, in millionths of its unit.
        level: i64,
    },
    /// The account's subscription began, changed or went on; its grants are events of their own.
    Subscription(Box<SubscriptionStep>),
    /// A hold was made.
    Reserve(HoldFact),
    /// A hold's expiry moved, or credits were added.
    Extend(HoldFact),
    /// A commit; `op_id` is empty for one that ended its hold or came late.
    Commit(HoldFact),
    /// A hold was released.
    Release(HoldFact),
    /// Time ended a hold.
    HoldExpired(HoldFact),
    /// Reserve and commit in one step.
    Charge(HoldFact),
    /// Credits were given back.
    Refund {
        /// The hold.
        hold: HoldFact,
        /// The grant that took what had no live source.
        grant: Option<GrantTerms>,
    },
}

/// The hold behind an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldFact {
    /// The caller's id.
    pub hold_id: String,
    /// The id of a partial commit, an extension or a refund; empty otherwise.
    pub op_id: String,
    /// The hold after the event.
    pub hold: Hold,
    /// The same in Redis' own packed form.
    pub packed: Vec<u8>,
}

impl Fact {
    /// The event's name, as in `Transfer.event` and the ledger.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AccountCreated(_) => "account_created",
            Self::AccountUpdated(_) => "account_updated",
            Self::AccountFrozen(_) => "account_frozen",
            Self::AccountUnfrozen(_) => "account_unfrozen",
            Self::AccountClosed(_) => "account_closed",
            Self::Grant(_) => "grant",
            Self::GrantStarted { .. } => "grant_started",
            Self::GrantExpired { .. } => "grant_expired",
            Self::Revoke { .. } => "revoke",
            Self::Subscription(_) => "subscription",
            Self::LevelChanged { .. } => "level_changed",
            Self::Reserve(_) => "reserve",
            Self::Extend(_) => "extend",
            Self::Commit(_) => "commit",
            Self::Release(_) => "release",
            Self::HoldExpired(_) => "hold_expired",
            Self::Charge(_) => "charge",
            Self::Refund { .. } => "refund",
        }
    }

    /// The hold behind it.
    #[must_use]
    pub const fn hold(&self) -> Option<&HoldFact> {
        match self {
            Self::Reserve(hold)
            | Self::Extend(hold)
            | Self::Commit(hold)
            | Self::Release(hold)
            | Self::HoldExpired(hold)
            | Self::Charge(hold)
            | Self::Refund { hold, .. } => Some(hold),
            _ => None,
        }
    }

    /// What was done, once and never again: the ledger's second unique key. `None` where a repeat makes no event, and for what makes
    /// a hold: the account's sequence, which is unique, is that hold's name.
    #[must_use]
    pub fn deed(&self) -> Option<String> {
        let of_hold =
            |hold: &HoldFact, verb: &str| format!("h{}/{verb}/{}", hold.hold.sequence, hold.op_id);
        match self {
            Self::AccountCreated(_) => Some("created".into()),
            Self::AccountClosed(_) => Some("closed".into()),
            Self::AccountUpdated(_)
            | Self::AccountFrozen(_)
            | Self::AccountUnfrozen(_)
            | Self::Reserve(_)
            | Self::Charge(_) => None,
            Self::Grant(terms) => Some(format!("g/{}", terms.grant_id)),
            Self::GrantStarted { grant_id, .. } => Some(format!("g/{grant_id}/started")),
            Self::GrantExpired { grant_id, .. } => Some(format!("g/{grant_id}/expired")),
            Self::Revoke { grant_id, .. } => Some(format!("g/{grant_id}/revoked")),
            Self::Subscription(step) => Some(step.deed()),
            Self::LevelChanged { id, .. } => Some(format!("l/{id}")),
            Self::Extend(hold) => Some(of_hold(hold, "extend")),
            Self::Commit(hold) => Some(of_hold(hold, "commit")),
            Self::Release(hold) | Self::HoldExpired(hold) => Some(of_hold(hold, "ended")),
            Self::Refund { hold, .. } => Some(of_hold(hold, "refund")),
        }
    }
}

/// A movement of credits. All changes of balances are moves; `posting` gives each its two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// What moved.
    pub kind: MoveKind,
    /// Whose credits; 0 where no grant is behind them.
    pub grant_no: u32,
    /// The grant that they pass into; 0 where none is.
    pub to_grant_no: u32,
    /// More than 0.
    pub amount: Credits,
}

/// What a move does. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MoveKind {
    /// A grant starts.
    Issue = 1,
    /// Free credits are set aside.
    Pin = 2,
    /// A commit takes a pin.
    BurnPin = 3,
    /// A commit or charge takes free credits.
    BurnFree = 4,
    /// A commit or charge becomes debt.
    Overdraw = 5,
    /// A commit is paid by the platform.
    Absorb = 6,
    /// A pin comes back to its grant.
    Return = 7,
    /// A pin comes back to the rollover of its ended grant.
    ReturnJoin = 8,
    /// A pin of an ended grant comes back to nobody.
    ReturnBreak = 9,
    /// A pin of a revoked grant comes back.
    ReturnIssued = 10,
    /// Free credits end unused.
    Lapse = 11,
    /// Free credits pass into a rollover grant.
    Roll = 12,
    /// Free credits are taken back.
    Revoke = 13,
    /// Spent credits come back.
    Refund = 14,
    /// Free credits pay debt.
    Settle = 15,
}

impl MoveKind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Issue,
        Self::Pin,
        Self::BurnPin,
        Self::BurnFree,
        Self::Overdraw,
        Self::Absorb,
        Self::Return,
        Self::ReturnJoin,
        Self::ReturnBreak,
        Self::ReturnIssued,
        Self::Lapse,
        Self::Roll,
        Self::Revoke,
        Self::Refund,
        Self::Settle,
    ];

    /// By its number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

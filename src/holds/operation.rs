//! Operations: what the script is asked to do, packed as `lua/*.lua` reads them.

mod pack;

pub use self::pack::level;

use super::keys::Keys;
use crate::domain::{
    account::Micros,
    credits::Credits,
    grant::{GrantKind, Rollover},
    hold::{HoldRequest, Usage},
};

/// Who asks, and under which trace.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Recorded with the event.
    pub actor: String,
    /// W3C `traceparent` of a sampled call; empty otherwise.
    pub traceparent: String,
}

/// What the ledger knows of an id that Redis does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The epoch of the answer that asked. In a later one the ledger may know more: what was read before does not count.
    pub epoch: u64,
    /// The hold, packed; empty if the ledger does not know it.
    pub hold: Vec<u8>,
    /// The outcome recorded under the operation's own id, or of the grant, packed; empty if there is none.
    pub outcome: Vec<u8>,
    /// The grant's number (0: unknown) and whether it is non-refundable.
    pub grant: (u32, bool),
    /// The outcome of the grant's revocation, packed; empty if there was none.
    pub revoked: Vec<u8>,
}

/// A grant as sent.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Promo, allowance or top-up.
    pub kind: GrantKind,
    /// Resolved.
    pub priority: u16,
    /// May not be revoked.
    pub non_refundable: bool,
    /// More than 0.
    pub amount: Credits,
    /// Absent or past: now.
    pub starts_at: Option<Micros>,
    /// At most one of this and the next.
    pub expires_at: Option<Micros>,
    /// From now.
    pub expires_in: Option<Micros>,
    /// What becomes of the rest.
    pub rollover: Option<Rollover>,
    /// Who took the payment.
    pub provider: String,
    /// The provider's reference.
    pub external_reference: String,
    /// The whole call as sent, for comparison.
    pub sent: Vec<u8>,
    /// It is a purchase: what it came to stands behind what was sent, in `BOUGHT_BYTES`.
    pub bought: bool,
}

/// How much a purchase has behind what was sent: price, credits, and whether they may be revoked.
pub const BOUGHT_BYTES: usize = 15;

/// What a version of the catalog says of a call.
#[derive(Clone, Debug)]
pub struct InForce {
    /// From when the version is in force: a usage counts as priced by it from here.
    pub from: Micros,
    /// Until when.
    pub until: Micros,
    /// What the call needs of a plan, packed as `lua/plan.lua` reads it; empty: nothing.
    pub need: Vec<u8>,
}

/// Of a usage that is not priced, or by a version for its own sake; needs nothing.
pub const NEVER_IN_FORCE: InForce = InForce {
    from: 0,
    until: 0,
    need: Vec::new(),
};

/// How the changes of levels are called: no caller's id of a grant begins so.
pub const LEVEL: &str = "~level:";

/// What becomes of a level, in millionths of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelChange {
    /// It is so much, whatever the plan allows.
    To(i64),
    /// It is so much more, or less.
    By(i64),
}

/// What a new account has that was not sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewAccount {
    /// The most debt that a commit may make.
    pub overdraft_limit: Credits,
    /// How far a reserve may go beyond the credits; not further than the overdraft limit.
    pub credit_limit: Credits,
    /// Credits, and until when.
    pub welcome: Option<(Credits, Option<Micros>)>,
}

/// What to do.
#[expect(
    missing_docs,
    reason = "the fields are those of the requests in proto/, checked and resolved"
)]
#[derive(Clone, Debug)]
pub enum Verb {
    /// Create the account; absent limits as `None`.
    CreateAccount {
        overdraft_limit: Option<Credits>,
        credit_limit: Option<Credits>,
        max_open_holds: u32,
        given: NewAccount,
    },
    /// Change what is `Some`.
    UpdateAccount {
        overdraft_limit: Option<Credits>,
        credit_limit: Option<Credits>,
        max_open_holds: Option<u32>,
        suspend: Option<bool>,
        etag: String,
    },
    /// Close the account.
    CloseAccount,
    /// Quarantine has an event of it.
    Freeze,
    /// Quarantine has none any more.
    Unfreeze,
    /// Apply what is due and answer.
    Read,
    /// Apply what is due and answer, with what is left of each kind of grant.
    Balance,
    /// Change the subscription, as its order says: what that comes to is worked out from its record, and comes as a step.
    Subscription { order: String },
    /// Give credits.
    Grant {
        grant_id: String,
        request: Box<GrantRequest>,
    },
    /// Take a grant back.
    Revoke { grant_id: String },
    /// Report a level, or change it by something. `most` of an account without a subscription; one that is unknown is only repeated.
    Level {
        level_id: String,
        capacity: String,
        change: LevelChange,
        most: Option<i64>,
        unknown: bool,
    },
    /// Set credits aside.
    Reserve {
        hold_id: String,
        request: HoldRequest,
        ttl: Micros,
        validate_only: bool,
        in_force: InForce,
    },
    /// Move the expiry, add credits.
    Extend {
        hold_id: String,
        extend_id: String,
        ttl: Micros,
        amount: Option<Credits>,
        in_force: InForce,
    },
    /// Charge; `amount` absent is all held.
    Commit {
        hold_id: String,
        amount: Option<Credits>,
        usage: Option<Usage>,
        last: bool,
        commit_id: String,
        in_force: InForce,
    },
    /// Let go.
    Release { hold_id: String },
    /// Reserve and commit.
    Charge {
        hold_id: String,
        request: HoldRequest,
        in_force: InForce,
    },
    /// Give back.
    Refund {
        hold_id: String,
        refund_id: String,
        amount: Credits,
    },
    /// Read a hold.
    GetHold { hold_id: String },
}

/// An operation on an account.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose.
    pub account: String,
    /// What.
    pub verb: Verb,
    /// By whom.
    pub caller: Caller,
    /// What the ledger said, once it was asked.
    pub remembered: Option<Remembered>,
    /// The account as the ledger has it, once it was read: packed by `load::pack`; empty before.
    pub loaded: Vec<u8>,
    /// A step of its subscription, once it was worked out: packed by `step::pack`; empty before.
    pub step: Vec<u8>,
    /// Done again after a recovery, as it was acknowledged before.
    pub replay: Option<Box<Replay>>,
}

/// What a replay needs to know of the acknowledgement, beside the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// What was charged, or added.
    pub amount: Credits,
    /// When the hold was to expire; of an update, the etag that it led to.
    pub instant: Micros,
    /// When the hold was made: one of the same id that is as young is that hold, or a later one.
    pub created: Micros,
    /// What the hold had set aside before.
    pub before: Credits,
    /// The hold rejects overage, because it was asked for or by the plan of then.
    pub rejects_overage: bool,
    /// The call that made the hold, packed.
    pub made: Vec<u8>,
}

impl Verb {
    const fn number(&self) -> u8 {
        match self {
            Self::CreateAccount { .. } => 1,
            Self::UpdateAccount { .. } => 2,
            Self::CloseAccount => 3,
            Self::Freeze => 4,
            Self::Unfreeze => 5,
            Self::Read => 17,
            Self::Subscription { .. } => 19,
            Self::Balance => 20,
            Self::Level { .. } => 21,
            Self::Grant { .. } => 6,
            Self::Revoke { .. } => 9,
            Self::Reserve { .. } => 10,
            Self::Extend { .. } => 11,
            Self::Commit { .. } => 12,
            Self::Release { .. } => 13,
            Self::Charge { .. } => 15,
            Self::Refund { .. } => 16,
            Self::GetHold { .. } => 18,
        }
    }

    /// The hold that it is about.
    #[must_use]
    pub fn hold_id(&self) -> Option<&str> {
        match self {
            Self::Reserve { hold_id, .. }
            | Self::Extend { hold_id, .. }
            | Self::Commit { hold_id, .. }
            | Self::Release { hold_id }
            | Self::Charge { hold_id, .. }
            | Self::Refund { hold_id, .. }
            | Self::GetHold { hold_id } => Some(hold_id),
            _ => None,
        }
    }

    /// It is about a hold that is there already.
    #[must_use]
    pub const fn needs_hold(&self) -> bool {
        matches!(
            self,
            Self::Extend { .. }
                | Self::Commit { .. }
                | Self::Release { .. }
                | Self::Refund { .. }
                | Self::GetHold { .. }
        )
    }

    /// The grant that it is about; a change of a level is remembered as one.
    #[must_use]
    pub fn grant_id(&self) -> Option<&str> {
        match self {
            Self::Grant { grant_id, .. } | Self::Revoke { grant_id } => Some(grant_id),
            Self::Level { level_id, .. } => Some(level_id),
            _ => None,
        }
    }

    /// How the ledger names what an operation with an id of its own did to its hold: verb and id.
    #[must_use]
    pub fn own_id(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Extend { extend_id, .. } => Some(("extend", extend_id)),
            Self::Commit {
                last: false,
                commit_id,
                ..
            } => Some(("commit", commit_id)),
            Self::Refund { refund_id, .. } => Some(("refund", refund_id)),
            _ => None,
        }
    }
}

impl Operation {
    /// The keys that the script may touch for it.
    #[must_use]
    pub fn keys(&self, keys: &Keys, era: &str) -> Vec<String> {
        let mut list = vec![keys.account(&self.account)];
        if let Some(hold_id) = self.verb.hold_id() {
            list.push(keys.ended_hold(era, &self.account, hold_id));
            list.push(keys.hold_operations(era, &self.account, hold_id));
        } else if let Some(grant_id) = self.verb.grant_id() {
            list.push(keys.grant(era, &self.account, grant_id));
        }
        list
    }
}

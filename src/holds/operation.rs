//! Operations: what the script is asked to do, packed as `lua/*.lua` reads them.

use super::{keys::Keys, packed, wire::Writer};
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
}

/// The time in which a version of the catalog is in force: from, until. A usage counts as priced by it within.
pub type InForce = (Micros, Micros);
/// Of a usage that is not priced, or by a version for its own sake.
pub const NEVER_IN_FORCE: InForce = (0, 0);

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
    /// Give credits.
    Grant {
        grant_id: String,
        request: Box<GrantRequest>,
    },
    /// Take a grant back.
    Revoke { grant_id: String },
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

    /// The grant that it is about.
    #[must_use]
    pub fn grant_id(&self) -> Option<&str> {
        match self {
            Self::Grant { grant_id, .. } | Self::Revoke { grant_id } => Some(grant_id),
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

    /// As the script reads it in this epoch.
    #[must_use]
    pub fn pack(&self, epoch: u64) -> Vec<u8> {
        let mut w = Writer(Vec::with_capacity(160));
        w.byte(self.verb.number())
            .text(&self.caller.actor)
            .text(&self.caller.traceparent);
        w.long_blob(&self.loaded);
        if let Some(replay) = &self.replay {
            w.int(7, replay.amount.micro())
                .int(7, replay.instant)
                .int(7, replay.created)
                .int(7, replay.before.micro())
                .blob(&replay.made);
        }
        let remembered = self.remembered.as_ref().filter(|r| r.epoch == epoch);
        let asked = u8::from(remembered.is_some());
        if let Some(hold_id) = self.verb.hold_id() {
            let (hold, outcome) = remembered.map_or((&[][..], &[][..]), |r| (&r.hold, &r.outcome));
            w.text(hold_id).byte(asked).blob(hold).blob(outcome);
        } else if let Some(grant_id) = self.verb.grant_id() {
            let (outcome, revoked) =
                remembered.map_or((&[][..], &[][..]), |r| (&r.outcome, &r.revoked));
            w.text(grant_id).byte(asked).blob(outcome).blob(revoked);
        }
        self.pack_body(&mut w, remembered);
        w.0
    }

    fn pack_body(&self, w: &mut Writer, remembered: Option<&Remembered>) {
        let or_absent = |amount: Option<Credits>| amount.map_or(-1, Credits::micro);
        match &self.verb {
            Verb::CreateAccount {
                overdraft_limit,
                credit_limit,
                max_open_holds,
            } => {
                w.int(7, or_absent(*overdraft_limit))
                    .int(7, or_absent(*credit_limit))
                    .int(4, i64::from(*max_open_holds));
            }
            Verb::UpdateAccount {
                overdraft_limit,
                credit_limit,
                max_open_holds,
                suspend,
                etag,
            } => {
                w.int(7, or_absent(*overdraft_limit))
                    .int(7, or_absent(*credit_limit));
                w.int(7, max_open_holds.map_or(-1, i64::from))
                    .byte(suspend.map_or(0, |suspend| 1 + u8::from(suspend)))
                    .text(etag);
            }
            Verb::CloseAccount
            | Verb::Freeze
            | Verb::Unfreeze
            | Verb::Read
            | Verb::Release { .. }
            | Verb::GetHold { .. } => {}
            Verb::Grant { request, .. } => pack_grant(w, request),
            Verb::Revoke { .. } => {
                let (no, non_refundable) = remembered.map_or((0, false), |r| r.grant);
                w.int(4, i64::from(no)).byte(u8::from(non_refundable));
            }
            Verb::Reserve {
                request,
                ttl,
                validate_only,
                in_force,
                ..
            } => {
                w.int(7, *ttl)
                    .byte(u8::from(*validate_only))
                    .blob(&packed::pack_hold_request(request));
                pack_in_force(w, request.usage, *in_force);
            }
            Verb::Extend {
                extend_id,
                ttl,
                amount,
                ..
            } => {
                w.text(extend_id)
                    .blob(&Writer::default().int(7, *ttl).int(7, or_absent(*amount)).0);
            }
            Verb::Commit {
                amount,
                usage,
                last,
                commit_id,
                in_force,
                ..
            } => {
                w.blob(&packed::pack_commit(*amount, *usage, *last, commit_id));
                pack_in_force(w, *usage, *in_force);
            }
            Verb::Charge { request, .. } => {
                w.blob(&packed::pack_hold_request(request));
            }
            Verb::Refund {
                refund_id, amount, ..
            } => {
                w.text(refund_id)
                    .blob(&Writer::default().int(7, amount.micro()).0);
            }
        }
    }
}

fn pack_in_force(w: &mut Writer, usage: Option<Usage>, (from, until): InForce) {
    if usage.is_some() {
        w.int(7, from).int(7, until);
    }
}

fn pack_grant(w: &mut Writer, request: &GrantRequest) {
    w.byte(request.kind as u8)
        .int(2, i64::from(request.priority))
        .byte(u8::from(request.non_refundable));
    w.int(7, request.amount.micro())
        .int(7, request.starts_at.unwrap_or(0));
    w.int(7, request.expires_at.unwrap_or(0))
        .int(7, request.expires_in.unwrap_or(0));
    w.int(7, request.rollover.map_or(0, |r| r.duration));
    w.int(
        7,
        request
            .rollover
            .and_then(|r| r.cap)
            .map_or(-1, Credits::micro),
    );
    w.text(&request.provider)
        .text(&request.external_reference)
        .blob(&request.sent);
}

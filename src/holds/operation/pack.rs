//! An operation as the script reads it (`lua/*.lua`).

use super::{GrantRequest, InForce, LevelChange, Operation, Remembered, Verb};
use crate::{
    domain::{credits::Credits, hold::Usage},
    holds::{
        packed,
        wire::{Malformed, Reader, Writer},
    },
};

impl Operation {
    /// As the script reads it in this epoch.
    #[must_use]
    pub fn pack(&self, epoch: u64) -> Vec<u8> {
        let mut w = Writer(Vec::with_capacity(160));
        w.byte(self.verb.number())
            .text(&self.caller.actor)
            .text(&self.caller.traceparent);
        w.long_blob(&self.loaded).long_blob(&self.step);
        if let Some(replay) = &self.replay {
            w.int(7, replay.amount.micro())
                .int(7, replay.instant)
                .int(7, replay.created)
                .int(7, replay.before.micro())
                .byte(u8::from(replay.rejects_overage))
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
                given,
            } => {
                let mut sent = Writer::default();
                sent.int(7, or_absent(*overdraft_limit))
                    .int(7, or_absent(*credit_limit))
                    .int(4, i64::from(*max_open_holds));
                let (gift, expires) = given.welcome.unwrap_or_default();
                w.blob(&sent.0)
                    .int(7, given.overdraft_limit.micro())
                    .int(7, given.credit_limit.micro())
                    .int(7, gift.micro())
                    .int(7, expires.unwrap_or(packed::NEVER));
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
            | Verb::Balance
            | Verb::Subscription { .. }
            | Verb::Release { .. }
            | Verb::GetHold { .. } => {}
            Verb::Grant { request, .. } => pack_grant(w, request),
            Verb::Revoke { .. } => {
                let (no, non_refundable) = remembered.map_or((0, false), |r| r.grant);
                w.int(4, i64::from(no)).byte(u8::from(non_refundable));
            }
            Verb::Level {
                level_id: _,
                capacity,
                change,
                most,
                unknown,
            } => {
                let (absolute, x) = match change {
                    LevelChange::To(x) => (1, *x),
                    LevelChange::By(x) => (0, *x),
                };
                let sent = pack_level(capacity, *change);
                w.text(capacity).byte(absolute).int(7, x);
                let most = if *unknown { -2 } else { most.unwrap_or(-1) };
                w.int(7, most).blob(&sent);
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
                pack_in_force(w, request.usage, in_force);
                w.blob(&in_force.need);
            }
            Verb::Extend {
                extend_id,
                ttl,
                amount,
                in_force,
                ..
            } => {
                w.text(extend_id)
                    .blob(&Writer::default().int(7, *ttl).int(7, or_absent(*amount)).0)
                    .blob(&in_force.need);
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
                pack_in_force(w, *usage, in_force);
            }
            Verb::Charge {
                request, in_force, ..
            } => {
                w.blob(&packed::pack_hold_request(request))
                    .blob(&in_force.need);
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

fn pack_in_force(w: &mut Writer, usage: Option<Usage>, in_force: &InForce) {
    if usage.is_some() {
        w.int(7, in_force.from).int(7, in_force.until);
    }
}

fn pack_grant(w: &mut Writer, request: &GrantRequest) {
    w.byte(request.kind as u8)
        .int(2, i64::from(request.priority))
        .byte(u8::from(request.non_refundable) + 2 * u8::from(request.bought));
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

/// A change of a level as it is compared with what was sent before.
pub(in crate::holds) fn pack_level(capacity: &str, change: LevelChange) -> Vec<u8> {
    let mut w = Writer::default();
    match change {
        LevelChange::To(x) => w.byte(1).int(7, x),
        LevelChange::By(x) => w.byte(0).int(7, x),
    };
    w.text(capacity);
    w.0
}

/// Reads it.
///
/// # Errors
/// It cannot be read.
pub fn level(sent: &[u8]) -> Result<(String, LevelChange), Malformed> {
    let mut r = Reader(sent);
    let (absolute, x) = (r.byte()? == 1, r.int(7)?);
    let change = match absolute {
        true => LevelChange::To(x),
        false => LevelChange::By(x),
    };
    Ok((r.text()?, change))
}

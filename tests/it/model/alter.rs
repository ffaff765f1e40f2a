//! Sends an earlier call again with one field changed: a repeat with other content, or a new call.

use std::collections::HashMap;

use holdbook::proto::commit_request::What;
use holdbook::proto::{self, GrantKind, Overage};

use super::SECOND;
use super::dice::Dice;
use super::operation::Operation;
use super::requests::{duration, usage};

/// The same call with one field changed.
pub fn altered(dice: &mut Dice, mut operation: Operation) -> Operation {
    let other = dice.pick(&["1", "3", "0.5"]).to_string();
    let throw = dice.below(7);
    match &mut operation {
        Operation::Reserve(r) if throw == 0 => {
            let (account_id, hold_id, amount) =
                (r.account_id.clone(), r.hold_id.clone(), r.amount.clone());
            let labels = r.labels.clone();
            return Operation::Charge(proto::ChargeRequest {
                account_id,
                hold_id,
                amount,
                labels,
                durability: 0,
            });
        }
        Operation::Charge(r) if throw < 2 => {
            let (account_id, hold_id, amount) =
                (r.account_id.clone(), r.hold_id.clone(), r.amount.clone());
            return Operation::Reserve(proto::ReserveRequest {
                account_id,
                hold_id,
                amount,
                ..Default::default()
            });
        }
        Operation::Reserve(r) => match throw {
            1 if r.usage.is_some() => r.usage = Some(usage(dice)),
            1 | 2 => (r.amount, r.usage) = (other, None),
            3 => {
                r.ttl = if r.ttl.is_some() {
                    None
                } else {
                    Some(duration(60 * SECOND))
                }
            }
            4 => {
                r.overage = if r.overage == 0 {
                    dice.pick(&[Overage::Reject, Overage::Allow])
                } else {
                    Overage::Unspecified
                } as i32
            }
            5 => {
                r.max_commit = if r.max_commit.is_some() {
                    None
                } else {
                    Some(other)
                }
            }
            _ => r.labels = HashMap::from([("user".into(), "u1".into())]),
        },
        Operation::Charge(r) if throw < 5 => r.amount = other,
        Operation::Charge(r) => r.labels = HashMap::from([("user".into(), "u1".into())]),
        Operation::Commit(r) => match throw {
            0 => r.what = Some(What::Amount(other)),
            1 => r.what = Some(What::Usage(usage(dice))),
            2 => r.what = Some(What::AllHeld(true)),
            3 | 4 if r.r#final == Some(false) => r.r#final = None,
            3 | 4 => (r.r#final, r.commit_id) = (Some(false), format!("c{}", dice.below(8))),
            _ => r.commit_id = format!("c{}", dice.below(8)),
        },
        Operation::Extend(r) => match throw {
            0..3 => r.amount = Some(other),
            3 => r.amount = None,
            _ => r.ttl = Some(duration(61 * SECOND)),
        },
        Operation::Refund(r) => r.amount = other,
        Operation::GrantCredits(r) => match throw {
            0 => r.amount = other,
            1 => r.kind = GrantKind::Promo as i32,
            2 => {
                r.priority = if r.priority.is_some() {
                    None
                } else {
                    Some(100)
                }
            }
            3 => (r.expiry, r.rollover) = (None, None),
            4 => r.non_refundable = !r.non_refundable,
            5 => r.provider = "other".into(),
            _ => r.external_reference = "other".into(),
        },
        Operation::CreateAccount(r) => match throw {
            0..3 => r.max_open_holds += 1,
            _ => r.overdraft_limit = Some("9000000000".into()),
        },
        _ => {}
    }
    operation
}

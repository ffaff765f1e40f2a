//! Builds one random request of each kind, aimed at the boundaries of the account it is for.

use std::collections::HashMap;

use holdbook::proto::commit_request::What;
use holdbook::proto::grant_credits_request::Expiry;
use holdbook::proto::{self, GrantKind, HoldState, Overage};
use prost_types::Duration;

use super::dice::Dice;
use super::generate::{Subject, Temper};
use super::operation::Operation;
use super::reference::{Account, Hold, MOST_CREDITS, Settings, show, timestamp};
use super::{DAY, HOUR, SECOND};

/// Small, with few decimals, so that sums meet boundaries exactly.
const SMALL: [i64; 12] = [
    0, 1, 250_000, 500_000, 1_000_000, 2_000_000, 2_500_000, 3_000_000, 5_000_000, 7_000_000,
    10_000_000, 20_000_000,
];

impl Subject {
    /// An amount: small, or at one of the edges or one micro-credit beside it, or huge.
    pub(super) fn amount(&self, dice: &mut Dice, edges: &[i64]) -> String {
        let amount = match dice.below(100) {
            0..50 => dice.pick(&SMALL),
            50..97 if !edges.is_empty() => {
                dice.pick(edges) + dice.pick(&[0, 0, 0, 1, -1, 1_000_000])
            }
            _ if self.temper == Temper::Huge => MOST_CREDITS - dice.pick(&SMALL),
            _ => 40_000_000,
        };
        write(dice, amount.clamp(0, MOST_CREDITS))
    }

    pub(super) fn create(&self, dice: &mut Dice) -> Operation {
        let (overdraft, credit, slots) = match self.temper {
            Temper::Prepaid | Temper::ManyGrants => (
                dice.pick(&[None, Some(0), Some(1_000_000), Some(20_000_000)]),
                None,
                0,
            ),
            Temper::Arrears => (
                Some(20_000_000),
                dice.pick(&[Some(0), Some(5_000_000), Some(20_000_000)]),
                0,
            ),
            Temper::Huge => (
                Some(MOST_CREDITS),
                dice.pick(&[None, Some(MOST_CREDITS)]),
                0,
            ),
            Temper::FewSlots => (Some(2_000_000), None, 1 + dice.below(3) as u32),
        };
        Operation::CreateAccount(proto::CreateAccountRequest {
            account_id: self.account_id.clone(),
            overdraft_limit: overdraft.map(show),
            credit_limit: credit.map(show),
            max_open_holds: slots,
            durability: 0,
        })
    }

    pub(super) fn update(&self, dice: &mut Dice, account: &Account) -> Operation {
        let limits = [
            0,
            1_000_000,
            5_000_000,
            20_000_000,
            account.debt,
            account.overdraft_limit,
        ];
        let overdraft = dice.chance(35).then(|| dice.pick(&limits));
        let credit = (self.temper == Temper::Arrears || dice.chance(15)) && dice.chance(40);
        let credit = credit.then(|| dice.pick(&limits));
        let slots = dice.chance(20).then(|| dice.below(4) as u32);
        let state = if account.suspended {
            dice.pick(&[0, 1, 1, 1])
        } else {
            dice.pick(&[0, 0, 0, 0, 0, 0, 1, 2])
        };
        let etag = match dice.below(10) {
            0..5 => String::new(),
            5..8 => account.etag.to_string(),
            8 => (account.etag + 1).to_string(),
            _ => (account.etag - 1).to_string(),
        };
        Operation::UpdateAccount(proto::UpdateAccountRequest {
            account_id: self.account_id.clone(),
            overdraft_limit: overdraft.map(show),
            credit_limit: credit.map(show),
            max_open_holds: slots,
            state,
            etag,
            durability: 0,
        })
    }

    pub(super) fn grant(&mut self, dice: &mut Dice, inside: i64, now: i64) -> Operation {
        self.grants += 1;
        let number = if dice.chance(8) {
            dice.below(self.grants)
        } else {
            self.grants
        };
        let many = self.temper == Temper::ManyGrants;
        let amount = match self.temper {
            Temper::Huge if dice.chance(60) => {
                MOST_CREDITS - inside + dice.pick(&[0, 0, 1, -1, -5_000_000, -MOST_CREDITS / 2])
            }
            _ => dice.pick(&SMALL[1..]),
        };
        let moment = dice.pick(&[1, SECOND, 60 * SECOND, 600 * SECOND, HOUR, 6 * HOUR, DAY]);
        let starts_at = match dice.below(10) {
            0..7 => None,
            7 => Some(now - moment),
            8 => Some(now + moment),
            _ => Some(next_full(now, HOUR)),
        };
        let expiry = match dice.below(10) {
            _ if many && dice.chance(80) => None,
            0..3 => None,
            3..6 => Some(Expiry::ExpiresAt(timestamp(next_full(
                now,
                dice.pick(&[HOUR, HOUR, HOUR, DAY]),
            )))),
            6 => Some(Expiry::ExpiresAt(timestamp(
                now + dice.pick(&[-1, 0, 1, 1000, SECOND, HOUR, DAY, 40 * DAY]),
            ))),
            _ => Some(Expiry::ExpiresIn(duration(dice.pick(&[
                SECOND,
                60 * SECOND,
                HOUR,
                HOUR,
                6 * HOUR,
                DAY,
                30 * DAY,
                36_600 * DAY,
            ])))),
        };
        let rollover = (expiry.is_some() && dice.chance(60)).then(|| proto::Rollover {
            duration: Some(duration(dice.pick(&[
                SECOND,
                HOUR,
                DAY,
                DAY,
                30 * DAY,
                3_660 * DAY,
            ]))),
            cap: dice.chance(50).then(|| show(dice.pick(&SMALL[1..]))),
        });
        Operation::GrantCredits(proto::GrantCreditsRequest {
            account_id: self.account_id.clone(),
            grant_id: format!("g{number}"),
            kind: dice.pick(&[
                GrantKind::Promo,
                GrantKind::Allowance,
                GrantKind::TopUp,
                GrantKind::TopUp,
            ]) as i32,
            amount: write(dice, amount.clamp(1, MOST_CREDITS)),
            priority: dice.chance(15).then(|| dice.pick(&[0, 9, 10, 100, 1000])),
            starts_at: starts_at.map(timestamp),
            expiry,
            rollover,
            non_refundable: dice.chance(20),
            provider: if dice.chance(10) {
                "paddle".into()
            } else {
                String::new()
            },
            external_reference: if dice.chance(10) {
                format!("evt/{number} ü")
            } else {
                String::new()
            },
            durability: 0,
        })
    }

    pub(super) fn revoke(&self, dice: &mut Dice, account: &Account) -> Operation {
        let open = account.holds.iter().filter(|h| h.state == HoldState::Open);
        let pinned: Vec<usize> = open.flat_map(|h| h.pins.iter().map(|p| p.0)).collect();
        let grant_id = match dice.below(10) {
            5.. if !pinned.is_empty() => account.grants[dice.pick(&pinned)].id.clone(),
            0 => "nobody".to_string(),
            1 => format!("~rollover:g{}", dice.below(self.grants + 1)),
            _ if account.grants.is_empty() => "g1".into(),
            _ => dice.pick(&account.grants).id,
        };
        Operation::RevokeGrant(proto::RevokeGrantRequest {
            account_id: self.account_id.clone(),
            grant_id,
            durability: 0,
        })
    }

    pub(super) fn reserve(
        &self,
        dice: &mut Dice,
        account: &Account,
        settings: &Settings,
        now: i64,
    ) -> Operation {
        let amount = self.amount(
            dice,
            &[
                account.available(),
                account.available() / 2,
                account.free(),
                account.free() / 2,
            ],
        );
        let ttl = match dice.below(10) {
            0..2 => None,
            2 => Some(next_full(now, HOUR) - now),
            3 => Some(settings.max_ttl),
            _ => Some(dice.pick(&[
                1000,
                SECOND,
                60 * SECOND,
                HOUR,
                HOUR,
                6 * HOUR,
                6 * HOUR,
                12 * HOUR,
                DAY,
                DAY,
            ])),
        };
        let usage = dice.chance(30).then(|| usage(dice));
        Operation::Reserve(proto::ReserveRequest {
            account_id: self.account_id.clone(),
            hold_id: new_hold_id(dice),
            amount: if usage.is_some() {
                String::new()
            } else {
                amount
            },
            usage,
            ttl: ttl.map(|ttl| duration(ttl.clamp(1000, settings.max_ttl))),
            overage: dice.pick(&[Overage::Unspecified, Overage::Allow, Overage::Reject]) as i32,
            max_commit: dice.chance(25).then(|| show(dice.pick(&SMALL))),
            labels: labels(dice),
            validate_only: dice.chance(4),
            durability: 0,
        })
    }

    pub(super) fn extend(
        &self,
        dice: &mut Dice,
        account: &Account,
        hold_id: String,
        settings: &Settings,
        now: i64,
    ) -> Operation {
        let age = newest(account, &hold_id).map_or(0, |hold| now - hold.created_at);
        let ttl = match dice.below(10) {
            0..2 => settings.max_lifetime - age + dice.pick(&[0, 0, 1]), // the longest lifetime, exactly
            2..4 => settings.max_ttl,
            _ => dice.pick(&[
                1000,
                SECOND,
                60 * SECOND,
                HOUR,
                6 * HOUR,
                6 * HOUR,
                DAY,
                DAY,
            ]),
        };
        let amount = dice
            .chance(40)
            .then(|| self.amount(dice, &[account.available(), account.free()]));
        Operation::Extend(proto::ExtendRequest {
            account_id: self.account_id.clone(),
            hold_id,
            extend_id: format!("e{}", dice.below(6)),
            ttl: Some(duration(ttl.clamp(1000, settings.max_ttl))),
            amount,
            durability: 0,
        })
    }

    pub(super) fn commit(&self, dice: &mut Dice, account: &Account, hold_id: String) -> Operation {
        let hold = newest(account, &hold_id);
        let (held, set_aside, committed) = hold.map_or((0, 0, 0), |h| {
            (h.held(), h.amount().max(h.amount_at_expiry), h.committed())
        });
        let room = (account.overdraft_limit - account.debt).max(0);
        let mut edges = vec![
            set_aside,
            set_aside,
            held,
            set_aside / 2,
            held + account.free(),
            held + account.free() + room,
            room,
        ];
        edges.extend(
            hold.and_then(|h| h.max_commit)
                .map(|most| (most - committed).max(0)),
        );
        let amount = self.amount(dice, &edges);
        let by_usage = hold.is_some_and(|h| h.version.is_some());
        let what = match dice.below(100) {
            0..25 => What::AllHeld(true),
            25..60 if by_usage => What::Usage(usage(dice)),
            25..30 => What::Usage(usage(dice)),
            _ => What::Amount(amount),
        };
        let r#final = dice.pick(&[None, Some(true), Some(false)]);
        let with_id = r#final == Some(false) || dice.chance(10);
        Operation::Commit(proto::CommitRequest {
            account_id: self.account_id.clone(),
            hold_id,
            what: Some(what),
            r#final,
            commit_id: if with_id {
                format!("c{}", dice.below(8))
            } else {
                String::new()
            },
            durability: 0,
        })
    }

    pub(super) fn refund(&self, dice: &mut Dice, account: &Account, hold_id: String) -> Operation {
        let paid = account
            .holds
            .iter()
            .filter(|h| h.charged + h.overdrawn > h.refunded)
            .collect::<Vec<_>>();
        let hold_id = if paid.is_empty() || dice.chance(25) {
            hold_id
        } else {
            dice.pick(&paid).id.clone()
        };
        let edges = newest(account, &hold_id).map_or(vec![], |h| {
            let left = h.charged + h.overdrawn - h.refunded;
            vec![left, left, left / 2, h.overdrawn, h.charged]
        });
        let amount = self.amount(dice, &edges);
        Operation::Refund(proto::RefundRequest {
            account_id: self.account_id.clone(),
            hold_id,
            refund_id: format!("r{}", dice.below(6)),
            amount: if amount.bytes().all(|b| b"0.".contains(&b)) {
                "0.5".into()
            } else {
                amount
            },
            durability: 0,
        })
    }
}

fn newest<'a>(account: &'a Account, hold_id: &str) -> Option<&'a Hold> {
    account.holds.iter().rfind(|h| h.id == hold_id)
}

/// Few ids, so that they meet again: within the repeat window, and after it.
pub(super) fn new_hold_id(dice: &mut Dice) -> String {
    format!("job/{}", dice.below(60))
}

pub(super) fn labels(dice: &mut Dice) -> HashMap<String, String> {
    match dice.below(10) {
        0 => HashMap::from([("project".into(), "p1".into())]),
        1 => HashMap::from([
            ("project".into(), "p2".into()),
            ("node".into(), String::new()),
        ]),
        _ => HashMap::new(),
    }
}

/// The next instant that is a whole multiple: many grants and holds then end at one instant.
fn next_full(now: i64, unit: i64) -> i64 {
    (now / unit + 1) * unit
}

pub fn duration(micros: i64) -> Duration {
    Duration {
        seconds: micros / SECOND,
        nanos: ((micros % SECOND) * 1000) as i32,
    }
}

/// An amount as somebody may write it.
fn write(dice: &mut Dice, amount: i64) -> String {
    let shown = show(amount);
    match dice.below(40) {
        0 if !shown.contains('.') => format!("{shown}.000000"),
        1 if shown.len() < 9 => format!("0{shown}"),
        _ => shown,
    }
}

/// Small, and often the same, so that repeats meet other prices.
pub fn usage(dice: &mut Dice) -> proto::Usage {
    let item = |dice: &mut Dice| proto::UsageItem {
        meter: "job".into(),
        quantity: dice.pick(&["0", "1", "1", "2", "2.5", "10", "40"]).into(),
        ..Default::default()
    };
    let items = (0..dice.pick(&[0, 1, 1, 1, 1, 2])).map(|_| item(dice));
    proto::Usage {
        items: items.collect(),
    }
}

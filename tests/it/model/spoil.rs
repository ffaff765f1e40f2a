//! Puts a request's fields out of bounds, one or several at once.

use std::collections::HashMap;

use holdbook::proto::commit_request::What;
use holdbook::proto::grant_credits_request::Expiry;
use prost_types::{Duration, Timestamp};

use super::dice::Dice;
use super::operation::Operation;
use super::reference::Settings;
use super::requests::duration;
use super::{DAY, SECOND};

/// Spoils one to three fields.
pub fn spoil(dice: &mut Dice, operation: &mut Operation, settings: &Settings) {
    for _ in 0..=dice.below(3) {
        spoil_one(dice, operation, settings);
    }
}

fn spoil_one(dice: &mut Dice, operation: &mut Operation, settings: &Settings) {
    if dice.chance(10) {
        let bad = dice
            .pick(&["", "a b", "a/b", "ü", &"a".repeat(65), "a\n"])
            .to_string();
        return operation.set_account_id(&bad);
    }
    if dice.chance(10)
        && let Some(durability) = operation.durability_mut()
    {
        *durability = dice.pick(&[3, 99, -1]);
        return;
    }
    match operation {
        Operation::CreateAccount(r) => match dice.below(4) {
            0 => r.overdraft_limit = Some(amount(dice)),
            1 => r.credit_limit = Some(amount(dice)),
            2 => r.credit_limit = Some("9000000000".into()),
            _ => r.max_open_holds = dice.pick(&[1_000_001, u32::MAX]),
        },
        Operation::UpdateAccount(r) => match dice.below(4) {
            0 => r.overdraft_limit = Some(amount(dice)),
            1 => r.credit_limit = Some(amount(dice)),
            2 => r.state = dice.pick(&[3, 4, 5, -1]),
            _ => r.max_open_holds = Some(1_000_001),
        },
        Operation::GrantCredits(r) => spoil_grant(dice, r),
        Operation::RevokeGrant(r) => r.grant_id = id(dice),
        Operation::Reserve(r) => match dice.below(6) {
            0 => r.hold_id = id(dice),
            1 if r.usage.is_some() => r.amount = "1".into(),
            1 => r.amount = amount(dice),
            2 => r.ttl = Some(span(dice, (1000, settings.max_ttl))),
            3 => r.overage = dice.pick(&[3, -1]),
            4 => r.max_commit = Some(amount(dice)),
            _ => r.labels = labels(dice),
        },
        Operation::Extend(r) => match dice.below(5) {
            0 => r.hold_id = id(dice),
            1 => r.extend_id = id(dice),
            2 => r.ttl = None,
            3 => r.ttl = Some(span(dice, (1000, settings.max_ttl))),
            _ => r.amount = Some(positive(dice)),
        },
        Operation::Commit(r) => match dice.below(5) {
            0 => r.hold_id = id(dice),
            1 => r.what = Some(What::Amount(amount(dice))),
            2 => r.what = dice.pick(&[None, Some(What::AllHeld(false))]),
            3 => (r.r#final, r.commit_id) = (Some(false), String::new()),
            _ => r.commit_id = dice.pick(&["~c", "a b", &"c".repeat(129)]).to_string(),
        },
        Operation::Charge(r) => match dice.below(3) {
            0 => r.hold_id = id(dice),
            1 => r.amount = amount(dice),
            _ => r.labels = labels(dice),
        },
        Operation::Refund(r) => match dice.below(3) {
            0 => r.hold_id = id(dice),
            1 => r.refund_id = id(dice),
            _ => r.amount = positive(dice),
        },
        Operation::Release(r) => r.hold_id = id(dice),
        Operation::GetHold(r) => r.hold_id = id(dice),
        Operation::GetAccount(_) | Operation::GetBalance(_) | Operation::CloseAccount(_) => {
            operation.set_account_id("a b")
        }
    }
}

fn spoil_grant(dice: &mut Dice, r: &mut holdbook::proto::GrantCreditsRequest) {
    match dice.below(10) {
        0 => {
            r.grant_id = if dice.chance(30) {
                "~rollover:g1".into()
            } else {
                id(dice)
            }
        }
        1 => r.kind = dice.pick(&[0, 2, 5, 6, -1]),
        2 => r.amount = positive(dice),
        3 => r.priority = Some(1001),
        4 => r.starts_at = Some(instant(dice)),
        5 => r.expiry = Some(Expiry::ExpiresAt(instant(dice))),
        6 => r.expiry = Some(Expiry::ExpiresIn(span(dice, (SECOND, 36_600 * DAY)))),
        7 => {
            let length = dice.pick(&[None, Some(duration(SECOND))]);
            let length =
                length.or_else(|| dice.chance(50).then(|| span(dice, (SECOND, 3_660 * DAY))));
            let cap = dice.chance(50).then(|| positive(dice));
            r.rollover = Some(holdbook::proto::Rollover {
                duration: length,
                cap,
            });
            if dice.chance(30) {
                r.expiry = None;
            }
        }
        8 => r.provider = dice.pick(&["p".repeat(65), "p\u{0}".into(), "\u{7f}".into()]),
        _ => r.external_reference = dice.pick(&["p".repeat(129), "ü".repeat(65), "a\tb".into()]),
    }
}

fn id(dice: &mut Dice) -> String {
    let long = "a".repeat(129);
    dice.pick(&[
        "", "-a", ".a", "a b", "a~b", "ü", "a\u{0}", "a,b", "a'b", "a{b}", "a*", &long,
    ])
    .to_string()
}

fn amount(dice: &mut Dice) -> String {
    let bad = [
        "",
        "-1",
        "-0",
        "+1",
        "1.",
        ".5",
        "1.0000001",
        "1.2.3",
        "1e3",
        "0x10",
        " 1",
        "1 ",
        "1,5",
        "NaN",
        "inf",
        "٣",
        "10000000000",
        "00000000001",
        "9000000000.000001",
        "9000000001",
        "9999999999",
        "1_000",
        "1.-5",
        "0.0000000",
    ];
    dice.pick(&bad).to_string()
}

/// Out of bounds where 0 is too.
fn positive(dice: &mut Dice) -> String {
    if dice.chance(40) {
        dice.pick(&["0", "0.0", "0.000000"]).to_string()
    } else {
        amount(dice)
    }
}

fn span(dice: &mut Dice, bounds: (i64, i64)) -> Duration {
    let whole = |seconds, nanos| Duration { seconds, nanos };
    dice.pick(&[
        duration(bounds.0 - 1),
        duration(bounds.1 + 1),
        whole(0, 0),
        whole(-1, 0),
        whole(2, 1),
        whole(2, 999),
        whole(2, -1000),
        whole(2, 1_000_000_000),
        whole(i64::MAX, 0),
        whole(i64::MIN, 0),
    ])
}

fn instant(dice: &mut Dice) -> Timestamp {
    let whole = |seconds, nanos| Timestamp { seconds, nanos };
    dice.pick(&[
        whole(-1, 0),
        whole(7_258_118_401, 0),
        whole(4_000_000_000, 1),
        whole(4_000_000_000, -1000),
        whole(i64::MAX, 0),
    ])
}

fn labels(dice: &mut Dice) -> HashMap<String, String> {
    let one = |k: &str, v: &str| HashMap::from([(k.to_string(), v.to_string())]);
    match dice.below(6) {
        0 => (0..17).map(|i| (format!("k{i}"), String::new())).collect(),
        1 => (0..5).map(|i| (format!("k{i}"), "v".repeat(250))).collect(),
        2 => one("", "v"),
        3 => one(&"k".repeat(64), "v"),
        4 => one("k", &"v".repeat(256)),
        _ => one("k", "a\u{1}b"),
    }
}

//! The language of the model's table tests, and what performs it.
//!
//! A line is a call and, after `=>`, what it must answer: `word key=value`. `+1h` moves the clock.

use holdbook::proto::commit_request::What;
use holdbook::proto::grant_credits_request::Expiry;
use holdbook::proto::{self, GrantAmount, GrantKind, LedgerAccount, Overage};

use super::difference::name_of;

use super::reference::{Model, Refusal};
use super::requests::duration;
use super::{DAY, HOUR, SECOND, SETTINGS};

const ID: &str = "acme";

/// `key=value` words of a line, and words without a value.
struct Line<'a>(Vec<&'a str>);

impl<'a> Line<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find_map(|word| {
            word.split_once('=')
                .filter(|(k, _)| *k == key)
                .map(|(_, v)| v)
        })
    }
    fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(String::from)
    }
    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }
    fn span(&self, key: &str) -> Option<i64> {
        self.get(key).map(span)
    }
}

fn span(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).expect("a unit"));
    let unit = match unit {
        "us" => 1,
        "s" => SECOND,
        "h" => HOUR,
        "d" => DAY,
        _ => panic!("unit {unit}"),
    };
    number.parse::<i64>().expect("a number") * unit
}

fn parts(parts: &[GrantAmount]) -> String {
    parts
        .iter()
        .map(|part| format!("{}:{}", part.grant_id, part.amount))
        .collect::<Vec<_>>()
        .join(",")
}

/// The answer as `key=value` words; refusals as `REASON key=value`.
fn perform(
    model: &mut Model,
    verb: &str,
    name: &str,
    line: &Line,
) -> Result<Vec<(&'static str, String)>, Refusal> {
    let (account_id, id, amount) = (
        ID.to_string(),
        name.to_string(),
        line.text("amount").unwrap_or("0".into()),
    );
    let replayed = |replayed: bool| ("replayed", replayed.to_string());
    Ok(match verb {
        "account" => {
            let (overdraft_limit, credit_limit) = (line.text("overdraft"), line.text("credit"));
            let max_open_holds = line
                .get("slots")
                .map_or(0, |n| n.parse().expect("a number"));
            let r = proto::CreateAccountRequest {
                account_id,
                overdraft_limit,
                credit_limit,
                max_open_holds,
                durability: 0,
            };
            vec![replayed(model.create_account(&r)?.replayed)]
        }
        "update" => {
            let state = if line.has("suspend") {
                2
            } else {
                i32::from(line.has("activate"))
            };
            let (overdraft_limit, credit_limit) = (line.text("overdraft"), line.text("credit"));
            let etag = line.text("etag").unwrap_or_default();
            let r = proto::UpdateAccountRequest {
                account_id,
                overdraft_limit,
                credit_limit,
                state,
                etag,
                ..Default::default()
            };
            vec![(
                "etag",
                model.update_account(&r)?.account.expect("answered").etag,
            )]
        }
        "grant" => {
            let kind = match line.get("kind") {
                Some("promo") => GrantKind::Promo,
                Some("allowance") => GrantKind::Allowance,
                _ => GrantKind::TopUp,
            };
            let r = proto::GrantCreditsRequest {
                account_id,
                grant_id: id,
                kind: kind as i32,
                amount,
                starts_at: line
                    .span("starts")
                    .map(|s| super::reference::timestamp(model.now() + s)),
                expiry: line.span("expires").map(|s| Expiry::ExpiresIn(duration(s))),
                rollover: line.span("rolls").map(|s| proto::Rollover {
                    duration: Some(duration(s)),
                    cap: line.text("cap"),
                }),
                non_refundable: line.has("final"),
                ..Default::default()
            };
            let a = model.grant_credits(&r)?;
            vec![
                ("settled", a.settled),
                ("free", a.grant.expect("answered").free),
                replayed(a.replayed),
            ]
        }
        "revoke" => {
            let a = model.revoke_grant(&proto::RevokeGrantRequest {
                account_id,
                grant_id: id,
                durability: 0,
            })?;
            vec![
                ("revoked", a.revoked),
                ("outstanding", a.outstanding),
                replayed(a.replayed),
            ]
        }
        "reserve" => {
            let r = proto::ReserveRequest {
                account_id,
                hold_id: id,
                amount,
                ttl: line.span("ttl").map(duration),
                overage: if line.has("reject") {
                    Overage::Reject
                } else {
                    Overage::Unspecified
                } as i32,
                max_commit: line.text("max"),
                validate_only: line.has("validate"),
                ..Default::default()
            };
            let a = model.reserve(&r)?;
            vec![
                ("pinned", parts(&a.pinned)),
                ("promised", a.promised),
                replayed(a.replayed),
            ]
        }
        "extend" => {
            let ttl = line.span("ttl").map(duration);
            let extend_id = line.text("id").unwrap_or("e".into());
            let r = proto::ExtendRequest {
                account_id,
                hold_id: id,
                extend_id,
                ttl,
                amount: line.text("amount"),
                durability: 0,
            };
            let a = model.extend(&r)?;
            vec![
                ("pinned", parts(&a.pinned)),
                ("promised", a.promised),
                replayed(a.replayed),
            ]
        }
        "commit" => {
            let what = if line.has("all") {
                What::AllHeld(true)
            } else {
                What::Amount(amount)
            };
            let commit_id = line.text("part").unwrap_or_default();
            let r#final = line.get("part").map(|_| false);
            let a = model.commit(&proto::CommitRequest {
                account_id,
                hold_id: id,
                what: Some(what),
                r#final,
                commit_id,
                durability: 0,
            })?;
            vec![
                ("charged", a.charged),
                ("by", parts(&a.charged_by_grant)),
                ("overdrawn", a.overdrawn),
                ("absorbed", a.absorbed),
                ("released", a.released),
                ("late", a.late.to_string()),
                replayed(a.replayed),
            ]
        }
        "release" => {
            let a = model.release(&proto::ReleaseRequest {
                account_id,
                hold_id: id,
                durability: 0,
            })?;
            vec![("released", a.released), replayed(a.replayed)]
        }
        "charge" => {
            let a = model.charge(&proto::ChargeRequest {
                account_id,
                hold_id: id,
                amount,
                ..Default::default()
            })?;
            vec![
                ("charged", a.charged),
                ("by", parts(&a.charged_by_grant)),
                ("overdrawn", a.overdrawn),
                replayed(a.replayed),
            ]
        }
        "refund" => {
            let refund_id = line.text("id").unwrap_or("r".into());
            let a = model.refund(&proto::RefundRequest {
                account_id,
                hold_id: id,
                refund_id,
                amount,
                durability: 0,
            })?;
            vec![
                ("reduced", a.debt_reduced),
                ("to", parts(&a.refunded_to)),
                replayed(a.replayed),
            ]
        }
        "close" => {
            let a = model.close_account(&proto::CloseAccountRequest {
                account_id,
                durability: 0,
            })?;
            vec![
                ("breakage", a.breakage),
                ("lapsed", a.lapsed),
                replayed(a.replayed),
            ]
        }
        "balance" => {
            let b = model
                .get_balance(&proto::GetBalanceRequest { account_id })?
                .balance
                .expect("answered");
            vec![
                ("balance", b.balance),
                ("available", b.available),
                ("free", b.free),
                ("held", b.held),
                ("debt", b.debt),
                ("pending", b.pending),
                ("promised", b.promised),
                ("sequence", b.sequence.to_string()),
            ]
        }
        // The rows of the account's last event that has some.
        "rows" => {
            let r = proto::ListTransfersRequest {
                account_id,
                ..Default::default()
            };
            let all = model.list_transfers(&r)?;
            let last = all.last().map_or(0, |row| row.sequence);
            let rows = all.iter().filter(|row| row.sequence == last).enumerate();
            let told = rows.map(|(i, row)| {
                assert_eq!(row.index as usize, i, "rows are numbered from 0");
                let side = |side: LedgerAccount| {
                    side.as_str_name()
                        .trim_start_matches("LEDGER_ACCOUNT_")
                        .to_lowercase()
                };
                let into = if row.to_grant_id.is_empty() {
                    String::new()
                } else {
                    format!(">{}", row.to_grant_id)
                };
                format!(
                    "{}>{}:{}{into}:{}",
                    side(row.debit()),
                    side(row.credit()),
                    row.grant_id,
                    row.amount
                )
            });
            vec![("rows", told.collect::<Vec<_>>().join(","))]
        }
        _ => panic!("no verb {verb}"),
    })
}

/// Runs a table; every word after `=>` must be in the answer.
pub fn table(text: &str) {
    let mut model = Model::new(20_000 * DAY, SETTINGS);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(by) = line.strip_prefix('+') {
            model.advance(span(by));
            continue;
        }
        let (call, wanted) = line.split_once("=>").unwrap_or((line, ""));
        let words: Vec<&str> = call.split_whitespace().collect();
        if let ["freeze" | "unfreeze"] = words[..] {
            if words[0] == "freeze" {
                model.freeze(ID)
            } else {
                model.unfreeze(ID)
            }
            continue;
        }
        let name = words.get(1).copied().unwrap_or_default();
        let answer = perform(&mut model, words[0], name, &Line(words.clone()));
        let got: Vec<String> = match &answer {
            Ok(pairs) => pairs.iter().map(|(k, v)| format!("{k}={v}")).collect(),
            Err(refusal) => {
                let reasons = refusal
                    .reasons
                    .iter()
                    .map(|reason| name_of(*reason).to_string());
                let numbers = refusal.metadata.iter().map(|(k, v)| format!("{k}={v}"));
                reasons
                    .chain(numbers)
                    .chain(refusal.fields.iter().map(|field| format!("field={field}")))
                    .collect()
            }
        };
        let refused_unasked = answer.is_err() && wanted.trim().is_empty();
        let missing: Vec<&str> = wanted
            .split_whitespace()
            .filter(|word| !got.iter().any(|g| g == word))
            .collect();
        assert!(
            !refused_unasked && missing.is_empty(),
            "in `{line}`: {missing:?} not in the answer {got:?}"
        );
    }
}

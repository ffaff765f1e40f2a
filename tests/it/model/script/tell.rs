//! An answer as `key=value` words, which a line's wanted words are looked for in.

use holdbook::proto::{
    Account, Balance, Durability, Grant, GrantAmount, Hold, LedgerAccount, Transfer,
};

use crate::model::difference::name_of;
use crate::model::operation::Reply;
use crate::model::reference::Refusal;

type Words = Vec<(&'static str, String)>;

/// The words of an answer.
pub fn reply(reply: &Reply) -> Vec<String> {
    joined(words(reply))
}

/// The number of the account's last event when this was answered.
pub fn sequence(reply: &Reply) -> Option<u64> {
    after(reply).map(|balance| balance.sequence)
}

fn joined(words: Words) -> Vec<String> {
    words.iter().map(|(k, v)| format!("{k}={v}")).collect()
}

fn words(reply: &Reply) -> Words {
    let mut words = match reply {
        Reply::CreateAccount(a) => {
            vec![again(a.replayed), reached(a.durability)]
        }
        Reply::GetAccount(a) => account(&a.account),
        Reply::UpdateAccount(a) => account(&a.account),
        Reply::CloseAccount(a) => vec![
            ("breakage", a.breakage.clone()),
            ("lapsed", a.lapsed.clone()),
            again(a.replayed),
        ],
        Reply::GetBalance(a) => balance(&a.balance),
        Reply::GrantCredits(a) => {
            let grant = a.grant.clone().unwrap_or_default();
            vec![
                ("settled", a.settled.clone()),
                (
                    "state",
                    grant.state().as_str_name()["GRANT_STATE_".len()..].into(),
                ),
                ("free", grant.free),
                ("priority", grant.priority.to_string()),
                again(a.replayed),
                reached(a.durability),
            ]
        }
        Reply::RevokeGrant(a) => vec![
            ("revoked", a.revoked.clone()),
            ("outstanding", a.outstanding.clone()),
            again(a.replayed),
        ],
        Reply::Reserve(a) => vec![
            ("pinned", parts(&a.pinned)),
            ("promised", a.promised.clone()),
            again(a.replayed),
            reached(a.durability),
        ],
        Reply::Extend(a) => vec![
            ("pinned", parts(&a.pinned)),
            ("promised", a.promised.clone()),
            again(a.replayed),
        ],
        Reply::Commit(a) => vec![
            ("charged", a.charged.clone()),
            ("by", parts(&a.charged_by_grant)),
            ("overdrawn", a.overdrawn.clone()),
            ("absorbed", a.absorbed.clone()),
            ("released", a.released.clone()),
            ("late", a.late.to_string()),
            again(a.replayed),
        ],
        Reply::Release(a) => vec![("released", a.released.clone()), again(a.replayed)],
        Reply::Charge(a) => vec![
            ("charged", a.charged.clone()),
            ("by", parts(&a.charged_by_grant)),
            ("overdrawn", a.overdrawn.clone()),
            again(a.replayed),
        ],
        Reply::Refund(a) => vec![
            ("reduced", a.debt_reduced.clone()),
            ("to", parts(&a.refunded_to)),
            again(a.replayed),
        ],
        Reply::GetHold(a) => {
            let mut words = hold(a.hold.as_ref());
            words.push(("pinned", parts(&a.pinned)));
            words
        }
    };
    words.extend(after(reply).map(|b| ("after", b.balance.clone())));
    words.extend(about(reply).map(|h| ("is", hold_state(h))));
    words
}

/// Refusals as `REASON ... key=value field=name`.
pub fn refusal(refusal: &Refusal) -> Vec<String> {
    let reasons = refusal.reasons.iter().map(|r| name_of(*r).to_string());
    let numbers = refusal.metadata.iter().map(|(k, v)| format!("{k}={v}"));
    let fields = refusal.fields.iter().map(|field| format!("field={field}"));
    reasons.chain(numbers).chain(fields).collect()
}

/// The rows of the last event that has some, as `debit>credit:grant>other grant:amount`.
pub fn last_rows(all: &[Transfer]) -> Vec<String> {
    let last = all.last().map_or(0, |row| row.sequence);
    let rows: Vec<&Transfer> = all.iter().filter(|row| row.sequence == last).collect();
    let told = rows.iter().map(|row| {
        let into = match row.to_grant_id.as_str() {
            "" => String::new(),
            into => format!(">{into}"),
        };
        let (debit, credit) = (side(row.debit()), side(row.credit()));
        format!("{debit}>{credit}:{}{into}:{}", row.grant_id, row.amount)
    });
    joined(vec![
        ("rows", told.collect::<Vec<_>>().join(",")),
        (
            "event",
            rows.first().map_or(String::new(), |row| row.event.clone()),
        ),
        (
            "actor",
            rows.first().map_or(String::new(), |row| row.actor.clone()),
        ),
    ])
}

/// Grants, newest first, as `id=STATE:free:held`.
pub fn grants(all: &[Grant]) -> Vec<String> {
    let told = all.iter().map(|grant| {
        let state = &grant.state().as_str_name()["GRANT_STATE_".len()..];
        format!("{}={state}:{}:{}", grant.grant_id, grant.free, grant.held)
    });
    told.collect()
}

/// Holds, newest first, as `holds=id:STATE:amount,...`.
pub fn holds(all: &[Hold]) -> Vec<String> {
    let told = all.iter().map(|hold| {
        let state = hold_state(hold);
        format!("{}:{state}:{}", hold.hold_id, hold.amount)
    });
    joined(vec![("holds", told.collect::<Vec<_>>().join(","))])
}

fn side(side: LedgerAccount) -> String {
    side.as_str_name()["LEDGER_ACCOUNT_".len()..].to_lowercase()
}

fn again(replayed: bool) -> (&'static str, String) {
    ("replayed", replayed.to_string())
}

fn reached(durability: i32) -> (&'static str, String) {
    let reached = Durability::try_from(durability).unwrap_or_default();
    let name = &reached.as_str_name()["DURABILITY_".len()..];
    ("durability", name.into())
}

fn parts(parts: &[GrantAmount]) -> String {
    let told = parts.iter().map(|p| format!("{}:{}", p.grant_id, p.amount));
    told.collect::<Vec<_>>().join(",")
}

fn account(account: &Option<Account>) -> Words {
    let account = account.clone().unwrap_or_default();
    vec![
        (
            "state",
            account.state().as_str_name()["ACCOUNT_STATE_".len()..].into(),
        ),
        ("overdraft", account.overdraft_limit),
        ("credit", account.credit_limit),
        ("slots", account.max_open_holds.to_string()),
        ("open", account.open_holds.to_string()),
        ("etag", account.etag),
    ]
}

fn balance(balance: &Option<Balance>) -> Words {
    let b = balance.clone().unwrap_or_default();
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

fn hold(hold: Option<&Hold>) -> Words {
    let hold = hold.cloned().unwrap_or_default();
    let mut labels: Vec<String> = hold
        .labels
        .iter()
        .map(|(k, v)| format!("{k}:{v}"))
        .collect();
    labels.sort();
    vec![
        ("state", hold_state(&hold)),
        ("amount", hold.amount),
        ("held", hold.held),
        ("promised", hold.promised),
        ("requested", hold.requested),
        ("charged", hold.charged),
        ("overdrawn", hold.overdrawn),
        ("absorbed", hold.absorbed),
        ("released", hold.released),
        ("refunded", hold.refunded),
        ("late", hold.late.to_string()),
        ("labels", labels.join(",")),
    ]
}

fn after(reply: &Reply) -> Option<&Balance> {
    match reply {
        Reply::CreateAccount(a) => a.balance.as_ref(),
        Reply::GetAccount(a) => a.balance.as_ref(),
        Reply::UpdateAccount(a) => a.balance.as_ref(),
        Reply::CloseAccount(a) => a.balance.as_ref(),
        Reply::GetBalance(_) => None,
        Reply::GrantCredits(a) => a.balance.as_ref(),
        Reply::RevokeGrant(a) => a.balance.as_ref(),
        Reply::Reserve(a) => a.balance.as_ref(),
        Reply::Extend(a) => a.balance.as_ref(),
        Reply::Commit(a) => a.balance.as_ref(),
        Reply::Release(a) => a.balance.as_ref(),
        Reply::Charge(a) => a.balance.as_ref(),
        Reply::Refund(a) => a.balance.as_ref(),
        Reply::GetHold(a) => a.balance.as_ref(),
    }
}

fn about(reply: &Reply) -> Option<&Hold> {
    match reply {
        Reply::Reserve(a) => a.hold.as_ref(),
        Reply::Extend(a) => a.hold.as_ref(),
        Reply::Commit(a) => a.hold.as_ref(),
        Reply::Release(a) => a.hold.as_ref(),
        Reply::Charge(a) => a.hold.as_ref(),
        Reply::Refund(a) => a.hold.as_ref(),
        _ => None,
    }
}

fn hold_state(hold: &Hold) -> String {
    hold.state().as_str_name()["HOLD_STATE_".len()..].into()
}

//! What Redis keeps of a plan, and what is spent under its caps, against the ledger and against the open holds.

use std::collections::BTreeMap;

use super::stores::Values;
use crate::{
    domain::{account::Micros, credits::Credits, plan::Spending},
    holds::Snapshot,
    ledger::AccountState,
};

const WINDOWS: [&str; 3] = [
    "spent in the hour",
    "spent in the day",
    "spent in the month",
];

/// Adds rows, each as it is expected and as it is.
pub(super) fn compare(
    redis: &Snapshot,
    ledger: &AccountState,
    rows: &mut BTreeMap<String, (Values, Values)>,
) {
    let of_plan = |(plan, record): &(Vec<u8>, Vec<u8>)| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Values::from([("limits", format!("{plan:?}")), ("record", text(record))])
    };
    rows.insert(
        "plan in Redis".into(),
        (of_plan(&ledger.plan), of_plan(&redis.plan)),
    );
    let mut set_aside = set_aside(redis);
    let mut of_ledger: BTreeMap<_, _> = ledger.spending.iter().map(|it| (key(it), it)).collect();
    for (is, held) in &redis.spending {
        let key = key(is);
        let mut both = match of_ledger.remove(&key) {
            Some(expected) => spent(&expected.windows, &is.windows),
            None => (Values::new(), shown(&is.windows)),
        };
        if !is.label.is_empty() {
            let expected = set_aside.remove(&key).unwrap_or_default();
            both.0.insert("set aside", expected.to_string());
            both.1.insert("set aside", held.to_string());
        }
        rows.insert(row(&key), both);
    }
    // What Redis no longer has must be of a month that is over.
    let month = redis.spending.iter().find(|(it, _)| it.label.is_empty());
    let month = month.map_or(0, |(it, _)| it.windows[2].0);
    let missing = |it: &&Spending| it.windows[2].0 >= month && it.windows[2].1 > Credits::ZERO;
    for (key, expected) in of_ledger {
        if Some(expected).filter(missing).is_some() {
            rows.insert(row(&key), (shown(&expected.windows), Values::new()));
        }
    }
    for (key, expected) in set_aside {
        let expected = Values::from([("set aside", expected.to_string())]);
        rows.insert(row(&key), (expected, Values::new()));
    }
}

type Windows = [(Micros, Credits); 3];

fn key(it: &Spending) -> (String, String) {
    (it.label.clone(), it.value.clone())
}

fn row((label, value): &(String, String)) -> String {
    match label.as_str() {
        "" => "spending in Redis".into(),
        label => format!("spending of {label} {value:?} in Redis"),
    }
}

fn shown(windows: &Windows) -> Values {
    let windows = WINDOWS.into_iter().zip(windows);
    let shown =
        windows.map(|(window, (since, amount))| (window, format!("{amount} since {since}")));
    shown.collect()
}

/// As it is expected and as it is. Time alone begins a window: one in which nothing was spent is as good as an older one.
fn spent(expected: &Windows, is: &Windows) -> (Values, Values) {
    let mut expected = *expected;
    for (expected, is) in expected.iter_mut().zip(is) {
        let newer = if expected.0 > is.0 { *expected } else { *is };
        if expected.0 != is.0 && newer.1 == Credits::ZERO {
            *expected = *is;
        }
    }
    (shown(&expected), shown(is))
}

/// By the open holds, under each value of a label that is capped; where something is.
fn set_aside(redis: &Snapshot) -> BTreeMap<(String, String), Credits> {
    let mut sums: BTreeMap<_, Credits> = BTreeMap::new();
    for (_, hold) in &redis.holds {
        let amount = hold.held() + hold.promised;
        for (label, value) in &hold.request.labels {
            if amount > Credits::ZERO && redis.capped_labels.contains(label) {
                *sums.entry((label.clone(), value.clone())).or_default() += amount;
            }
        }
    }
    sums
}

//! What Redis keeps of a plan, and what is spent under its caps, against the ledger and against the open holds.

use std::collections::BTreeMap;

use super::stores::Values;
use crate::{
    domain::{credits::Credits, plan::Spending},
    holds::Snapshot,
    ledger::AccountState,
};

const WINDOWS: [&str; 3] = [
    "spent in the hour",
    "spent in the day",
    "spent in the month",
];

/// Adds rows, each as it is expected and as it is. What the ledger knows beside that is of a month that is over.
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
    for (is, held) in &redis.spending {
        let key = (is.label.clone(), is.value.clone());
        let same = |it: &&Spending| (&it.label, &it.value) == (&key.0, &key.1);
        let mut both = (
            ledger
                .spending
                .iter()
                .find(same)
                .map_or_else(Values::new, spent),
            spent(is),
        );
        if !is.label.is_empty() {
            let expected = set_aside.remove(&key).unwrap_or_default();
            both.0.insert("set aside", expected.to_string());
            both.1.insert("set aside", held.to_string());
        }
        rows.insert(row(&key), both);
    }
    for (key, expected) in set_aside {
        let expected = Values::from([("set aside", expected.to_string())]);
        rows.insert(row(&key), (expected, Values::new()));
    }
}

fn row((label, value): &(String, String)) -> String {
    match label.as_str() {
        "" => "spending in Redis".into(),
        label => format!("spending of {label} {value:?} in Redis"),
    }
}

fn spent(it: &Spending) -> Values {
    let windows = WINDOWS.into_iter().zip(it.windows);
    let shown =
        windows.map(|(window, (since, amount))| (window, format!("{amount} since {since}")));
    shown.collect()
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

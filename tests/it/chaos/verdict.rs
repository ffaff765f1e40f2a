//! The ledger against the clients' books, once everything is healed and drained.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use holdbook::domain::subscription::call_deed;
use tokio_postgres::Client;

use super::{
    fault::Applied,
    journal::{Deed, Entry, Journal, PART, Verb},
    world::SUBSCRIPTION,
};

const MICROS: i64 = 1_000_000;

/// Where an event of the ledger stands, and the credits that it spent or gave.
struct Event {
    epoch: i64,
    name: String,
    amount: i64,
}

/// A hold by the sequence of the event that made it.
struct BookedHold {
    sequence: i64,
    /// It has a version of the catalog.
    priced: bool,
    /// Nothing was set aside: it was lost, and this event, which made it, is its own end: one commit, whatever it was sent as, or a release.
    end_of_lost: Option<Vec<u8>>,
}

impl BookedHold {
    /// How the ledger calls a commit of it.
    fn commit(&self, part: &str) -> Option<String> {
        let says =
            |raw: &Vec<u8>, what: &str| raw.windows(what.len()).any(|at| at == what.as_bytes());
        let part = match &self.end_of_lost {
            None => part,
            Some(raw) if part.is_empty() => Some("").filter(|_| !says(raw, &format!("{PART}-")))?,
            Some(raw) => Some("").filter(|_| says(raw, &format!("{part}\0")))?,
        };
        Some(format!("h{}/commit/{part}", self.sequence))
    }
}

/// The ledger, by what clients call things.
pub struct Book {
    /// Account and hold id to the holds of that id.
    holds: HashMap<(String, String), Vec<BookedHold>>,
    /// Account and sequence.
    events: HashMap<(String, i64), Event>,
    /// Account and deed to the event's sequence.
    deeds: HashMap<(String, String), i64>,
}

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Verdict {
    pub acknowledged: u64,
    /// Acknowledged before the fault and not in the ledger as they were acknowledged then, or not at all.
    pub rolled_back: u64,
    pub lost_applied: Vec<String>,
    pub lost_ledger: Vec<String>,
    /// Accounts that lost something.
    pub lost_in: HashSet<String>,
    pub doubled: Vec<String>,
    pub mismatched: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, {} rolled back, lost APPLIED {}, LEDGER {}, doubled {}, mismatched {}",
            self.acknowledged,
            self.rolled_back,
            self.lost_applied.len(),
            self.lost_ledger.len(),
            self.doubled.len(),
            self.mismatched.len()
        )
    }
}

impl Verdict {
    /// Against the promise.
    pub fn is_broken(&self, applied: Applied) -> bool {
        let lost = !self.lost_applied.is_empty() && applied == Applied::Kept;
        lost || !self.lost_ledger.is_empty()
            || !self.doubled.is_empty()
            || !self.mismatched.is_empty()
    }
}

impl Book {
    pub async fn read(client: &Client) -> Self {
        let rows = |sql| async move { client.query(sql, &[]).await.expect("the ledger answers") };
        let mut holds: HashMap<_, Vec<_>> = HashMap::new();
        let sql = "select account_id, hold_id, sequence, catalog_version is not null as priced, case when e.name not in ('reserve', 'charge') then e.raw end as end_of_lost
            from holds join events e using (account_id, sequence)";
        for row in rows(sql).await {
            let hold = BookedHold {
                sequence: row.get("sequence"),
                priced: row.get("priced"),
                end_of_lost: row.get("end_of_lost"),
            };
            holds
                .entry((row.get(0), row.get(1)))
                .or_default()
                .push(hold);
        }
        let (mut events, mut deeds) = (HashMap::new(), HashMap::new());
        // What a deed is about is one side of its transfers: never both, so the sum counts nothing twice.
        let sql = "select e.account_id, e.sequence, e.epoch, e.name, e.deed, coalesce((select sum(t.amount) * 1000000
                from transfers t where t.account_id = e.account_id and t.sequence = e.sequence
                and (t.credit = 'spent' or t.debit in ('spent', 'issued'))), 0)::int8 as amount
            from events e";
        for row in rows(sql).await {
            let (account, sequence): (String, i64) = (row.get(0), row.get(1));
            if let Some(deed) = row.get::<_, Option<String>>("deed") {
                deeds.insert((account.clone(), deed), sequence);
            }
            let event = Event {
                epoch: row.get("epoch"),
                name: row.get("name"),
                amount: row.get("amount"),
            };
            events.insert((account, sequence), event);
        }
        Self {
            holds,
            events,
            deeds,
        }
    }

    fn holds(&self, account: &str, id: &str) -> &[BookedHold] {
        self.holds
            .get(&(account.to_owned(), id.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// The hold was lost, and its end was booked as a commit: a release of it then changes nothing, and has no event (H12).
    fn had_nothing_to_release(&self, deed: &Deed) -> bool {
        let committed = |hold: &BookedHold| {
            let event = &self.events[&(deed.account.clone(), hold.sequence)];
            hold.end_of_lost.is_some() && event.name == "commit"
        };
        let mut holds = self.holds(&deed.account, &deed.id).iter();
        deed.verb == Verb::Release && holds.any(committed)
    }

    /// The sequences of the events that stand for a deed.
    fn find(&self, deed: &Deed) -> Vec<i64> {
        let named = |text: String| {
            self.deeds
                .get(&(deed.account.clone(), text))
                .copied()
                .into_iter()
        };
        let holds = || self.holds(&deed.account, &deed.id).iter();
        let of_hold = |verb: &str| {
            let name = |hold: &BookedHold| format!("h{}/{verb}/{}", hold.sequence, deed.part);
            holds().flat_map(|hold| named(name(hold))).collect()
        };
        match deed.verb {
            Verb::Grant => named(format!("g/{}", deed.id)).collect(),
            Verb::Plan => named(call_deed(SUBSCRIPTION, &deed.id)).collect(),
            Verb::Level => named(format!("l/~level:{}", deed.id)).collect(),
            Verb::Reserve | Verb::Charge => holds()
                .filter(|hold| hold.end_of_lost.is_none())
                .map(|hold| hold.sequence)
                .collect(),
            Verb::Capture | Verb::Commit => holds()
                .filter_map(|hold| hold.commit(&deed.part))
                .flat_map(named)
                .collect(),
            Verb::Release => of_hold("ended"),
            Verb::Refund => of_hold("refund"),
        }
    }
}

/// Compares. `before`: the number of the last acknowledgement before the fault; `epoch`: the newest one before it.
pub fn compare(book: &Book, journal: &Journal, before: u64, epoch: i64) -> Verdict {
    let mut verdict = Verdict {
        acknowledged: journal.entries.len() as u64,
        ..Verdict::default()
    };
    let (mut claimed, mut broken) = (HashSet::new(), HashSet::new());
    // What the world was set up with.
    for ((account, deed), sequence) in &book.deeds {
        if deed == "g/start" || *deed == call_deed(SUBSCRIPTION, "") {
            claimed.insert((account.clone(), *sequence));
        }
    }
    for entry in &journal.entries {
        let Entry { deed, number, .. } = entry;
        let found = book.find(deed);
        if found.len() > 1 {
            verdict.doubled.push(format!("{entry:?}: {found:?}"));
        }
        let events: Vec<_> = found
            .iter()
            .map(|sequence| (deed.account.clone(), *sequence))
            .collect();
        // Before the fault it was a release of the hold as it stood then.
        if events.is_empty() && *number > before && book.had_nothing_to_release(deed) {
            continue;
        }
        let gone = events.iter().all(|place| book.events[place].epoch > epoch);
        if gone && (*number <= before || events.is_empty()) {
            verdict.rolled_back += 1;
        }
        if events.is_empty() {
            verdict.lost_in.insert(deed.account.clone());
            broken.insert((deed.account.clone(), deed.id.clone()));
            let lost = if entry.ledger {
                &mut verdict.lost_ledger
            } else {
                &mut verdict.lost_applied
            };
            lost.push(format!("{entry:?}"));
        }
        for place in events {
            let event = &book.events[&place];
            if moves_credits(deed.verb) && event.amount != deed.amount as i64 * MICROS {
                let (name, amount) = (&event.name, event.amount);
                verdict
                    .mismatched
                    .push(format!("{entry:?}: {name} of {amount} micro-credits"));
            }
            let mut holds = book.holds(&deed.account, &deed.id).iter();
            let made = holds.find(|hold| deed.verb == Verb::Reserve && hold.sequence == place.1);
            if made.is_some_and(|hold| hold.priced != deed.by_usage) {
                verdict
                    .mismatched
                    .push(format!("{entry:?}: not priced as it was"));
            }
            if !claimed.insert(place.clone()) {
                verdict
                    .doubled
                    .push(format!("{entry:?}: another deed is this event, too"));
            }
        }
    }
    for (place, event) in &book.events {
        let ours = matches!(
            event.name.as_str(),
            "reserve"
                | "commit"
                | "release"
                | "charge"
                | "refund"
                | "grant"
                | "subscription"
                | "level_changed"
        );
        if ours && !claimed.contains(place) {
            let name = &event.name;
            verdict
                .doubled
                .push(format!("{place:?}: {name} that nobody was told of"));
        }
    }
    for refusal in &journal.refusals {
        // What hangs on something lost is counted there.
        let hangs = broken.contains(&(refusal.deed.account.clone(), refusal.deed.id.clone()));
        if !hangs {
            verdict.mismatched.push(format!("refused: {refusal:?}"));
        }
    }
    verdict
}

/// Of these the ledger must have exactly the amount.
fn moves_credits(verb: Verb) -> bool {
    !matches!(
        verb,
        Verb::Reserve | Verb::Release | Verb::Plan | Verb::Level
    )
}

/// Accounts whose level is not the number of its changes, each by one.
pub async fn levels(client: &Client) -> Vec<String> {
    let sql = "select account_id, level::int8, (select count(*) from events e where e.account_id = l.account_id and name = 'level_changed')
        from levels l";
    let rows = client.query(sql, &[]).await.expect("the ledger answers");
    let levels = rows
        .iter()
        .map(|row| -> (String, i64, i64) { (row.get(0), row.get(1), row.get(2)) });
    levels
        .filter(|(_, level, changes)| level != changes)
        .map(|it| format!("{it:?}: a level and its changes"))
        .collect()
}

/// What the API says of balances after all holds have ended: the same as the ledger, and nothing held.
pub async fn balances(client: &Client) -> HashMap<String, (i64, i64, i64)> {
    let sql = "select account_id, (free * 1000000)::int8, (held * 1000000)::int8, (debt * 1000000)::int8 from accounts";
    let rows = client.query(sql, &[]).await.expect("the ledger answers");
    rows.iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3))))
        .collect()
}

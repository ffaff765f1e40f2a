//! Events made by hand, and a decoder for them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use holdbook::domain::{
    account::{AccountTerms, Standing},
    credits::Credits,
    event::{AccountImage, BadEvent, Entry, Event, Fact, HoldFact, Move, MoveKind, Position},
    grant::{GrantKind, GrantTerms},
    hold::{Hold, HoldRequest, HoldState, Method, Pin},
};

use super::EPOCH;

/// 2026-01-01, in microseconds.
pub const NEW_YEAR: i64 = 1_767_225_600_000_000;

/// Writes a partition's stream.
pub struct Book {
    partition: u32,
    n: u64,
    sequences: BTreeMap<String, u64>,
    events: Vec<Event>,
    bad: Vec<BadEvent>,
}

pub fn credits(text: &str) -> Credits {
    Credits::parse(text).unwrap()
}

pub fn moved(kind: MoveKind, grant_no: u32, amount: &str) -> Move {
    Move {
        kind,
        grant_no,
        to_grant_no: 0,
        amount: credits(amount),
    }
}

impl Book {
    pub fn new(partition: u32) -> Self {
        Self {
            partition,
            n: 0,
            sequences: BTreeMap::new(),
            events: Vec::new(),
            bad: Vec::new(),
        }
    }

    fn position(&self) -> Position {
        let index = u32::try_from(self.events.len() + self.bad.len()).unwrap();
        Position {
            partition: self.partition,
            epoch: EPOCH,
            n: self.n + 1,
            index,
        }
    }

    /// The sequence that the account's next event will have.
    pub fn next(&self, account: &str) -> u64 {
        self.sequences.get(account).copied().unwrap_or(0) + 1
    }

    /// An event of the entry that is being written.
    pub fn event(&mut self, account: &str, fact: Fact, moves: Vec<Move>) -> &mut Self {
        let sequence = self.next(account);
        self.sequences.insert(account.into(), sequence);
        let position = self.position();
        let event = Event {
            position,
            account: account.into(),
            sequence,
            occurred_at: NEW_YEAR + i64::try_from(sequence).unwrap() * 1_000_000,
            actor: "render-farm".into(),
            traceparent: String::new(),
            raw: format!("{account}/{sequence}/{fact:?}/{moves:?}").into_bytes(),
            fact,
            moves,
        };
        self.events.push(event);
        self
    }

    /// One that cannot be read.
    pub fn unreadable(&mut self, account: &str) -> &mut Self {
        *self.sequences.entry(account.into()).or_default() += 1;
        let position = self.position();
        let raw = format!("unreadable {account} {position:?}").into_bytes();
        self.bad.push(BadEvent {
            position,
            account: account.into(),
            raw,
            why: "a byte too many".into(),
        });
        self
    }

    /// An event that nobody ever sees.
    pub fn skip(&mut self, account: &str) -> &mut Self {
        *self.sequences.entry(account.into()).or_default() += 1;
        self
    }

    pub fn created(&mut self, account: &str) -> &mut Self {
        self.event(account, Fact::AccountCreated(terms()), vec![])
    }

    pub fn grant(&mut self, account: &str, no: u32, grant_id: &str, amount: &str) -> &mut Self {
        self.event(
            account,
            Fact::Grant(grant_terms(no, grant_id, amount)),
            vec![moved(MoveKind::Issue, no, amount)],
        )
    }

    pub fn reserve(&mut self, account: &str, hold_id: &str, no: u32, amount: &str) -> &mut Self {
        let hold = hold(hold_id, self.next(account), no, amount);
        self.event(
            account,
            Fact::Reserve(hold),
            vec![moved(MoveKind::Pin, no, amount)],
        )
    }

    /// A final commit of all that the hold has, `made_at` being the sequence of its reserve.
    pub fn commit(
        &mut self,
        account: &str,
        hold_id: &str,
        made_at: u64,
        no: u32,
        amount: &str,
    ) -> &mut Self {
        let mut fact = hold(hold_id, made_at, no, amount);
        fact.hold.state = HoldState::Committed;
        fact.hold.pins.clear();
        fact.hold.charged = credits(amount);
        fact.hold.ended_at = Some(NEW_YEAR + 60_000_000);
        fact.packed = format!("{hold_id} committed").into_bytes();
        self.event(
            account,
            Fact::Commit(fact),
            vec![moved(MoveKind::BurnPin, no, amount)],
        )
    }

    /// Ends the entry: its events, and an image of each account in it.
    pub fn entry(&mut self) -> Entry {
        self.n += 1;
        let (events, bad) = (
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.bad),
        );
        let accounts = events
            .iter()
            .map(|e| &e.account)
            .chain(bad.iter().map(|b| &b.account))
            .filter(|a| !a.is_empty());
        let images: BTreeMap<_, _> = accounts
            .map(|account| (account.clone(), self.sequences[account]))
            .collect();
        let image = |(account, sequence): (String, u64)| AccountImage {
            packed: format!("{account} at {sequence}").into_bytes(),
            account,
            sequence,
        };
        let entry = Entry {
            spent: Vec::new(),
            plans: Vec::new(),
            spending: Vec::new(),
            follows: None,
            partition: self.partition,
            epoch: EPOCH,
            n: self.n,
            events,
            bad,
            images: images.into_iter().map(image).collect(),
        };
        remember(&entry);
        entry
    }
}

static WRITTEN: Mutex<Option<HashMap<Vec<u8>, Event>>> = Mutex::new(None);

fn remember(entry: &Entry) {
    let mut written = WRITTEN.lock().unwrap();
    let written = written.get_or_insert_with(HashMap::new);
    written.extend(
        entry
            .events
            .iter()
            .map(|event| (event.raw.clone(), event.clone())),
    );
}

/// What the room of Redis does for real events.
pub fn decode(position: Position, raw: &[u8]) -> Result<Event, String> {
    let written = WRITTEN.lock().unwrap();
    let event = written
        .as_ref()
        .and_then(|written| written.get(raw))
        .ok_or("not one of ours")?;
    Ok(Event {
        position,
        ..event.clone()
    })
}

pub fn terms() -> AccountTerms {
    AccountTerms {
        standing: Standing::Active,
        frozen: false,
        overdraft_limit: credits("50"),
        credit_limit: credits("0"),
        max_open_holds: 0,
        etag: 1,
    }
}

pub fn grant_terms(no: u32, grant_id: &str, amount: &str) -> GrantTerms {
    GrantTerms {
        no,
        grant_id: grant_id.into(),
        kind: GrantKind::TopUp,
        priority: 100,
        amount: credits(amount),
        starts_at: NEW_YEAR,
        expires_at: None,
        rollover: None,
        non_refundable: false,
        started: true,
        provider: "stripe".into(),
        external_reference: "pi_1".into(),
    }
}

pub fn hold(hold_id: &str, sequence: u64, no: u32, amount: &str) -> HoldFact {
    let pins = vec![Pin {
        grant_no: no,
        amount: credits(amount),
    }];
    let hold = Hold {
        sequence,
        state: HoldState::Open,
        request: HoldRequest {
            method: Method::Reserve,
            amount: credits(amount),
            usage: None,
            ttl: None,
            overage: None,
            max_commit: None,
            labels: vec![("project".into(), "short \"film\"".into())],
        },
        late: false,
        rejects_overage: false,
        created_at: NEW_YEAR,
        expires_at: NEW_YEAR + 3_600_000_000,
        ended_at: None,
        first_pins: pins.clone(),
        pins,
        promised: Credits::ZERO,
        first_promised: Credits::ZERO,
        charged: Credits::ZERO,
        overdrawn: Credits::ZERO,
        absorbed: Credits::ZERO,
        released: Credits::ZERO,
        refunded: Credits::ZERO,
    };
    HoldFact {
        hold_id: hold_id.into(),
        op_id: String::new(),
        hold,
        packed: format!("{hold_id} open").into_bytes(),
    }
}

//! What clients did and were told: the other book, which the ledger is compared with.

use tokio::sync::watch;

/// How many answers there were: what faults are keyed on.
pub struct Answers {
    /// Acknowledgements: it was done.
    acknowledged: watch::Sender<u64>,
    /// Of any kind, refusals and lost ones included: what goes on while nothing can be acknowledged.
    all: watch::Sender<u64>,
}

impl Answers {
    pub fn new() -> Self {
        Self {
            acknowledged: watch::Sender::new(0),
            all: watch::Sender::new(0),
        }
    }

    /// Counts an acknowledgement and answers its number.
    pub fn acknowledged(&self) -> u64 {
        let mut number = 0;
        self.acknowledged.send_modify(|count| {
            *count += 1;
            number = *count;
        });
        number
    }

    pub fn any(&self) {
        self.all.send_modify(|count| *count += 1);
    }

    pub fn count(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// Waits for `more` acknowledgements.
    pub async fn more_acknowledged(&self, more: u64) {
        Self::more(&self.acknowledged, more).await;
    }

    /// Waits for `more` answers of any kind.
    pub async fn more_of_any(&self, more: u64) {
        Self::more(&self.all, more).await;
    }

    async fn more(count: &watch::Sender<u64>, more: u64) {
        let mut seen = count.subscribe();
        let until = *seen.borrow() + more;
        seen.wait_for(|count| *count >= until)
            .await
            .expect("the counter lives");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    Grant,
    Reserve,
    /// A partial commit.
    Capture,
    Commit,
    Release,
    Charge,
    Refund,
    /// Another plan of the account's subscription.
    Plan,
    /// A level grows by one.
    Level,
}

/// How the ids of partial commits begin.
pub const PART: &str = "part";

/// What a client wants done, once.
#[derive(Clone, Debug)]
pub struct Deed {
    /// The amount is asked for as a usage that comes to it.
    pub by_usage: bool,
    pub verb: Verb,
    pub account: String,
    /// The hold's or grant's id.
    pub id: String,
    /// Of a partial commit or a refund; empty otherwise.
    pub part: String,
    /// Whole credits; of a release and a level 0; of a plan which one.
    pub amount: u64,
    /// Durability LEDGER is asked for.
    pub ledger: bool,
}

/// An acknowledged deed.
#[derive(Clone, Debug)]
pub struct Entry {
    pub deed: Deed,
    /// The answer says that the ledger has it.
    pub ledger: bool,
    /// Its number among all acknowledgements of the run.
    pub number: u64,
    #[expect(dead_code, reason = "a finding shows it")]
    pub process: usize,
}

/// A refusal where there should be none.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub deed: Deed,
    #[expect(dead_code, reason = "a finding shows it")]
    pub why: String,
}

/// One client's book.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub entries: Vec<Entry>,
    pub refusals: Vec<Refusal>,
    /// Outcomes that were unknown until the same call was sent again.
    pub unknown: u64,
}

impl Journal {
    pub fn add(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.refusals.extend(other.refusals);
        self.unknown += other.unknown;
    }
}

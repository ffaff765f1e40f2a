//! The story that `holdbook dev` plays, as one table: what is asked, what is answered, the balance after.
//!
//! The answers are what the rules say. The player compares each with what the service really answered.

use crate::proto::GrantKind;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// CreateAccount: overdraft limit, most open holds (0: no limit).
    Create(&'static str, u32),
    /// GrantCredits: grant, kind, amount.
    Grant(&'static str, GrantKind, &'static str),
    /// Reserve: hold, amount.
    Reserve(&'static str, &'static str),
    /// Reserve with a time to live of `SHORT_TTL`: hold, amount.
    ReserveShort(&'static str, &'static str),
    /// A final commit: hold, amount.
    Commit(&'static str, &'static str),
    /// A partial commit: hold, commit id, amount.
    CommitPart(&'static str, &'static str, &'static str),
    /// Release: hold.
    Release(&'static str),
    /// Watch a hold until time ends it.
    Watch(&'static str),
    /// Charge: hold, amount.
    Charge(&'static str, &'static str),
    /// Refund: hold, refund id, amount.
    Refund(&'static str, &'static str, &'static str),
    /// CloseAccount.
    Close,
}

/// One line of the story: the act, the answer in plain words, and free, held and debt after it.
pub type Step = (Act, &'static str, [&'static str; 3]);

/// One account's story.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// The account's id before the run's own suffix.
    pub account: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// In order.
    pub steps: &'static [Step],
    /// Ledger totals at the end: granted, spent, debt, absorbed, free, held, breakage.
    pub totals: [&'static str; 7],
}

use Act::{
    Charge, Close, Commit, CommitPart, Create, Grant, Refund, Release, Reserve, ReserveShort, Watch,
};
use GrantKind::{Promo, TopUp};

/// The whole story.
pub const SCENES: [Scene; 2] = [
    Scene {
        account: "studio",
        title: "A render studio: it may owe up to 20 credits",
        steps: &STUDIO,
        totals: ["190", "172", "0", "8", "26", "0", "0"],
    },
    Scene {
        account: "trial",
        title: "A trial: one hold at a time, never in debt",
        steps: &TRIAL,
        totals: ["13", "12", "0", "2", "0", "0", "3"],
    },
];

#[rustfmt::skip] // One step, one line: it is read as a table.
const STUDIO: [Step; 26] = [
    (Create("20", 0), "active", ["0", "0", "0"]),
    (Grant("welcome", Promo, "20"), "20 free", ["20", "0", "0"]),
    (Grant("invoice-1", TopUp, "80"), "80 free", ["100", "0", "0"]),
    (Grant("invoice-1", TopUp, "80"), "replayed: 80 free", ["100", "0", "0"]),
    (Reserve("frame-1", "30"), "set aside 20 promo + 10 top-up", ["70", "30", "0"]),
    (Reserve("frame-1", "30"), "replayed: set aside 20 promo + 10 top-up", ["70", "30", "0"]),
    (Reserve("frame-1", "31"), "refused: ID_REUSED (409), differs in amount", ["70", "30", "0"]),
    (Reserve("movie", "500"), "refused: INSUFFICIENT_CREDITS (402), short by 430", ["70", "30", "0"]),
    (Commit("frame-1", "25"), "charged 25, released 5", ["75", "0", "0"]),
    (Commit("frame-1", "25"), "replayed: charged 25, released 5", ["75", "0", "0"]),
    (Reserve("frame-2", "40"), "set aside 40 top-up", ["35", "40", "0"]),
    (CommitPart("frame-2", "tile-1", "15"), "charged 15, still open", ["35", "25", "0"]),
    (Release("frame-2"), "released 25", ["60", "0", "0"]),
    // A commit above its hold: the pins, then what is free, then debt.
    (Reserve("frame-3", "50"), "set aside 50 top-up", ["10", "50", "0"]),
    (Commit("frame-3", "75"), "charged 60, overdrawn 15", ["0", "0", "15"]),
    (Reserve("frame-4", "1"), "refused: IN_DEBT (402), owes 15", ["0", "0", "15"]),
    (Grant("invoice-2", TopUp, "40"), "15 settle the debt, 25 free", ["25", "0", "0"]),
    (Charge("thumbnail", "5"), "charged 5", ["20", "0", "0"]),
    (Refund("thumbnail", "sorry", "2"), "returned 2 top-up", ["22", "0", "0"]),
    // Above the overdraft limit too: the platform pays the rest.
    (Reserve("frame-5", "10"), "set aside 10 top-up", ["12", "10", "0"]),
    (Commit("frame-5", "50"), "charged 22, overdrawn 20, absorbed 8", ["0", "0", "20"]),
    (Grant("invoice-3", TopUp, "50"), "20 settle the debt, 30 free", ["30", "0", "0"]),
    // A node dies: time ends its hold; the node comes back and reports what it used.
    (ReserveShort("frame-6", "10"), "set aside 10 top-up", ["20", "10", "0"]),
    (Watch("frame-6"), "expired, released 10", ["30", "0", "0"]),
    (Commit("frame-6", "4"), "late: charged 4", ["26", "0", "0"]),
    (Release("frame-6"), "released 0", ["26", "0", "0"]),
];

#[rustfmt::skip] // As above.
const TRIAL: [Step; 7] = [
    (Create("0", 1), "active", ["0", "0", "0"]),
    (Grant("gift-1", Promo, "10"), "10 free", ["10", "0", "0"]),
    (Reserve("clip-1", "8"), "set aside 8 promo", ["2", "8", "0"]),
    (Reserve("clip-2", "1"), "refused: CONCURRENCY_LIMIT (429), 1 of 1 open", ["2", "8", "0"]),
    (Commit("clip-1", "12"), "charged 10, absorbed 2", ["0", "0", "0"]),
    (Grant("gift-2", Promo, "3"), "3 free", ["3", "0", "0"]),
    (Close, "closed, breakage 3", ["0", "0", "0"]),
];

//! Holds: credits set aside for one job.

use super::{account::Micros, credits::Credits};

/// Open, then exactly one end. The numbers are those of the wire and the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HoldState {
    /// Its credits are set aside.
    Open = 1,
    /// Ended by a final commit, or made by a charge.
    Committed = 2,
    /// Ended by a release.
    Released = 3,
    /// Ended by time.
    Expired = 4,
}

impl HoldState {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Open, Self::Committed, Self::Released, Self::Expired];

    /// By its number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == number)
    }

    /// As the ledger writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// What made the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reserve.
    Reserve,
    /// Charge.
    Charge,
}

/// A usage in place of an amount. The amount beside it, and the version, are what it came to: they are not compared (I2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What was sent, by a hash.
    pub digest: [u8; 16],
    /// The catalog's version that it is priced by; 0: by none.
    pub version: u32,
    /// The first bytes of the hash of that version's text: a ledger that went back to an older copy may give a number out again.
    pub text: [u8; 4],
}

/// What a commit above its hold does (H8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overage {
    /// It takes free credits, then makes debt, then is absorbed.
    Allow,
    /// It is refused.
    Reject,
}

/// What the caller sent to make the hold; compared when the id comes again (I3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// What made it.
    pub method: Method,
    /// Credits asked for.
    pub amount: Credits,
    /// What they are the price of; none where the caller named them.
    pub usage: Option<Usage>,
    /// Time to live as sent, in microseconds.
    pub ttl: Option<Micros>,
    /// What a commit above the hold does; absent: what the account's plan says.
    pub overage: Option<Overage>,
    /// Bound of the sum of commits.
    pub max_commit: Option<Credits>,
    /// Sorted by key.
    pub labels: Vec<(String, String)>,
}

/// The part of one grant that one hold has set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The grant's number.
    pub grant_no: u32,
    /// Credits.
    pub amount: Credits,
}

/// A hold after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Sequence of the event that made it: what the ledger knows it by (I4).
    pub sequence: u64,
    /// Where it stands.
    pub state: HoldState,
    /// What made it.
    pub request: HoldRequest,
    /// A commit came after it had expired.
    pub late: bool,
    /// A commit above it is refused, because it was asked for or by the plan of when it was made.
    pub rejects_overage: bool,
    /// When it was made.
    pub created_at: Micros,
    /// When it ends by itself; of a charge, `created_at`.
    pub expires_at: Micros,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// What it has pinned now, in burn order.
    pub pins: Vec<Pin>,
    /// What it was made with.
    pub first_pins: Vec<Pin>,
    /// What stands on the credit limit now.
    pub promised: Credits,
    /// What stood on the credit limit when it was made.
    pub first_promised: Credits,
    /// Sum of commits that grants paid.
    pub charged: Credits,
    /// Sum of commits that became debt.
    pub overdrawn: Credits,
    /// Sum of commits that the platform paid.
    pub absorbed: Credits,
    /// Sum of the pins that came back.
    pub released: Credits,
    /// Sum of refunds.
    pub refunded: Credits,
}

impl Hold {
    /// The sum of its commits.
    #[must_use]
    pub fn committed(&self) -> Credits {
        self.charged + self.overdrawn + self.absorbed
    }

    /// The sum of its pins.
    #[must_use]
    pub fn held(&self) -> Credits {
        self.pins.iter().map(|pin| pin.amount).sum()
    }
}

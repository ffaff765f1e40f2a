//! Grants: a block of credits given to an account.

use super::{account::Micros, credits::Credits};

/// Where a block of credits came from. The numbers are those of the wire and the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GrantKind {
    /// A gift.
    Promo = 1,
    /// The rest of a grant that carried a rollover.
    Rollover = 2,
    /// A plan's credits for a cycle.
    Allowance = 3,
    /// Bought.
    TopUp = 4,
    /// Refunded credits whose grants are gone.
    Refund = 5,
}

impl GrantKind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Promo,
        Self::Rollover,
        Self::Allowance,
        Self::TopUp,
        Self::Refund,
    ];

    /// By its number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// As the ledger writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promo => "promo",
            Self::Rollover => "rollover",
            Self::Allowance => "allowance",
            Self::TopUp => "top_up",
            Self::Refund => "refund",
        }
    }

    /// The default burn priority (G1); lower burns first.
    #[must_use]
    pub const fn priority(self) -> u16 {
        match self {
            Self::Promo => 5,
            Self::Rollover => 9,
            Self::Allowance => 10,
            Self::TopUp | Self::Refund => 100,
        }
    }
}

/// A grant as it was made, all that is relative resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantTerms {
    /// Its number in its account, from 1, in order of creation.
    pub no: u32,
    /// The caller's id, or `~...` of one that Holdbook made.
    pub grant_id: String,
    /// Where it came from.
    pub kind: GrantKind,
    /// Lower burns first.
    pub priority: u16,
    /// What was given; of a rollover or refund grant, what it was made with.
    pub amount: Credits,
    /// Spendable from here.
    pub starts_at: Micros,
    /// Spendable before here; `None` never expires.
    pub expires_at: Option<Micros>,
    /// What becomes of the rest.
    pub rollover: Option<Rollover>,
    /// May not be revoked.
    pub non_refundable: bool,
    /// Started when it was made.
    pub started: bool,
    /// Who took the payment.
    pub provider: String,
    /// The provider's reference.
    pub external_reference: String,
}

/// What becomes of the unspent rest of a grant (G2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollover {
    /// How long the rest lives on, in microseconds.
    pub duration: Micros,
    /// The most that is kept.
    pub cap: Option<Credits>,
}

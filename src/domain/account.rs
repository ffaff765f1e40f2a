//! An account: what may be done with it, its limits, its balances.

use super::credits::Credits;

/// Microseconds since 1970-01-01, on Redis' clock (T1).
pub type Micros = i64;

/// What may be done with an account (C1). Freezing is kept beside it, so that suspension survives a freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything.
    Active,
    /// No new reserve or charge.
    Suspended,
    /// Open holds go on, nothing else comes in.
    Closed,
}

/// An account's declared side. `etag` counts its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTerms {
    /// What may be done with it.
    pub standing: Standing,
    /// An event of it is in quarantine.
    pub frozen: bool,
    /// The most debt that a commit may make (D1).
    pub overdraft_limit: Credits,
    /// How far a reserve may go beyond the credits (D2).
    pub credit_limit: Credits,
    /// The most holds open at once; 0 is no limit.
    pub max_open_holds: u32,
    /// Grows with every change.
    pub etag: u32,
}

/// An account's credits at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Of started, unexpired grants, neither spent nor pinned.
    pub free: Credits,
    /// The pins of open holds.
    pub held: Credits,
    /// Owed.
    pub debt: Credits,
    /// Of grants that have not started.
    pub pending: Credits,
    /// The parts of open holds that stand on the credit limit.
    pub promised: Credits,
}

impl Balance {
    /// What a reserve may take.
    #[must_use]
    pub fn available(&self, credit_limit: Credits) -> Credits {
        if self.debt > credit_limit {
            return Credits::ZERO;
        }
        self.free + Credits::ZERO.max(credit_limit - self.debt - self.promised)
    }
}

//! Posting: what each move of credits debits and credits in the ledger. Pure and total.
//!
//! Owns the posting table and the sums that follow from it. Does not know how a transfer is stored.

use std::collections::BTreeMap;

use super::{
    credits::Credits,
    event::{Event, Move, MoveKind},
};

/// A side of a transfer. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LedgerAccount {
    /// Credits given and taken back: where credits come from.
    Issued = 1,
    /// Credits that can be spent.
    Free = 2,
    /// Credits pinned by open holds.
    Held = 3,
    /// Credits used, net of refunds.
    Spent = 4,
    /// Credits owed.
    Debt = 5,
    /// Credits that the platform paid.
    Absorbed = 6,
    /// Credits that ended unused.
    Breakage = 7,
}

impl LedgerAccount {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Issued,
        Self::Free,
        Self::Held,
        Self::Spent,
        Self::Debt,
        Self::Absorbed,
        Self::Breakage,
    ];

    /// As the ledger writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Free => "free",
            Self::Held => "held",
            Self::Spent => "spent",
            Self::Debt => "debt",
            Self::Absorbed => "absorbed",
            Self::Breakage => "breakage",
        }
    }

    /// By the name that the ledger writes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.name() == name)
    }
}

/// A row of the ledger: `amount` leaves `debit` and arrives in `credit`, so it balances by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Its number in its event, from 0.
    pub line: u32,
    /// The side that gives.
    pub debit: LedgerAccount,
    /// The side that takes.
    pub credit: LedgerAccount,
    /// More than 0.
    pub amount: Credits,
    /// The grant whose credits they are; 0 where none is behind them.
    pub grant_no: u32,
    /// The grant that they pass into; 0 where none is.
    pub to_grant_no: u32,
}

impl Transfer {
    /// The grant that the credits arrive in; 0 where none is.
    #[must_use]
    pub const fn taking_grant(&self) -> u32 {
        if self.to_grant_no == 0 {
            self.grant_no
        } else {
            self.to_grant_no
        }
    }
}

/// The transfers of an event, in order: one for each move.
#[must_use]
pub fn post(event: &Event) -> Vec<Transfer> {
    (0..)
        .zip(&event.moves)
        .map(|(line, moved)| transfer(line, moved))
        .collect()
}

fn transfer(line: u32, moved: &Move) -> Transfer {
    let (debit, credit) = sides(moved.kind);
    Transfer {
        line,
        debit,
        credit,
        amount: moved.amount,
        grant_no: moved.grant_no,
        to_grant_no: moved.to_grant_no,
    }
}

/// The posting table: the side that gives, the side that takes.
#[must_use]
pub const fn sides(kind: MoveKind) -> (LedgerAccount, LedgerAccount) {
    use LedgerAccount::{Absorbed, Breakage, Debt, Free, Held, Issued, Spent};
    match kind {
        MoveKind::Issue => (Issued, Free),
        MoveKind::Pin => (Free, Held),
        MoveKind::BurnPin => (Held, Spent),
        MoveKind::BurnFree => (Free, Spent),
        MoveKind::Overdraw => (Debt, Spent),
        MoveKind::Absorb => (Absorbed, Spent),
        MoveKind::Return | MoveKind::ReturnJoin => (Held, Free),
        MoveKind::ReturnBreak => (Held, Breakage),
        MoveKind::ReturnIssued => (Held, Issued),
        MoveKind::Lapse => (Free, Breakage),
        MoveKind::Roll => (Free, Free),
        MoveKind::Revoke => (Free, Issued),
        MoveKind::Refund => (Spent, Free),
        MoveKind::Settle => (Free, Debt),
    }
}

/// What a move means to a reader of the posting table.
#[must_use]
pub const fn meaning(kind: MoveKind) -> &'static str {
    match kind {
        MoveKind::Issue => "a grant starts",
        MoveKind::Pin => "a reserve, or credits added to a hold, sets free credits aside",
        MoveKind::BurnPin => "a commit takes the hold's own pin",
        MoveKind::BurnFree => "a commit or a charge takes free credits",
        MoveKind::Overdraw => "a commit or a charge becomes debt",
        MoveKind::Absorb => "a commit is paid by the platform",
        MoveKind::Return => "a pin comes back to its grant",
        MoveKind::ReturnJoin => "a pin of an ended grant comes back to the grant's rollover",
        MoveKind::ReturnBreak => "a pin of an ended grant comes back to nobody",
        MoveKind::ReturnIssued => "a pin of a revoked grant comes back",
        MoveKind::Lapse => "a grant expires, or its account closes, with credits unspent",
        MoveKind::Roll => "a grant expires and its rest becomes its rollover",
        MoveKind::Revoke => "a grant is revoked: the part that no hold has pinned",
        MoveKind::Refund => "spent credits come back",
        MoveKind::Settle => "free credits pay debt",
    }
}

/// Running totals of an account. They only follow from its transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Credits that can be spent.
    pub free: Credits,
    /// Credits pinned by open holds.
    pub held: Credits,
    /// Credits owed.
    pub debt: Credits,
    /// Of started grants, without rollovers and refunds.
    pub granted: Credits,
    /// Taken back.
    pub revoked: Credits,
    /// Paid by the platform.
    pub absorbed: Credits,
    /// Used, net of refunds.
    pub spent: Credits,
    /// Ended unused.
    pub breakage: Credits,
}

impl Totals {
    /// What these transfers change.
    #[must_use]
    pub fn of(transfers: &[Transfer]) -> Self {
        let mut totals = Self::default();
        for transfer in transfers {
            totals.add(transfer);
        }
        totals
    }

    /// Follows one more transfer.
    pub fn add(&mut self, transfer: &Transfer) {
        let amount = transfer.amount;
        let taken = Credits::ZERO - amount;
        match transfer.debit {
            LedgerAccount::Issued => self.granted += amount,
            LedgerAccount::Free => self.free += taken,
            LedgerAccount::Held => self.held += taken,
            LedgerAccount::Spent => self.spent += taken,
            LedgerAccount::Debt => self.debt += amount,
            LedgerAccount::Absorbed => self.absorbed += amount,
            LedgerAccount::Breakage => self.breakage += taken,
        }
        match transfer.credit {
            LedgerAccount::Issued => self.revoked += amount,
            LedgerAccount::Free => self.free += amount,
            LedgerAccount::Held => self.held += amount,
            LedgerAccount::Spent => self.spent += amount,
            LedgerAccount::Debt => self.debt += taken,
            LedgerAccount::Absorbed => self.absorbed += taken,
            LedgerAccount::Breakage => self.breakage += amount,
        }
    }

    /// Conservation: what came in is what is there.
    #[must_use]
    pub fn conserved(&self) -> bool {
        self.granted - self.revoked + self.debt + self.absorbed
            == self.free + self.held + self.spent + self.breakage
    }
}

/// Running totals of a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantTotals {
    /// Neither spent nor pinned.
    pub free: Credits,
    /// Pinned by open holds.
    pub held: Credits,
    /// Used, net of what came back to it; a refund grant starts below 0 by what it was made with.
    pub spent: Credits,
    /// Ended unused.
    pub breakage: Credits,
}

impl GrantTotals {
    fn move_by(&mut self, side: LedgerAccount, amount: Credits) {
        match side {
            LedgerAccount::Free => self.free += amount,
            LedgerAccount::Held => self.held += amount,
            LedgerAccount::Spent => self.spent += amount,
            LedgerAccount::Breakage => self.breakage += amount,
            // These are the account's, not a grant's.
            LedgerAccount::Issued | LedgerAccount::Debt | LedgerAccount::Absorbed => {}
        }
    }
}

/// What these transfers change in each grant that they name.
#[must_use]
pub fn grant_totals(transfers: &[Transfer]) -> BTreeMap<u32, GrantTotals> {
    let mut grants: BTreeMap<u32, GrantTotals> = BTreeMap::new();
    for transfer in transfers {
        let amount = transfer.amount;
        if transfer.grant_no != 0 {
            grants
                .entry(transfer.grant_no)
                .or_default()
                .move_by(transfer.debit, Credits::ZERO - amount);
        }
        if transfer.taking_grant() != 0 {
            grants
                .entry(transfer.taking_grant())
                .or_default()
                .move_by(transfer.credit, amount);
        }
    }
    grants
}

#[cfg(test)]
mod tests;

//! What a run saw: a table RPC x outcome, the ledger's rows by kind, and whether the run was worth something.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use holdbook::proto::{ErrorReason, LedgerAccount, Transfer};

use super::difference::name_of;

/// The reasons that need no catalog and no fault: a run must meet all.
pub const REASONS: [ErrorReason; 18] = [
    ErrorReason::InsufficientCredits,
    ErrorReason::InDebt,
    ErrorReason::ConcurrencyLimit,
    ErrorReason::CapacityLimit,
    ErrorReason::AccountSuspended,
    ErrorReason::AccountFrozen,
    ErrorReason::AccountClosed,
    ErrorReason::HoldEnded,
    ErrorReason::AboveHold,
    ErrorReason::AboveMaxCommit,
    ErrorReason::LateWindowPassed,
    ErrorReason::NonRefundable,
    ErrorReason::IdReused,
    ErrorReason::AccountNotFound,
    ErrorReason::HoldNotFound,
    ErrorReason::GrantNotFound,
    ErrorReason::Invalid,
    ErrorReason::EtagMismatch,
];

/// What else must have happened, as it is counted below.
const HAPPENINGS: [&str; 37] = [
    "account_closed free -> breakage",
    "charge debt -> spent",
    "charge free -> spent",
    "commit absorbed -> spent",
    "commit debt -> spent",
    "commit free -> debt",
    "commit free -> spent",
    "commit held -> breakage",
    "commit held -> free",
    "commit held -> free, other grant",
    "commit held -> issued",
    "commit held -> spent",
    "extend free -> held",
    "grant free -> debt",
    "grant issued -> free",
    "grant_expired free -> breakage",
    "grant_expired free -> free, other grant",
    "grant_started free -> debt",
    "grant_started issued -> free",
    "hold_expired held -> breakage",
    "hold_expired held -> free",
    "hold_expired held -> free, other grant",
    "hold_expired held -> issued",
    "late commit",
    "no room for credits",
    "no room for grants",
    "partial commit",
    "refund free -> debt",
    "refund grant",
    "refund spent -> free",
    "release free -> debt",
    "release held -> breakage",
    "release held -> free",
    "release held -> free, other grant",
    "release held -> issued",
    "reserve free -> held",
    "revoke free -> issued",
];

/// The outcome of a run.
#[derive(Default)]
pub struct Report {
    pub operations: u64,
    pub seed: u64,
    /// RPC and outcome: `ok`, `replayed` or the reason.
    pub outcomes: BTreeMap<(&'static str, &'static str), u64>,
    /// Ledger rows by event and sides, and a few things that rows do not show.
    pub happenings: BTreeMap<String, u64>,
    /// Calls sent again because the server said UNAVAILABLE.
    pub retried: u64,
    /// Told in full; the first of each lane that met one.
    pub differences: Vec<String>,
}

impl Report {
    pub fn count(&mut self, rpc: &'static str, outcome: &'static str) {
        *self.outcomes.entry((rpc, outcome)).or_default() += 1;
    }

    pub fn happened(&mut self, what: &str) {
        *self.happenings.entry(what.into()).or_default() += 1;
    }

    pub fn count_row(&mut self, row: &Transfer) {
        let side = |side: LedgerAccount| {
            side.as_str_name()
                .trim_start_matches("LEDGER_ACCOUNT_")
                .to_lowercase()
        };
        let other = if row.to_grant_id.is_empty() {
            ""
        } else {
            ", other grant"
        };
        self.happened(&format!(
            "{} {} -> {}{other}",
            row.event,
            side(row.debit()),
            side(row.credit())
        ));
        if row.event == "refund"
            && row.grant_id.starts_with("~refund:")
            && row.credit() == LedgerAccount::Free
        {
            self.happened("refund grant");
        }
    }

    pub fn add(&mut self, other: Self) {
        for (key, count) in other.outcomes {
            *self.outcomes.entry(key).or_default() += count;
        }
        for (key, count) in other.happenings {
            *self.happenings.entry(key).or_default() += count;
        }
        self.retried += other.retried;
        self.differences.extend(other.differences);
    }

    /// What a run of this length should have met and did not, with the count that it met.
    pub fn missing(&self) -> Vec<String> {
        let least = match self.operations {
            1_000_000.. => 100,
            50_000.. => 1,
            _ => return Vec::new(),
        };
        let of_reason = |reason: &&ErrorReason| {
            let of_this = self.outcomes.iter().filter(|o| o.0.1 == name_of(**reason));
            of_this.map(|o| o.1).sum::<u64>()
        };
        let reasons = REASONS.iter().filter(|reason| of_reason(reason) < least);
        let reasons = reasons
            .map(|reason| format!("{} ({} of {least})", name_of(*reason), of_reason(&reason)));
        let happenings = HAPPENINGS
            .iter()
            .filter(|what| !self.happenings.contains_key(**what));
        reasons
            .chain(happenings.map(|what| what.to_string()))
            .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rpcs: BTreeSet<&str> = self.outcomes.keys().map(|k| k.0).collect();
        let outcomes: BTreeSet<&str> = self.outcomes.keys().map(|k| k.1).collect();
        write!(f, "{:<20}", "outcome")?;
        for rpc in &rpcs {
            write!(f, " {rpc:>13}")?;
        }
        writeln!(f, " {:>13}", "all")?;
        let lower_first = outcomes
            .iter()
            .filter(|o| o.starts_with(char::is_lowercase));
        for outcome in lower_first.chain(
            outcomes
                .iter()
                .filter(|o| !o.starts_with(char::is_lowercase)),
        ) {
            write!(f, "{outcome:<20}")?;
            let of = |rpc: &str| {
                self.outcomes
                    .iter()
                    .find(|o| o.0.0 == rpc && o.0.1 == *outcome)
                    .map_or(0, |o| *o.1)
            };
            for rpc in &rpcs {
                write!(f, " {:>13}", of(rpc))?;
            }
            writeln!(f, " {:>13}", rpcs.iter().map(|rpc| of(rpc)).sum::<u64>())?;
        }
        writeln!(f)?;
        for (what, count) in &self.happenings {
            writeln!(f, "{what:<45} {count:>9}")?;
        }
        if self.retried > 0 {
            writeln!(f, "sent again after UNAVAILABLE: {}", self.retried)?;
        }
        for difference in &self.differences {
            writeln!(f, "\n{difference}")?;
        }
        write!(
            f,
            "model: {} operations, seed {}, {} differences",
            self.operations,
            self.seed,
            self.differences.len()
        )
    }
}

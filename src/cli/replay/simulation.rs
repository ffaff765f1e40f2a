//! What a replay of a trace has to come to, computed from the file alone.
//!
//! Pure, and written from the rules, not from the service: the calls to send in order, which of them are refused, and
//! the balance after each. All grants are of one kind without an end, so burn order does not change any total.

use rust_decimal::Decimal;

use super::{super::totals::Totals, trace::Job};

/// Accounts that the jobs are spread over, by line number.
const ACCOUNTS: usize = 97;
/// Overdraft limit of each account, credits.
pub const OVERDRAFT_LIMIT: Decimal = Decimal::from_parts(50, 0, 0, false, 0);
/// Amount of each top-up, credits.
pub const TOP_UP: Decimal = Decimal::ONE_HUNDRED;

/// Why a reserve is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It asks for more than is free.
    InsufficientCredits,
    /// There is debt.
    InDebt,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A top-up: its number, from 1.
    Grant(usize),
    /// A reserve, and why it is refused the first time, if it is.
    Reserve(String, Decimal, Option<Refused>),
    /// A final commit, and what of it grants pay, becomes debt and is absorbed.
    Commit(String, Decimal, [Decimal; 3]),
    /// A release, and what comes back.
    Release(String, Decimal),
}

/// A call and the account's free, held and debt after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The call.
    pub call: Call,
    /// Free, held, debt.
    pub after: [Decimal; 3],
}

/// All that one account does, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The account.
    pub account_id: String,
    /// Its calls after its creation.
    pub steps: Vec<Step>,
    /// What they come to.
    pub totals: Totals,
    holds: std::collections::HashMap<String, Decimal>,
    grants: usize,
}

/// The plans of all accounts that have jobs.
pub fn plan(jobs: &[Job]) -> Vec<Plan> {
    let mut plans: Vec<Plan> = (0..ACCOUNTS)
        .map(|n| Plan::new(format!("acct-{n}")))
        .collect();
    // In order of time, creations first, then by line; `false` sorts before `true`.
    let mut moments: Vec<(u64, bool, usize, &Job)> = jobs
        .iter()
        .flat_map(|job| {
            [
                (job.created, false, job.line, job),
                (job.deleted, true, job.line, job),
            ]
        })
        .collect();
    moments.sort_by_key(|(second, deletion, line, _)| (*second, *deletion, *line));
    for (_, deletion, line, job) in moments {
        let plan = &mut plans[line % ACCOUNTS];
        if plan.steps.is_empty() {
            plan.grant();
        }
        match (deletion, job.cost()) {
            (false, _) => plan.reserve(&job.name, job.estimate()),
            (true, Some(cost)) => plan.commit(&job.name, cost),
            (true, None) => plan.release(&job.name),
        }
    }
    plans.retain(|plan| !plan.steps.is_empty());
    plans
}

impl Plan {
    fn new(account_id: String) -> Self {
        Self {
            account_id,
            ..Self::default()
        }
    }

    fn grant(&mut self) {
        self.grants += 1;
        self.totals.granted += TOP_UP;
        self.totals.free += TOP_UP;
        self.settle();
        self.took_place(Call::Grant(self.grants));
    }

    /// H1, D3, H3: all or nothing, nothing in debt; what is refused is topped up and sent again.
    fn reserve(&mut self, hold_id: &str, amount: Decimal) {
        loop {
            let refused = if self.totals.debt > Decimal::ZERO {
                Refused::InDebt
            } else if amount > self.totals.free {
                Refused::InsufficientCredits
            } else {
                break;
            };
            self.took_place(Call::Reserve(hold_id.to_owned(), amount, Some(refused)));
            self.grant();
        }
        self.totals.free -= amount;
        self.totals.held += amount;
        self.holds.insert(hold_id.to_owned(), amount);
        self.took_place(Call::Reserve(hold_id.to_owned(), amount, None));
    }

    /// H6, H8: pins and free credits together, then debt up to the limit, the rest is absorbed; pins left come back.
    fn commit(&mut self, hold_id: &str, amount: Decimal) {
        let pins = self.unpin(hold_id);
        self.totals.free += pins;
        let charged = amount.min(self.totals.free);
        let room = (OVERDRAFT_LIMIT - self.totals.debt).max(Decimal::ZERO);
        let overdrawn = (amount - charged).min(room);
        let absorbed = amount - charged - overdrawn;
        self.totals.free -= charged;
        self.totals.debt += overdrawn;
        self.totals.absorbed += absorbed;
        self.totals.spent += amount;
        self.settle();
        self.took_place(Call::Commit(
            hold_id.to_owned(),
            amount,
            [charged, overdrawn, absorbed],
        ));
    }

    fn release(&mut self, hold_id: &str) {
        let pins = self.unpin(hold_id);
        self.totals.free += pins;
        self.settle();
        self.took_place(Call::Release(hold_id.to_owned(), pins));
    }

    fn unpin(&mut self, hold_id: &str) -> Decimal {
        let pins = self.holds.remove(hold_id).unwrap_or_default();
        self.totals.held -= pins;
        pins
    }

    /// G4, D4: credits that become free settle debt at once.
    fn settle(&mut self) {
        let settled = self.totals.free.min(self.totals.debt);
        self.totals.free -= settled;
        self.totals.debt -= settled;
    }

    fn took_place(&mut self, call: Call) {
        let Totals {
            free, held, debt, ..
        } = self.totals;
        self.steps.push(Step {
            call,
            after: [free, held, debt],
        });
    }
}

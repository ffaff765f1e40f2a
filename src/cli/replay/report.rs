//! The comparison of the simulation with the service and the ledger, and how it is shown.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::{
    super::totals::Totals,
    Outcome,
    simulation::{Call, Plan},
};

/// A value that is not the computed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Whose; `all accounts` for a sum.
    pub account: String,
    /// Which total, or which part of which answer.
    pub what: String,
    /// By the simulation.
    pub computed: String,
    /// Who says otherwise: `service` or `ledger`.
    pub source: &'static str,
    /// What it says.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            what,
            computed,
            source,
            got,
        } = self;
        write!(f, "{account}: {what}: computed {computed}, {source} {got}")
    }
}

/// What a replay came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Jobs of the trace.
    pub jobs: usize,
    /// Accounts that have jobs.
    pub accounts: usize,
    /// Calls answered.
    pub calls: usize,
    /// Of them, those answered as repeats.
    pub replayed: usize,
    /// Grants by the simulation.
    pub grants: usize,
    /// Refused reserves by the simulation.
    pub refusals: usize,
    /// Sums over the accounts, by the simulation.
    pub computed: Totals,
    /// The same, by the service's balances and answers.
    pub service: Totals,
    /// The same, by the ledger's rows.
    pub ledger: Totals,
    /// Every value that differs.
    pub differences: Vec<Difference>,
}

/// Compares all that was played.
pub fn summary(jobs: usize, plans: &[Plan], outcomes: Vec<Outcome>) -> Summary {
    let mut summary = Summary {
        jobs,
        accounts: plans.len(),
        ..Summary::default()
    };
    for (plan, outcome) in plans.iter().zip(outcomes) {
        summary.calls += outcome.played.calls;
        summary.replayed += outcome.played.replayed;
        for step in &plan.steps {
            summary.grants += usize::from(matches!(step.call, Call::Grant(_)));
            summary.refusals += usize::from(matches!(step.call, Call::Reserve(_, _, Some(_))));
        }
        summary.computed += plan.totals;
        summary.service += outcome.service;
        summary.ledger += outcome.ledger;
        summary.differences.extend(outcome.played.difference);
        let (service, ledger) = (&outcome.service, &outcome.ledger);
        summary.compare(&plan.account_id, &plan.totals, service, ledger);
    }
    let (computed, service, ledger) = (summary.computed, summary.service, summary.ledger);
    summary.compare("all accounts", &computed, &service, &ledger);
    summary
}

impl Summary {
    fn compare(&mut self, account: &str, computed: &Totals, service: &Totals, ledger: &Totals) {
        for (source, totals) in [("service", service), ("ledger", ledger)] {
            for ((what, computed), (_, got)) in computed.named().into_iter().zip(totals.named()) {
                if computed != got {
                    self.differences.push(Difference {
                        account: account.to_owned(),
                        what: what.to_owned(),
                        computed: computed.normalize().to_string(),
                        source,
                        got: got.normalize().to_string(),
                    });
                }
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["total", "computed", "service", "ledger"]);
        let columns = [self.computed, self.service, self.ledger].map(|totals| totals.named());
        for (index, (name, _)) in columns[0].into_iter().enumerate() {
            let amounts = columns.map(|column| column[index].1.normalize().to_string());
            table.add_row([name.to_owned()].into_iter().chain(amounts));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(
            f,
            "{}\n{} grants, {} refusals",
            table.trim_fmt(),
            self.grants,
            self.refusals
        )?;
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        write!(
            f,
            "replay: {} jobs, {} accounts, {} calls, {} replayed, {} differences",
            self.jobs,
            self.accounts,
            self.calls,
            self.replayed,
            self.differences.len()
        )
    }
}

//! What the runs came to, by fault.

use std::{collections::HashMap, fmt, time::Duration};

use super::{
    fault::{ALL, Applied, Effect, Fault, Sort},
    verdict::Verdict,
};

/// Most findings that are shown of one kind and run.
const SHOWN_MAX: usize = 5;

/// In a long series, of all faults together.
const ACKNOWLEDGED_MIN: u64 = 10_000;
/// In a long series, of each fault that rolls back.
const ROLLED_BACK_MIN: u64 = 20;

#[derive(Default)]
struct Row {
    /// Ended, and not void.
    runs: u64,
    under_way: u64,
    void: u64,
    acknowledged: u64,
    rolled_back: u64,
    lost_applied: u64,
    lost_ledger: u64,
    doubled: u64,
    mismatched: u64,
    recovered: Vec<Duration>,
}

#[derive(Default)]
pub struct Table {
    rows: HashMap<Fault, Row>,
    findings: Vec<String>,
}

impl Table {
    /// The fault that has had the fewest runs, those under way counted, of those that `only` names.
    fn least_used(&self, only: &str) -> &'static Sort {
        Sort::named(only)
            .min_by_key(|sort| self.begun_of(sort.fault))
            .unwrap_or_else(|| panic!("no fault's name contains {only:?}"))
    }

    fn begun_of(&self, fault: Fault) -> u64 {
        let row = self.rows.get(&fault);
        row.map_or(0, |row| row.runs + row.under_way)
    }

    /// Of the fault that has had the fewest, among those whose name contains `only`.
    pub fn fewest_runs(&self, only: &str) -> u64 {
        self.begun_of(self.least_used(only).fault)
    }

    /// Runs that have ended.
    pub fn ended(&self) -> u64 {
        self.sum(|row| row.runs)
    }

    /// Runs that have ended or are under way.
    pub fn begun(&self) -> u64 {
        self.sum(|row| row.runs + row.under_way)
    }

    /// One more of the least used, under way until it is `void`, `failed` or added.
    pub fn begin(&mut self, only: &str) -> &'static Sort {
        let sort = self.least_used(only);
        self.rows.entry(sort.fault).or_default().under_way += 1;
        sort
    }

    /// A long series in which little happened proves little.
    pub fn must_be_thick(&mut self) {
        let mut thin = Vec::new();
        for sort in ALL.iter().filter(|sort| sort.effect == Effect::RolledBack) {
            let back = self.rows.get(&sort.fault).map(|row| row.rolled_back);
            if back.is_some_and(|back| back < ROLLED_BACK_MIN) {
                thin.push(sort);
            }
        }
        for sort in thin {
            self.finding(sort, "took too little back");
        }
        if self.sum(|row| row.acknowledged) < ACKNOWLEDGED_MIN {
            self.finding(&ALL[0], "and all others had too few acknowledgements");
        }
    }

    pub fn void(&mut self, fault: Fault) {
        let row = self.rows.entry(fault).or_default();
        row.under_way -= 1;
        row.void += 1;
    }

    /// A run that did not come to a verdict keeps no promise.
    pub fn failed(&mut self, sort: &Sort, why: &str) {
        let row = self.rows.entry(sort.fault).or_default();
        row.under_way -= 1;
        row.runs += 1;
        self.finding(sort, why);
    }

    /// A promise of the series that no run alone can keep.
    pub fn finding(&mut self, sort: &Sort, why: &str) {
        self.rows.entry(sort.fault).or_default().mismatched += 1;
        self.findings.push(format!("{} {why}", sort.name));
    }

    pub fn add(&mut self, sort: &Sort, seed: u64, verdict: &Verdict, recovered: Duration) {
        let row = self.rows.entry(sort.fault).or_default();
        row.under_way -= 1;
        row.runs += 1;
        row.acknowledged += verdict.acknowledged;
        row.rolled_back += verdict.rolled_back;
        row.lost_applied += verdict.lost_applied.len() as u64;
        row.lost_ledger += verdict.lost_ledger.len() as u64;
        row.doubled += verdict.doubled.len() as u64;
        row.mismatched += verdict.mismatched.len() as u64;
        row.recovered.push(recovered);
        let kinds = [
            ("lost APPLIED", &verdict.lost_applied),
            ("lost LEDGER", &verdict.lost_ledger),
            ("doubled", &verdict.doubled),
            ("mismatched", &verdict.mismatched),
        ];
        for (kind, found) in kinds {
            if kind == "lost APPLIED" && sort.applied != Applied::Kept {
                continue;
            }
            let shown = found.iter().take(SHOWN_MAX);
            self.findings
                .extend(shown.map(|what| format!("{} (run {seed}): {kind}: {what}", sort.name)));
        }
    }

    fn sum(&self, of: impl Fn(&Row) -> u64) -> u64 {
        self.rows.values().map(of).sum()
    }

    /// Losses that no line of section 7 allows.
    fn lost_against_the_promise(&self) -> u64 {
        let kept = ALL.iter().filter(|sort| sort.applied == Applied::Kept);
        let applied = kept.filter_map(|sort| self.rows.get(&sort.fault));
        applied.map(|row| row.lost_applied).sum::<u64>() + self.sum(|row| row.lost_ledger)
    }

    pub fn is_as_promised(&self) -> bool {
        self.lost_against_the_promise() == 0
            && self.sum(|row| row.doubled) == 0
            && self.sum(|row| row.mismatched) == 0
    }

    /// All that was found, one a line.
    pub fn findings(&self) -> String {
        self.findings.join("\n")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| fault | runs (void) | acknowledged | rolled back | lost APPLIED | lost LEDGER | recovered p50 / max ms |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for sort in ALL {
            let Some(row) = self.rows.get(&sort.fault) else {
                continue;
            };
            let mut times = row.recovered.clone();
            times.sort_unstable();
            let at = |index: usize| times.get(index).map_or(0, Duration::as_millis);
            let allowed = match sort.applied {
                Applied::Kept => String::new(),
                Applied::MayBeLost(why) => format!(" ({why})"),
            };
            writeln!(
                f,
                "| {} | {} ({}) | {} | {} | {}{allowed} | {} | {} / {} |",
                sort.name,
                row.runs,
                row.void,
                row.acknowledged,
                row.rolled_back,
                row.lost_applied,
                row.lost_ledger,
                at(times.len() / 2),
                at(times.len().saturating_sub(1)),
            )?;
        }
        write!(
            f,
            "chaos: {} runs, {} acknowledged, {} lost, {} doubled, {} mismatched",
            self.sum(|row| row.runs),
            self.sum(|row| row.acknowledged),
            self.sum(|row| row.lost_applied + row.lost_ledger),
            self.sum(|row| row.doubled),
            self.sum(|row| row.mismatched),
        )
    }
}

//! One lane: a few accounts of its own, its own model, one call at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use holdbook::proto::{HoldState, ListTransfersRequest};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::SECOND;
use super::dice::Dice;
use super::difference;
use super::generate::{Step, Subject};
use super::operation::{Clients, Operation, Reply};
use super::reference::{Account, Model, Settings, show};
use super::report::Report;

/// Freezes (true) or unfreezes (false) an account: not a caller's verb.
pub type FreezeHook = Arc<dyn Fn(String, bool) -> BoxFuture<'static, ()> + Send + Sync>;

/// Accounts of a lane that are alive at once.
pub(super) const ACCOUNTS: usize = 4;
/// Calls of an account that a difference shows.
const REMEMBERED: usize = 40;
/// How often a call is sent again while the server says UNAVAILABLE.
const RETRIES: u32 = 200;

pub struct Lane {
    pub number: u64,
    pub model: Model,
    pub report: Report,
    pub dice: Dice,
    pub(super) clients: Clients,
    hook: FreezeHook,
    pub(super) settings: Settings,
    seed: u64,
    pub(super) subjects: Vec<Subject>,
    /// The account, and the hold, for whose sake the clock was just moved to an edge.
    pub(super) focus: Option<(String, Option<String>)>,
    accounts_made: u64,
    done: u64,
    pub(super) calls: BTreeMap<String, VecDeque<String>>,
}

impl Lane {
    pub fn new(number: u64, seed: u64, clients: Clients, hook: FreezeHook, model: Model) -> Self {
        Self {
            number,
            settings: model.settings(),
            model,
            report: Report::default(),
            dice: Dice::new(seed, number),
            clients,
            hook,
            seed,
            subjects: Vec::new(),
            focus: None,
            accounts_made: 0,
            done: 0,
            calls: BTreeMap::new(),
        }
    }

    /// Makes up to so many steps; stops at the first difference and keeps it in the report.
    pub async fn round(mut self, steps: u64) -> Self {
        for _ in 0..steps {
            if let Err(difference) = self.step().await {
                self.report.differences.push(difference);
                break;
            }
            self.done += 1;
        }
        self
    }

    /// Inspects the accounts that are still alive.
    pub async fn finish(mut self) -> Self {
        for subject in std::mem::take(&mut self.subjects) {
            if let Err(difference) = self.retire(&subject.account_id).await {
                self.report.differences.push(difference);
                break;
            }
        }
        self
    }

    async fn step(&mut self) -> Result<(), String> {
        while self.subjects.len() < ACCOUNTS {
            self.accounts_made += 1;
            let account_id = format!("m{}-{}-{}", self.seed, self.number, self.accounts_made);
            self.subjects.push(Subject::new(&mut self.dice, account_id));
        }
        let focus = self.focus.take().unwrap_or_default();
        let focused = self.subjects.iter().position(|s| s.account_id == focus.0);
        let chosen = focused.unwrap_or_else(|| self.dice.below(ACCOUNTS as u64) as usize);
        let now = self.model.now();
        let subject = &mut self.subjects[chosen];
        let account_id = subject.account_id.clone();
        let account = self.model.look(&account_id);
        let step = match (account, focus.1) {
            (Some(account), Some(hold_id)) => {
                subject.aimed(&mut self.dice, account, &hold_id, &self.settings, now)
            }
            (account, _) => subject.next(&mut self.dice, account, &self.settings, now),
        };
        subject.left -= 1;
        let retired = subject.left == 0;
        match step {
            Step::Call(operation) => self.compare(*operation, &account_id).await?,
            Step::Freeze => self.freeze(&account_id, true).await,
            Step::Unfreeze => self.freeze(&account_id, false).await,
            Step::Inspect => self.inspect(&account_id, false).await?,
        }
        if retired {
            self.subjects.remove(chosen);
            self.retire(&account_id).await?;
        }
        Ok(())
    }

    async fn freeze(&mut self, account_id: &str, frozen: bool) {
        (self.hook)(account_id.into(), frozen).await;
        if frozen {
            self.model.freeze(account_id)
        } else {
            self.model.unfreeze(account_id)
        }
        self.note(
            account_id,
            if frozen {
                "frozen".into()
            } else {
                "unfrozen".into()
            },
        );
        self.report
            .happened(if frozen { "frozen" } else { "unfrozen" });
    }

    async fn retire(&mut self, account_id: &str) -> Result<(), String> {
        self.inspect(account_id, true).await?;
        if let Some(account) = self.model.look(account_id) {
            let commits = account.holds.iter().flat_map(|h| h.commits.iter());
            for (request, answer) in commits {
                match (answer.late, request.r#final) {
                    (true, _) => self.report.happened("late commit"),
                    (false, Some(false)) => self.report.happened("partial commit"),
                    (false, _) => self.report.happened("final commit"),
                }
            }
            account
                .rows
                .iter()
                .for_each(|row| self.report.count_row(row));
        }
        self.model.forget(account_id);
        self.calls.remove(account_id);
        Ok(())
    }

    /// Sends one call, asks the model, and compares.
    pub(super) async fn compare(
        &mut self,
        operation: Operation,
        subject: &str,
    ) -> Result<(), String> {
        let server = self.send(&operation).await;
        let mut model = operation.expect(&mut self.model);
        let outcome = match &mut model {
            Ok(reply) => reply.outcome(),
            Err(refusal) => difference::name_of(refusal.reasons[0]),
        };
        self.report.count(operation.rpc(), outcome);
        if let Some(resource) = model
            .as_ref()
            .err()
            .and_then(|refusal| refusal.metadata.get("resource"))
        {
            self.report.happened(&format!("no room for {resource}"));
        }
        self.note(subject, format!("{operation:?} -> {outcome}"));
        match difference::of_answers(&server, &model) {
            None => Ok(()),
            Some(found) => Err(self.told(subject, &format!("{operation:#?}"), &found).await),
        }
    }

    async fn send(&mut self, operation: &Operation) -> Result<Reply, Box<Status>> {
        let mut tries = 0;
        loop {
            match operation.send(&mut self.clients).await {
                Err(status) if status.code() == Code::Unavailable && tries < RETRIES => {
                    let details = status.get_error_details();
                    let delay = details.retry_info().and_then(|info| info.retry_delay);
                    tokio::time::sleep(delay.unwrap_or(Duration::from_millis(20))).await;
                    tries += 1;
                    self.report.retried += 1;
                }
                answer => return answer,
            }
        }
    }

    fn note(&mut self, account_id: &str, what: String) {
        let at = self.model.now();
        let calls = self.calls.entry(account_id.into()).or_default();
        calls.push_back(format!("[{}.{:06}] {what}", at / SECOND, at % SECOND));
        if calls.len() > REMEMBERED {
            calls.pop_front();
        }
    }

    /// A difference with all that helps to understand it.
    pub(super) async fn told(&mut self, account_id: &str, request: &str, found: &str) -> String {
        let mut text = vec![format!(
            "DIFFERENCE seed {} lane {} account {account_id}, step {} of the lane\n\nasked: {request}\n\ndiffers:\n{found}",
            self.seed, self.number, self.done
        )];
        text.push("\nits last calls, oldest first, with the model's outcome:".into());
        text.extend(
            self.calls
                .get(account_id)
                .into_iter()
                .flatten()
                .map(|call| format!("  {call}")),
        );
        if let Some(account) = self.model.look(account_id) {
            text.push(format!(
                "\nthe account by the model, after this call:\n{}",
                drawn(account)
            ));
            let rows = account.rows.iter().rev().take(12).rev();
            text.push("\nits last rows by the model:".into());
            text.extend(rows.map(row_line));
        }
        text.push("\nits last rows by the server:".into());
        let request = ListTransfersRequest {
            account_id: account_id.into(),
            page_size: 1000,
            ..Default::default()
        };
        match super::inspect::all_transfers(&mut self.clients, &request).await {
            Ok(rows) => text.extend(rows.iter().rev().take(12).rev().map(row_line)),
            Err(status) => text.push(format!("  {status}")),
        }
        text.join("\n")
    }
}

fn row_line(row: &holdbook::proto::Transfer) -> String {
    let at = row.occurred_at.unwrap_or_default();
    let to = if row.to_grant_id.is_empty() {
        String::new()
    } else {
        format!(" into {}", row.to_grant_id)
    };
    format!(
        "  {}.{} {} {:?} -> {:?} {} grant {:?} {:?}{to} hold {:?} actor {:?} at {}.{:09}",
        row.sequence,
        row.index,
        row.event,
        row.debit(),
        row.credit(),
        row.amount,
        row.grant_id,
        row.grant_kind(),
        row.hold_id,
        row.actor,
        at.seconds,
        at.nanos
    )
}

/// An account for a person: its balance, the grants and holds that still matter.
fn drawn(account: &Account) -> String {
    let mut lines = vec![format!(
        "  {:?} free {} held {} debt {} pending {} promised {} available {} overdraft {} credit {} sequence {} etag {}",
        account.state(),
        show(account.free()),
        show(account.held()),
        show(account.debt),
        show(account.pending()),
        show(account.promised()),
        show(account.available()),
        show(account.overdraft_limit),
        show(account.credit_limit),
        account.sequence,
        account.etag
    )];
    for g in account.grants.iter().rev().take(25) {
        lines.push(format!(
            "  grant {} {:?} {:?} of {} free {} priority {} from {} to {:?} rollover {:?} room {:?}",
            g.id, g.kind, g.standing, show(g.amount), show(g.free), g.priority, g.starts_at, g.expires_at, g.rollover, g.room
        ));
    }
    let open = account
        .holds
        .iter()
        .rev()
        .filter(|h| h.state == HoldState::Open);
    let ended = account
        .holds
        .iter()
        .rev()
        .filter(|h| h.state != HoldState::Open)
        .take(12);
    for h in open.chain(ended) {
        let pins: Vec<String> = h
            .pins
            .iter()
            .map(|(g, amount)| format!("{} {}", account.grants[*g].id, show(*amount)))
            .collect();
        lines.push(format!(
            "  hold {} {:?} pins [{}] promise {} charged {} overdrawn {} absorbed {} released {} refunded {} max {:?} {:?} from {} to {:?}, ended {:?}",
            h.id, h.state, pins.join(", "), show(h.promise), show(h.charged), show(h.overdrawn), show(h.absorbed), show(h.released),
            show(h.refunded), h.max_commit, h.overage, h.created_at, h.expires_at, h.ended_at
        ));
    }
    lines.join("\n")
}

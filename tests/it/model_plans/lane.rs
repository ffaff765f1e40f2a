//! One lane: an account at a time, its model, one call at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use holdbook::proto;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::super::model::{Dice, difference};
use super::call::{Call, Clients, Reply};
use super::generate::Subject;
use super::reference::{Account, DAY, HOUR, Micros, Refused, SECOND};
use super::{catalog, checks};

/// How often a call is sent again while the server says UNAVAILABLE.
const RETRIES: u32 = 200;

pub struct Lane {
    name: String,
    pub dice: Dice,
    pub clients: Clients,
    now: Micros,
    subject: Option<(Subject, Account)>,
    accounts_made: u64,
    history: Vec<String>,
    /// Steps so far.
    pub steps: u64,
    /// What the calls came to, by how many.
    pub outcomes: BTreeMap<String, u64>,
    pub difference: Option<String>,
}

impl Lane {
    pub fn new(name: String, dice: Dice, clients: Clients, now: Micros) -> Self {
        Self {
            name,
            dice,
            clients,
            now,
            subject: None,
            accounts_made: 0,
            history: Vec::new(),
            steps: 0,
            outcomes: BTreeMap::new(),
            difference: None,
        }
    }

    /// Makes so many steps; stops at the first difference and keeps it.
    pub async fn round(mut self, steps: u64) -> Self {
        for _ in 0..steps {
            if let Err(found) = self.step().await {
                self.difference = Some(self.told(&found));
                break;
            }
            self.steps += 1;
        }
        self
    }

    /// The last checks of the account that is still alive.
    pub async fn finish(mut self) -> Self {
        if let Err(found) = self.retire().await {
            self.difference = Some(self.told(&found));
        }
        self
    }

    /// The clock was moved.
    pub fn advanced(&mut self, now: Micros) {
        self.now = now;
        if let Some((_, account)) = &mut self.subject {
            account.until(now);
        }
    }

    async fn step(&mut self) -> Result<(), String> {
        let Some((mut subject, account)) = self.subject.take() else {
            self.accounts_made += 1;
            let id = format!("{}-{}", self.name, self.accounts_made);
            let account = Account::new(&id, catalog::known(), self.now);
            let subject = Subject::new(&mut self.dice, id);
            let create = subject.create(&mut self.dice);
            self.history.clear();
            self.subject = Some((subject, account));
            return self.compare(create).await;
        };
        let call = subject.next(&mut self.dice, &account);
        subject.left -= 1;
        let retires = subject.left == 0;
        self.subject = Some((subject, account));
        self.compare(call).await?;
        if retires {
            self.retire().await?;
        }
        Ok(())
    }

    async fn retire(&mut self) -> Result<(), String> {
        let Some((subject, _)) = &self.subject else {
            return Ok(());
        };
        for call in checks::last_calls(&subject.account_id, &mut self.dice) {
            self.compare(call).await?;
        }
        let Some((_, account)) = self.subject.take() else {
            return Ok(());
        };
        for (what, count) in &account.occurred {
            *self.outcomes.entry((*what).to_string()).or_default() += count;
        }
        checks::conserved(&mut self.clients, &account).await
    }

    /// Sends a call, asks the model, and compares.
    async fn compare(&mut self, call: Call) -> Result<(), String> {
        let server = self.send(&call).await;
        let Some((_, account)) = &mut self.subject else {
            return Ok(());
        };
        let model = call.expect(account);
        let outcome = match &model {
            Ok(_) => "ok".to_string(),
            Err(refused) => difference::name_of(refused.reason).to_string(),
        };
        let counted = format!("{} {outcome}", call.name());
        *self.outcomes.entry(counted).or_default() += 1;
        let told = match &model {
            Ok(Reply::GetBalance(_) | Reply::ListGrants(_) | Reply::ListBills(_)) => outcome,
            Ok(reply) => format!("{reply:?}"),
            Err(refused) => format!("{outcome} {:?}", refused.details),
        };
        let (second, micro) = (self.now / SECOND, self.now % SECOND);
        self.history
            .push(format!("[{second}.{micro:06}] {call:?}\n      -> {told}"));
        match differs(server, model) {
            None => checks::one_allowance(account, &call, &mut self.clients).await,
            Some(found) => Err(found),
        }
    }

    async fn send(&mut self, call: &Call) -> Result<Reply, Box<Status>> {
        for _ in 0..RETRIES {
            match call.send(&mut self.clients).await {
                Err(status) if status.code() == Code::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                answer => return answer,
            }
        }
        call.send(&mut self.clients).await
    }

    /// How far the clock moves next: a second to a year, often to where something becomes due, or beside it. Each lane says it
    /// twice in a row: first to shortly before a renewal, so that holds are made that are open then.
    pub fn next_advance(&mut self, first: bool) -> Micros {
        let account = self.subject.as_ref().map(|(_, account)| account);
        let renewal = account.and_then(|it| it.latest()?.bounds().1);
        let mut edges = account.map(Account::edges).unwrap_or_default();
        edges.sort_unstable();
        edges.truncate(4);
        let before = [-1, -SECOND, -HOUR, -12 * HOUR, -20 * HOUR];
        let beside = [0, 0, 0, 1, -1, -SECOND, -HOUR, HOUR];
        let (edges, beside) = match renewal {
            Some(at) if first => (vec![at], &before[..]),
            _ => (edges, &beside[..]),
        };
        match self.dice.below(100) {
            0..50 if !edges.is_empty() => {
                let at = self.dice.pick(&edges) + self.dice.pick(beside);
                (at - self.now).clamp(0, 40 * DAY)
            }
            0..70 => {
                let short = [SECOND, 60 * SECOND, HOUR, 5 * HOUR, 23 * HOUR];
                self.dice.pick(&short)
            }
            70..89 => {
                let days = [DAY, 2 * DAY, 3 * DAY + 1, 6 * DAY, 11 * DAY + 7];
                self.dice.pick(&days)
            }
            89..98 => self.dice.pick(&[20 * DAY, 30 * DAY, 31 * DAY, 45 * DAY]),
            _ => self.dice.pick(&[90 * DAY, 200 * DAY, 365 * DAY, 366 * DAY]),
        }
    }

    fn told(&self, found: &str) -> String {
        format!(
            "DIFFERENCE of {}-{}\n{found}\n\nits calls, oldest first, with the model's outcome:\n  {}",
            self.name,
            self.accounts_made,
            self.history.join("\n  ")
        )
    }
}

fn differs(server: Result<Reply, Box<Status>>, model: Result<Reply, Refused>) -> Option<String> {
    match (server, model) {
        (Ok(server), Ok(model)) => difference::of_messages(&server.compared(), &model.compared()),
        (Err(server), Ok(model)) => Some(format!(
            "the server refuses: {:?}\nthe model answers {model:#?}",
            server.get_error_details().error_info()
        )),
        (Ok(server), Err(model)) => Some(format!(
            "the model refuses: {model:?}\nthe server answers {server:#?}"
        )),
        (Err(server), Err(model)) => {
            let details = server.get_error_details();
            let same = details.error_info().is_some_and(|info| {
                let sent = |name: &str| info.metadata.get(name).map_or("", String::as_str);
                let mut wanted = model.details.iter();
                info.reason == difference::name_of(model.reason)
                    && wanted.all(|(name, value)| sent(name) == value)
            });
            let info = details.error_info();
            (!same).then(|| format!("the model refuses: {model:?}\nthe server: {info:?} {server}"))
        }
    }
}

/// The clock's own call, which no lane makes.
pub fn moves(by: Micros) -> proto::AdvanceRequest {
    proto::AdvanceRequest {
        by: Some(super::generate::duration(by)),
    }
}

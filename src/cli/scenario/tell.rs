//! The lines of the story: plain words, aligned columns, colours on a terminal.

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};

use super::{
    super::{names::Named, refusal::Refusal, totals::Totals},
    ask::Answer,
    script::Act,
};
use crate::proto::{CommitResponse, GrantAmount, GrantCreditsResponse, HoldState};

/// Writes the lines.
#[derive(Debug)]
pub struct Teller<'a, W: Write> {
    /// Where to.
    pub out: &'a mut W,
    /// With colours.
    pub colour: bool,
}

impl<W: Write> Teller<'_, W> {
    /// Opens an account's part.
    pub fn scene_heading(&mut self, title: &str, account_id: &str) -> io::Result<()> {
        let bold = self.style(Style::new().bold());
        writeln!(self.out, "\n{bold}{title}{bold:#} ({account_id})")?;
        let dim = self.style(Style::new().dimmed());
        writeln!(
            self.out,
            "{dim}  {:<8} {:<24} {:<52} {:>6} {:>6} {:>6}{dim:#}",
            "call", "what", "answer", "free", "held", "debt"
        )
    }

    /// One step.
    pub fn step(&mut self, verb: &str, what: &str, got: &Answer) -> io::Result<()> {
        let style = self.style(answer_style(&got.answer));
        writeln!(
            self.out,
            "  {verb:<8} {what:<24} {style}{:<52}{style:#} {:>6} {:>6} {:>6}",
            got.answer, got.free, got.held, got.debt
        )?;
        self.out.flush()
    }

    /// Opens the totals.
    pub fn totals_heading(&mut self) -> io::Result<()> {
        let bold = self.style(Style::new().bold());
        writeln!(self.out, "\n{bold}Totals in the ledger{bold:#}")?;
        let dim = self.style(Style::new().dimmed());
        write!(self.out, "{dim}  {:<18}", "account")?;
        for (name, _) in Totals::default().named() {
            write!(self.out, " {name:>9}")?;
        }
        writeln!(self.out, "{dim:#}")
    }

    /// An account's totals.
    pub fn totals(&mut self, account_id: &str, totals: &Totals) -> io::Result<()> {
        write!(self.out, "  {account_id:<18}")?;
        for (_, amount) in totals.named() {
            write!(self.out, " {:>9}", amount.normalize().to_string())?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    fn style(&self, style: Style) -> Style {
        if self.colour { style } else { Style::new() }
    }
}

fn answer_style(answer: &str) -> Style {
    let colour = match answer.split([':', ' ']).next() {
        Some("refused") => AnsiColor::Red,
        Some("replayed") => AnsiColor::Cyan,
        Some("late" | "expired") => AnsiColor::Magenta,
        _ if answer.contains("overdrawn") || answer.contains("absorbed") => AnsiColor::Yellow,
        _ => AnsiColor::Green,
    };
    colour.on_default()
}

/// The verb of an act and what it is about.
pub fn act(act: Act) -> (&'static str, String) {
    match act {
        Act::Create(limit, _) => ("create", format!("overdraft limit {limit}")),
        Act::Grant(grant_id, kind, amount) => {
            ("grant", format!("{grant_id} {amount} {}", kind.word()))
        }
        Act::Reserve(hold_id, amount) => ("reserve", format!("{hold_id} {amount}")),
        Act::ReserveShort(hold_id, amount) => ("reserve", format!("{hold_id} {amount} for 0.3 s")),
        Act::Commit(hold_id, amount) => ("commit", format!("{hold_id} {amount}")),
        Act::CommitPart(hold_id, commit_id, amount) => {
            ("commit", format!("{hold_id}/{commit_id} {amount}"))
        }
        Act::Release(hold_id) => ("release", hold_id.to_owned()),
        Act::Watch(hold_id) => ("expiry", hold_id.to_owned()),
        Act::Charge(hold_id, amount) => ("charge", format!("{hold_id} {amount}")),
        Act::Refund(hold_id, refund_id, amount) => {
            ("refund", format!("{hold_id}/{refund_id} {amount}"))
        }
        Act::Close => ("close", "the account".to_owned()),
    }
}

/// An answer that may be a repeat.
pub fn repeated(replayed: bool, words: String) -> String {
    if replayed {
        format!("replayed: {words}")
    } else {
        words
    }
}

/// What a grant did.
pub fn granted(answer: &GrantCreditsResponse) -> String {
    let free = answer
        .grant
        .as_ref()
        .map_or("?", |grant| grant.free.as_str());
    let words = match answer.settled.as_str() {
        "0" => format!("{free} free"),
        settled => format!("{settled} settle the debt, {free} free"),
    };
    repeated(answer.replayed, words)
}

/// Amounts by grant, as `20 promo + 10 top-up`.
pub fn by_grant(amounts: &[GrantAmount]) -> String {
    let words: Vec<String> = amounts
        .iter()
        .map(|part| format!("{} {}", part.amount, part.kind().word()))
        .collect();
    words.join(" + ")
}

/// What a commit did.
pub fn committed(answer: &CommitResponse) -> String {
    let mut words = format!("charged {}", answer.charged);
    for (name, amount) in [
        ("overdrawn", &answer.overdrawn),
        ("absorbed", &answer.absorbed),
        ("released", &answer.released),
    ] {
        if amount != "0" {
            words += &format!(", {name} {amount}");
        }
    }
    if answer
        .hold
        .as_ref()
        .is_some_and(|hold| hold.state() == HoldState::Open)
    {
        words += ", still open";
    }
    if answer.late {
        words = format!("late: {words}");
    }
    repeated(answer.replayed, words)
}

/// A refusal in a line: the reason and the number that matters most.
pub fn refusal(refusal: &Refusal) -> String {
    let reason = refusal.reason.as_deref().unwrap_or(refusal.code);
    let detail = match reason {
        "INSUFFICIENT_CREDITS" => format!(", short by {}", refusal.number("short_by")),
        "IN_DEBT" => format!(", owes {}", refusal.number("debt")),
        "ID_REUSED" => format!(", differs in {}", refusal.number("fields")),
        "CONCURRENCY_LIMIT" => format!(
            ", {} of {} open",
            refusal.number("open_holds"),
            refusal.number("max_open_holds")
        ),
        _ => format!(", {}", refusal.message),
    };
    format!(
        "refused: {reason} ({}){detail}",
        refusal.number("http_status")
    )
}

//! The audit: the ledger against itself, and Redis against the ledger.
//!
//! Owns what is compared and how a difference is told; reads only, page by page, beside a running service. Corrects nothing:
//! a difference is for a person to look at.

mod book;
mod light;
mod plans;
mod report;
mod stores;

pub use self::{
    light::{LightAudit, Looked},
    report::Report,
};
use crate::{
    holds::{Holds, HoldsError},
    ledger::{Decode, Ledger, LedgerError},
};

/// Accounts in one page.
const ACCOUNTS_PAGE: u32 = 200;
/// Events in one page.
const EVENTS_PAGE: u32 = 1000;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Redis did not answer.
    #[error("the audit did not come to an end: {0}")]
    Holds(#[from] HoldsError),
    /// Postgres did not answer.
    #[error("the audit did not come to an end: {0}")]
    Ledger(#[from] LedgerError),
}

/// Audits the ledger, then Redis against it.
///
/// # Errors
/// A store did not answer.
pub async fn audit(holds: &Holds, ledger: &Ledger) -> Result<Report, AuditError> {
    let mut report = audit_ledger(ledger, Holds::decode_event).await?;
    stores::compare(holds, ledger, &mut report).await?;
    Ok(report)
}

/// Audits the ledger alone; `decode` reads what it keeps of each event.
///
/// # Errors
/// Postgres did not answer.
pub async fn audit_ledger(ledger: &Ledger, decode: Decode) -> Result<Report, AuditError> {
    let mut report = Report::default();
    let mut auditor = ledger.auditor().await?;
    let mut after = String::new();
    loop {
        let accounts = auditor.accounts(&after, ACCOUNTS_PAGE).await?;
        let Some(last) = accounts.last() else { break };
        report.accounts += accounts.len() as u64;
        report.add(auditor.compare(&accounts).await?);
        after.clone_from(last);
    }
    let mut after = (String::new(), 0);
    loop {
        let mut page = auditor.events((&after.0, after.1), EVENTS_PAGE).await?;
        report.events += page.events.len() as u64;
        report.transfers += page
            .transfers
            .values()
            .map(|lines| lines.len() as u64)
            .sum::<u64>();
        let last = page
            .events
            .last()
            .map(|event| (event.account.clone(), event.sequence));
        report.add(book::check(&mut page, decode));
        match last {
            Some(last) if page.events.len() >= EVENTS_PAGE as usize => after = last,
            _ => break,
        }
    }
    let mut after = None;
    loop {
        let page = ledger.quarantine(after, EVENTS_PAGE).await?;
        report.add(page.rows.into_iter().map(book::waits));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(report),
        }
    }
}

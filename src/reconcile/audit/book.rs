//! Each event posted again, and compared with the rows that the ledger has of it: names the very row that was altered.

use crate::{
    domain::{
        event::Event,
        posting::{self, Transfer},
    },
    ledger::{Decode, Difference, EventPage, QuarantinedEvent, StoredEvent, StoredTransfer},
};

/// What differs in a page; its transfers are taken out.
pub(super) fn check(page: &mut EventPage, decode: Decode) -> Vec<Difference> {
    let mut found = Vec::new();
    for stored in &page.events {
        let lines = page
            .transfers
            .remove(&(stored.account.clone(), stored.sequence))
            .unwrap_or_default();
        check_event(stored, &lines, decode, &mut found);
    }
    for ((account, sequence), lines) in std::mem::take(&mut page.transfers) {
        for line in lines {
            let row = format!("transfer {sequence}/{}", line.line);
            found.push(difference(&account, row, "event", "an event", "none"));
        }
    }
    found
}

/// An event in quarantine is not in the book: that alone is a difference.
pub(super) fn waits(event: QuarantinedEvent) -> Difference {
    let at = event.position;
    let row = format!(
        "event {}-{} ({}) of partition {}",
        at.epoch, at.n, at.index, at.partition
    );
    difference(&event.account, row, "quarantine", "posted", event.why)
}

fn check_event(
    stored: &StoredEvent,
    lines: &[StoredTransfer],
    decode: Decode,
    found: &mut Vec<Difference>,
) {
    let row = || format!("event {}", stored.sequence);
    if !stored.has_account {
        found.push(difference(
            &stored.account,
            row(),
            "account",
            "an account",
            "none",
        ));
    }
    let event = match decode(stored.position, &stored.raw) {
        Ok(event) => event,
        Err(why) => return found.push(difference(&stored.account, row(), "raw", "readable", why)),
    };
    let mut compare = |row: String, values: Vec<(&str, String, String)>| {
        for (column, expected, is) in values {
            if expected != is {
                found.push(difference(
                    &stored.account,
                    row.clone(),
                    column,
                    expected,
                    is,
                ));
            }
        }
    };
    compare(row(), header(&event, stored));
    let posted = posting::post(&event);
    for transfer in &posted {
        let row = format!("transfer {}/{}", stored.sequence, transfer.line);
        match lines.iter().find(|line| line.line == transfer.line) {
            Some(line) => compare(row, columns(&event, transfer, line)),
            None => compare(row, vec![("row", "there".into(), "missing".into())]),
        }
    }
    for line in lines
        .iter()
        .filter(|line| !posted.iter().any(|transfer| transfer.line == line.line))
    {
        let row = format!("transfer {}/{}", stored.sequence, line.line);
        compare(
            row,
            vec![(
                "row",
                "none: its event has no such line".into(),
                "there".into(),
            )],
        );
    }
}

fn header<'a>(event: &Event, stored: &StoredEvent) -> Vec<(&'a str, String, String)> {
    let hold_sequence = event.fact.hold().map(|fact| fact.hold.sequence);
    vec![
        ("account_id", event.account.clone(), stored.account.clone()),
        (
            "sequence",
            event.sequence.to_string(),
            stored.sequence.to_string(),
        ),
        ("deed", text(event.fact.deed()), text(stored.deed.clone())),
        ("name", event.fact.name().into(), stored.name.clone()),
        (
            "hold_sequence",
            text(hold_sequence),
            text(stored.hold_sequence),
        ),
        ("actor", event.actor.clone(), stored.actor.clone()),
        (
            "occurred_at",
            event.occurred_at.to_string(),
            stored.occurred_at.to_string(),
        ),
    ]
}

fn columns<'a>(
    event: &Event,
    transfer: &Transfer,
    line: &StoredTransfer,
) -> Vec<(&'a str, String, String)> {
    let hold = event.fact.hold();
    vec![
        ("debit", transfer.debit.name().into(), line.debit.clone()),
        ("credit", transfer.credit.name().into(), line.credit.clone()),
        (
            "amount",
            transfer.amount.to_string(),
            line.amount.to_string(),
        ),
        (
            "grant_no",
            transfer.grant_no.to_string(),
            line.grant_no.to_string(),
        ),
        (
            "to_grant_no",
            transfer.to_grant_no.to_string(),
            line.to_grant_no.to_string(),
        ),
        (
            "hold_sequence",
            text(hold.map(|fact| fact.hold.sequence)),
            text(line.hold_sequence),
        ),
        (
            "hold_id",
            text(hold.map(|fact| fact.hold_id.clone())),
            text(line.hold_id.clone()),
        ),
        ("event", event.fact.name().into(), line.event.clone()),
        ("actor", event.actor.clone(), line.actor.clone()),
        (
            "occurred_at",
            event.occurred_at.to_string(),
            line.occurred_at.to_string(),
        ),
    ]
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}

fn difference(
    account: &str,
    row: String,
    column: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Difference {
    let (account, column) = (account.to_owned(), column.to_owned());
    Difference {
        account,
        row,
        column,
        expected: expected.into(),
        found: found.into(),
    }
}

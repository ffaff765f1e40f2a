//! The ledger on a real Postgres: events in, rows out. Events are made by hand, so that no other room is needed.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod audit;
mod book;
mod docs;
mod facts;
mod frozen;
mod lists;
mod posting;
mod quarantine;
mod rights;

use holdbook::ledger::{Cursor, Ledger, migrate};
use tokio_postgres::Client;

use crate::support;

/// A ledger of two partitions, its owner's connection, and the cursor that it starts at.
pub struct Fresh {
    pub url: String,
    pub ledger: Ledger,
    pub owner: Client,
    pub start: Cursor,
}

/// The era that a fresh ledger is opened in.
pub const EPOCH: u64 = 1_700_000_000_000;

pub async fn fresh() -> Fresh {
    let url = support::postgres_url().await;
    migrate(&url).await.unwrap();
    let ledger = Ledger::connect(&url, 4).await.unwrap();
    let partitions = ledger.bootstrap(2, true, EPOCH).await.unwrap();
    let (owner, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    Fresh {
        url,
        ledger,
        owner,
        start: partitions[0].cursor,
    }
}

impl Fresh {
    /// A table as text, one row a line, columns with spaces between.
    pub async fn table(&self, query: &str) -> String {
        let rows = self.owner.simple_query(query).await.unwrap();
        let mut lines = Vec::new();
        for message in rows {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                let cells: Vec<_> = (0..row.len())
                    .map(|column| row.get(column).unwrap_or("-"))
                    .collect();
                lines.push(cells.join(" "));
            }
        }
        lines.join("\n")
    }
}

//! What Postgres needs at least: the rows that a load made, copied as they are into tables of the same form.

use std::{pin::pin, time::Duration};

use futures_util::{SinkExt, TryStreamExt};
use tokio_postgres::{Client, NoTls};

use super::{Outcome, stack::Stack};

/// The tables that get rows of a load, and which of them are of it.
const ROWS: [(&str, &str); 3] = [
    (
        "events",
        "select e.* from events e join holds h on h.account_id = e.account_id and h.sequence = e.hold_sequence
        where h.hold_id like $1",
    ),
    ("transfers", "select * from transfers where hold_id like $1"),
    ("holds", "select * from holds where hold_id like $1"),
];

/// Tables of the same form.
pub struct Copies(Client);

impl Copies {
    /// Makes them.
    pub async fn start(stack: &Stack) -> Outcome<Self> {
        let (client, connection) = tokio_postgres::connect(&stack.postgres_url(), NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute("create schema copies").await?;
        for (table, _) in ROWS {
            let like = format!("create table copies.{table} (like public.{table} including all)");
            client.batch_execute(&like).await?;
        }
        Ok(Self(client))
    }

    /// Postgres' processor time for the rows of all holds whose ids begin with `phase`, which came from `events` events.
    pub async fn cost(&self, stack: &Stack, phase: &str, events: u64) -> Outcome<Duration> {
        let mut cost = Duration::ZERO;
        for (table, rows) in ROWS {
            let rows = rows.replace("$1", &format!("'{phase}-%'"));
            let out = format!("copy ({rows}) to stdout (format binary)");
            let data: Vec<_> = self.0.copy_out(&out).await?.try_collect().await?;
            self.0
                .batch_execute(&format!("truncate copies.{table}"))
                .await?;
            let before = stack.postgres_cpu().await?;
            let copy = format!("copy copies.{table} from stdin (format binary)");
            let mut sink = pin!(self.0.copy_in(&copy).await?);
            for part in data {
                sink.feed(part).await?;
            }
            let copied = sink.finish().await?;
            cost += stack.postgres_cpu().await? - before;
            if table == "events" && copied != events {
                return Err(format!("{events} events were made, {copied} copied").into());
            }
        }
        Ok(cost)
    }
}

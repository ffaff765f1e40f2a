//! What people would build first: accounts in Postgres, and one statement for a reserve and one for its end. No service stands between it
//! and its caller, and it knows neither grants nor expiry nor repeats.

use std::{sync::Arc, time::Duration};

use tokio_postgres::{Client, NoTls, Statement, types::ToSql};

use super::{
    Outcome,
    load::{self, Load},
    stack::Stack,
};

/// One account, as all callers want it. Amounts are micro-credits.
const TABLES: &str = "
create schema baseline;
create table baseline.accounts (id text primary key, free bigint not null check (free >= 0), held bigint not null);
create table baseline.holds (id text primary key, account_id text not null, amount bigint not null, state text not null);
create table baseline.transfers (id bigserial primary key, account_id text not null, hold_id text not null, kind text not null,
    amount bigint not null, at timestamptz not null default now());
insert into baseline.accounts values ('hot', 1000000000000000, 0)";

const RESERVE: &str = "
with a as (
    update baseline.accounts set free = free - $2, held = held + $2 where id = $1 and free >= $2 returning id
), h as (
    insert into baseline.holds select $3, id, $2, 'open' from a returning id
)
insert into baseline.transfers (account_id, hold_id, kind, amount) select $1, id, 'hold', $2 from h";

const COMMIT: &str = "
with h as (
    update baseline.holds set state = 'committed' where id = $3 and state = 'open' returning amount
), a as (
    update baseline.accounts set held = held - h.amount, free = free + h.amount - $2 from h where id = $1 returning id
)
insert into baseline.transfers (account_id, hold_id, kind, amount) select id, $3, 'spend', $2 from a";

/// A connection with its statements.
#[derive(Clone)]
pub struct Baseline {
    client: Arc<Client>,
    reserve: Statement,
    commit: Statement,
}

impl Baseline {
    /// Makes the tables; answers so many connections.
    pub async fn start(stack: &Stack, connections: usize) -> Outcome<Vec<Self>> {
        let mut all = Vec::with_capacity(connections);
        for number in 0..connections {
            let (client, connection) =
                tokio_postgres::connect(&stack.postgres_url(), NoTls).await?;
            tokio::spawn(connection);
            if number == 0 {
                client.batch_execute(TABLES).await?;
            }
            all.push(Self {
                reserve: client.prepare(RESERVE).await?,
                commit: client.prepare(COMMIT).await?,
                client: Arc::new(client),
            });
        }
        Ok(all)
    }

    async fn one(&self, statement: &Statement, amount: i64, hold: &str) -> Outcome<()> {
        let parameters: [&(dyn ToSql + Sync); 3] = [&"hot", &amount, &hold];
        match self.client.execute(statement, &parameters).await? {
            1 => Ok(()),
            rows => Err(format!("a statement of the baseline wrote {rows} rows").into()),
        }
    }
}

/// Pairs on the one account, a caller for each connection.
pub async fn pairs(connections: &[Baseline], round: usize, length: Duration) -> Outcome<Load> {
    let turn = move |baseline: Baseline, number| async move {
        let hold = format!("hot{round}-{number}");
        baseline.one(&baseline.reserve, 1_500_000, &hold).await?;
        baseline.one(&baseline.commit, 1_250_000, &hold).await?;
        Ok(2)
    };
    load::callers(connections.len(), connections, length, u64::MAX, turn).await
}

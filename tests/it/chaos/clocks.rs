//! What the ledger says of the accounts' clocks (T1).

use tokio_postgres::Client;

/// By less, nobody has turned a clock.
const AHEAD_S: f64 = 20.0;
/// So many entries at one instant: an entry takes all of an account's calls that were made in one.
const AT_ONCE: i64 = 10;

/// Where an account's clock went back, which it must never do.
pub async fn went_back(ledger: &Client) -> Vec<String> {
    let sql = "select account_id, sequence from (select account_id, sequence,
            occurred_at < lag(occurred_at) over (partition by account_id order by sequence) as back from events) each_of
        where back order by 1, 2";
    let rows = ledger.query(sql, &[]).await.expect("the ledger answers");
    rows.iter()
        .map(|row| {
            let (account, sequence): (String, i64) = (row.get(0), row.get(1));
            format!("{account}: its clock went back at {sequence}")
        })
        .collect()
}

/// Whether something was booked before its time.
pub async fn ran_ahead(ledger: &Client) -> bool {
    let sql = "select coalesce(bool_or(occurred_at > booked_at + $1 * interval '1 second'), false) from events";
    let row = ledger.query_one(sql, &[&AHEAD_S]).await;
    row.expect("the ledger answers").get(0)
}

/// Whether much was done on an account at one instant.
pub async fn stood_still(ledger: &Client) -> bool {
    let sql = "select exists (select from events group by account_id, occurred_at having count(distinct (epoch, n)) >= $1)";
    let row = ledger.query_one(sql, &[&AT_ONCE]).await;
    row.expect("the ledger answers").get(0)
}

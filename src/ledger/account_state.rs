//! An account as the ledger has it, for the comparison with Redis.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::{
    LedgerError,
    audit::{Auditor, snapshot},
    columns, value,
};
use crate::domain::{
    account::{AccountTerms, Standing},
    credits::Credits,
    hold::HoldState,
    plan::Spending,
};

/// An account as the ledger has it, for the comparison with Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// The last event posted.
    pub sequence: u64,
    /// Its declared side.
    pub terms: AccountTerms,
    /// Credits that can be spent.
    pub free: Credits,
    /// Credits pinned.
    pub held: Credits,
    /// Credits owed.
    pub debt: Credits,
    /// Of grants that have not started.
    pub pending: Credits,
    /// Free and held of each started grant that has some, by number.
    pub grants: BTreeMap<u32, (Credits, Credits)>,
    /// Open holds by id: held, promised, charged, overdrawn, absorbed, released, refunded.
    pub open_holds: BTreeMap<String, [Credits; 7]>,
    /// What Redis keeps of its plan, and the record of its subscription.
    pub plan: (Vec<u8>, Vec<u8>),
    /// What was spent under spend caps.
    pub spending: Vec<Spending>,
}

impl Auditor {
    /// An account, its live grants and its open holds, at one instant.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn account(&mut self, account: &str) -> Result<Option<AccountState>, LedgerError> {
        let tx = snapshot(&mut self.0).await?;
        let sql = "select sequence, standing, frozen, overdraft_limit, credit_limit, max_open_holds, etag, free, held, debt \
            from accounts where account_id = $1";
        let Some(row) = tx.query_opt(sql, &[&account]).await? else {
            return Ok(None);
        };
        let sql = "select no, status, amount, free, held from grants \
            where account_id = $1 and (free <> 0 or held <> 0 or status = 'pending')";
        let (mut grants, mut pending) = (BTreeMap::new(), Credits::ZERO);
        for row in tx.query(sql, &[&account]).await? {
            if row.get::<_, &str>("status") == "pending" {
                pending += value::credits(row.get("amount"))?;
            } else {
                let amounts = (
                    value::credits(row.get("free"))?,
                    value::credits(row.get("held"))?,
                );
                grants.insert(value::unsigned_int(row.get("no"))?, amounts);
            }
        }
        let sql = "select hold_id, held, promised, charged, overdrawn, absorbed, released, refunded from holds \
            where account_id = $1 and state = $2";
        let mut open_holds = BTreeMap::new();
        for row in tx.query(sql, &[&account, &HoldState::Open.name()]).await? {
            let mut amounts = [Credits::ZERO; 7];
            for (at, amount) in amounts.iter_mut().enumerate() {
                *amount = value::credits(row.get(at + 1))?;
            }
            open_holds.insert(row.get(0), amounts);
        }
        let sql = include_str!("sql/audit/plan.sql");
        let planned = tx.query_one(sql, &[&account]).await?;
        let bytes = |column| {
            planned
                .get::<_, Option<Vec<u8>>>(column)
                .unwrap_or_default()
        };
        let terms = terms(&row)?;
        Ok(Some(AccountState {
            plan: (bytes("plan"), bytes("record")),
            spending: columns::spending(&planned)?,
            sequence: value::unsigned(row.get("sequence"))?,
            terms,
            free: value::credits(row.get("free"))?,
            held: value::credits(row.get("held"))?,
            debt: value::credits(row.get("debt"))?,
            pending,
            grants,
            open_holds,
        }))
    }
}

fn terms(row: &Row) -> Result<AccountTerms, LedgerError> {
    let standing: &str = row.get("standing");
    let standing = match standing {
        "active" => Standing::Active,
        "suspended" => Standing::Suspended,
        "closed" => Standing::Closed,
        _ => {
            return Err(LedgerError::Bug(format!(
                "standing {standing:?} in the ledger is unknown"
            )));
        }
    };
    let etag: i64 = row.get("etag");
    Ok(AccountTerms {
        standing,
        frozen: row.get("frozen"),
        overdraft_limit: value::credits(row.get("overdraft_limit"))?,
        credit_limit: value::credits(row.get("credit_limit"))?,
        max_open_holds: value::unsigned_int(row.get("max_open_holds"))?,
        etag: u32::try_from(etag)
            .map_err(|_| LedgerError::Bug(format!("etag {etag} in the ledger is out of range")))?,
    })
}

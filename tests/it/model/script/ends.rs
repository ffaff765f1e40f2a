//! How every table ends: nothing is under way, the account is the model's whole, and its rows add up to what it says it has.

use std::sync::Arc;

use holdbook::proto::{
    self, GrantState, HoldState, LedgerAccount, ListGrantsRequest, ListHoldsRequest,
    ListTransfersRequest, Transfer,
};

use tonic::Code;

use super::Table;
use crate::model::inspect::all_transfers;
use crate::model::lane::Lane;
use crate::model::operation::Clients;
use crate::model::reference::parse;

/// Drains, compares everything, adds up.
pub async fn meet(table: Table<'_>) -> Result<(), String> {
    table.stack.drain().await;
    let Table {
        mut clients,
        model,
        accounts,
        ..
    } = table;
    for account_id in &accounts {
        sums(&mut clients, account_id).await?;
    }
    let no_freezing = Arc::new(|_, _| Box::pin(std::future::ready(())) as _);
    let mut lane = Lane::new(0, 0, clients, no_freezing, model);
    for account_id in &accounts {
        lane.inspect(account_id, true).await?;
    }
    Ok(())
}

fn credits(text: &str) -> i64 {
    parse(text).unwrap_or_else(|| panic!("{text:?} is no amount"))
}

/// What a side of the ledger has: what it took less what it gave.
fn side(rows: &[Transfer], side: LedgerAccount) -> i64 {
    let with_sign = |row: &Transfer| {
        let amount = credits(&row.amount);
        let took = i64::from(row.credit() == side) * amount;
        took - i64::from(row.debit() == side) * amount
    };
    rows.iter().map(with_sign).sum()
}

/// The balance, the holds and the grants, each against the sums of the account's rows. Knows nothing of the model.
async fn sums(clients: &mut Clients, account_id: &str) -> Result<(), String> {
    let told = |status: tonic::Status| format!("  refused: {status}");
    let request = proto::GetBalanceRequest {
        account_id: account_id.into(),
    };
    let balance = match clients.accounts.get_balance(request).await {
        // A creation that was refused.
        Err(status) if status.code() == Code::NotFound => return Ok(()),
        answer => answer.map_err(told)?.into_inner().balance,
    };
    let balance = balance.ok_or("  no balance")?;
    let request = ListTransfersRequest {
        account_id: account_id.into(),
        page_size: 1000,
        ..Default::default()
    };
    let rows = all_transfers(clients, &request).await?;
    let request = ListHoldsRequest {
        account_id: account_id.into(),
        page_size: 1000,
        ..Default::default()
    };
    let holds = clients.metering.list_holds(request).await;
    let holds = holds.map_err(told)?.into_inner().holds;
    let request = ListGrantsRequest {
        account_id: account_id.into(),
        page_size: 1000,
        ..Default::default()
    };
    let grants = clients.grants.list_grants(request).await;
    let grants = grants.map_err(told)?.into_inner().grants;

    let open = holds.iter().filter(|h| h.state() == HoldState::Open);
    let (mut spent, mut absorbed) = (0, 0);
    for hold in &holds {
        absorbed += credits(&hold.absorbed);
        spent += credits(&hold.charged) + credits(&hold.overdrawn) + credits(&hold.absorbed);
        spent -= credits(&hold.refunded);
    }
    let active = grants.iter().filter(|g| g.state() == GrantState::Active);
    let pending = grants.iter().filter(|g| g.state() == GrantState::Pending);
    let (free, held) = (credits(&balance.free), credits(&balance.held));
    use LedgerAccount::{Absorbed, Breakage, Debt, Free, Held, Issued, Spent};
    let issued = -side(&rows, Issued);
    let kept = free + held + spent + side(&rows, Breakage);
    let equal = [
        ("free of the rows", side(&rows, Free), free),
        ("held of the rows", side(&rows, Held), held),
        (
            "debt of the rows",
            -side(&rows, Debt),
            credits(&balance.debt),
        ),
        ("spent of the rows", side(&rows, Spent), spent),
        ("absorbed of the rows", -side(&rows, Absorbed), absorbed),
        (
            "the pins of open holds",
            open.map(|h| credits(&h.held)).sum(),
            held,
        ),
        (
            "free of active grants",
            active.map(|g| credits(&g.free)).sum(),
            free,
        ),
        (
            "held of the grants",
            grants.iter().map(|g| credits(&g.held)).sum(),
            held,
        ),
        (
            "pending grants",
            pending.map(|g| credits(&g.free)).sum(),
            credits(&balance.pending),
        ),
        (
            "conservation",
            issued + credits(&balance.debt) + absorbed,
            kept,
        ),
    ];
    let wrong = equal.iter().filter(|(_, summed, said)| summed != said);
    let wrong: Vec<String> = wrong
        .map(|(what, summed, said)| {
            format!("  {what}: {summed} micro-credits, the account says {said}")
        })
        .collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

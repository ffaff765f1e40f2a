//! What must be true whatever the model says: no cycle's credits twice, one cycle's credits at each instant, and no credit lost.

use std::collections::{BTreeMap, BTreeSet};

use holdbook::proto::{self, GrantKind, LedgerAccount, SubscriptionState};

use super::super::model::Dice;
use super::call::{Call, Clients, Reply};
use super::generate::{list_bills, list_grants};
use super::reference::{Account, Credits, micros, parse};

/// What an account is asked before it is left, and whether it may be closed.
pub fn last_calls(account_id: &str, dice: &mut Dice) -> Vec<Call> {
    let account_id = account_id.to_string();
    let mut calls = vec![
        Call::GetSubscription(proto::GetSubscriptionRequest {
            account_id: account_id.clone(),
            subscription_id: String::new(),
        }),
        Call::GetAccount(proto::GetAccountRequest {
            account_id: account_id.clone(),
        }),
        Call::GetBalance(proto::GetBalanceRequest {
            account_id: account_id.clone(),
        }),
        list_grants(account_id.clone()),
        list_bills(account_id.clone()),
    ];
    if dice.chance(30) {
        calls.push(Call::CloseAccount(proto::CloseAccountRequest {
            account_id: account_id.clone(),
            durability: 0,
        }));
        calls.push(list_grants(account_id));
    }
    calls
}

/// By what the service itself lists: each grant once, and of a running subscription whose credits do not wait exactly one cycle's.
pub async fn one_allowance(
    account: &Account,
    call: &Call,
    clients: &mut Clients,
) -> Result<(), String> {
    let Call::ListGrants(request) = call else {
        return Ok(());
    };
    let of = request.account_id.clone();
    let latest = Call::GetSubscription(proto::GetSubscriptionRequest {
        account_id: of.clone(),
        subscription_id: String::new(),
    });
    let told = |status: Box<tonic::Status>| format!("asked for what stands: {status}");
    let Reply::ListGrants(listed) = call.send(clients).await.map_err(told)? else {
        return Err("another answer".into());
    };
    let mut ids = BTreeSet::new();
    let twice = listed
        .grants
        .iter()
        .find(|grant| !ids.insert(&grant.grant_id));
    if let Some(twice) = twice {
        return Err(format!("granted twice: {twice:?}"));
    }
    // A cycle that began under a plan without credits has none of its own.
    if account.latest().is_none_or(|it| it.began_with == 0) {
        return Ok(());
    }
    let Reply::GetSubscription(found) = latest.send(clients).await.map_err(told)? else {
        return Err("another answer".into());
    };
    let it = found.subscription.unwrap_or_default();
    let goes_on = matches!(
        it.state(),
        SubscriptionState::Active | SubscriptionState::Cancelled
    );
    if !goes_on || it.cycle == 0 || it.awaiting_payment || it.allowance == "0" {
        return Ok(());
    }
    // Those of upgrades have a sign more in their ids.
    let own = |grant: &&proto::Grant| {
        let cycle = grant.grant_id.strip_prefix("~plan:");
        let parts = cycle.and_then(|rest| rest.split_once(':'));
        grant.kind() == GrantKind::Allowance
            && parts.is_some_and(|(cycle, id)| !cycle.contains('+') && id == it.subscription_id)
    };
    let now = micros(&account.balance().as_of.unwrap_or_default());
    let at = |instant: &Option<prost_types::Timestamp>| instant.as_ref().map_or(0, micros);
    let lives = |grant: &&proto::Grant| at(&grant.starts_at) <= now && now < at(&grant.expires_at);
    let alive: Vec<_> = listed.grants.iter().filter(own).filter(lives).collect();
    let right = matches!(&alive[..], [one] if one.expires_at == it.until
        && one.grant_id == format!("~plan:{}:{}", it.cycle, it.subscription_id));
    match right {
        true => Ok(()),
        false => Err(format!("not one cycle's credits: {alive:#?}\nof {it:#?}")),
    }
}

/// The rows of the ledger come to what the account has, and nothing is lost between them.
pub async fn conserved(clients: &mut Clients, account: &Account) -> Result<(), String> {
    let balance = account.balance();
    let mut sides: BTreeMap<i32, Credits> = BTreeMap::new();
    let mut request = proto::ListTransfersRequest {
        account_id: account.id().into(),
        page_size: 1000,
        ..Default::default()
    };
    loop {
        let page = clients.accounts.list_transfers(request.clone()).await;
        let page = page
            .map_err(|status| format!("the rows: {status}"))?
            .into_inner();
        for row in &page.transfers {
            let amount = parse(&row.amount).ok_or("no amount")?;
            *sides.entry(row.debit).or_default() -= amount;
            *sides.entry(row.credit).or_default() += amount;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let side = |side: LedgerAccount| sides.get(&(side as i32)).copied().unwrap_or(0);
    let amount = |text: &str| parse(text).unwrap_or(0);
    let of_rows = [
        -side(LedgerAccount::Issued),
        side(LedgerAccount::Free),
        side(LedgerAccount::Held),
        -side(LedgerAccount::Debt),
        side(LedgerAccount::Spent),
        side(LedgerAccount::Breakage),
        -side(LedgerAccount::Absorbed),
    ];
    let of_model = [
        account.issued,
        amount(&balance.free),
        amount(&balance.held),
        account.debt,
        account.spent,
        account.breakage,
        account.absorbed,
    ];
    let given = account.issued + account.debt + account.absorbed;
    let kept = account.free() + account.held() + account.spent + account.breakage;
    if of_rows != of_model || given != kept {
        return Err(format!(
            "issued, free, held, debt, spent, breakage, absorbed:\nby rows  {of_rows:?}\nby model {of_model:?}\n{given} came in, {kept} is there"
        ));
    }
    Ok(())
}

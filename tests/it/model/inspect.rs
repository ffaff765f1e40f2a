//! Compares all that can be read of an account: account, balance, holds, and the three lists page by page.

use std::future::Future;

use holdbook::proto::{self, ListGrantsRequest, ListHoldsRequest, ListTransfersRequest, Transfer};
use tonic::Status;

use super::difference;
use super::lane::Lane;
use super::operation::{Clients, Operation};
use super::reference::{Refusal, micros, timestamp};

/// Holds that an inspection reads one by one.
const HOLDS: usize = 8;

impl Lane {
    /// Compares everything; the lists whole, or (`whole` false) by some filter and page size.
    pub(super) async fn inspect(&mut self, account_id: &str, whole: bool) -> Result<(), String> {
        let Some(account) = self.model.look(account_id) else {
            return Ok(());
        };
        let ids: Vec<String> = account
            .holds
            .iter()
            .rev()
            .map(|h| h.id.clone())
            .take(HOLDS)
            .collect();
        let instants: Vec<i64> = account.holds.iter().map(|h| h.created_at).collect();
        let grants: Vec<String> = account.grants.iter().map(|g| g.id.clone()).collect();
        let account_id = account_id.to_string();
        let get = proto::GetAccountRequest {
            account_id: account_id.clone(),
        };
        self.compare(Operation::GetAccount(get), &account_id)
            .await?;
        for hold_id in ids.iter().take(if whole { HOLDS } else { 1 }) {
            let get = proto::GetHoldRequest {
                account_id: account_id.clone(),
                hold_id: hold_id.clone(),
            };
            self.compare(Operation::GetHold(get), &account_id).await?;
        }
        let mut holds = ListHoldsRequest {
            account_id: account_id.clone(),
            page_size: self.page_size(whole),
            ..Default::default()
        };
        let mut grant_list = ListGrantsRequest {
            account_id: account_id.clone(),
            page_size: self.page_size(whole),
            ..Default::default()
        };
        let mut transfers = ListTransfersRequest {
            account_id: account_id.clone(),
            page_size: self.page_size(whole),
            ..Default::default()
        };
        if !whole {
            let instant =
                |dice: &mut super::dice::Dice| match instants.is_empty() || dice.chance(60) {
                    true => None,
                    false => Some(timestamp(dice.pick(&instants))),
                };
            let dice = &mut self.dice;
            holds.state = dice.pick(&[0, 1, 2, 3, 4]);
            (holds.created_from, holds.created_before) = (instant(dice), instant(dice));
            grant_list.state = dice.pick(&[0, 1, 2, 3, 4, 5]);
            (transfers.occurred_from, transfers.occurred_before) = (instant(dice), instant(dice));
            transfers.hold_id = if ids.is_empty() || dice.chance(60) {
                String::new()
            } else {
                dice.pick(&ids)
            };
            transfers.grant_id = if grants.is_empty() || dice.chance(60) {
                String::new()
            } else {
                dice.pick(&grants)
            };
        }
        self.list_holds(&holds).await?;
        self.list_grants(&grant_list).await?;
        self.list_transfers(&transfers).await
    }

    fn page_size(&mut self, whole: bool) -> u32 {
        if whole {
            self.dice.pick(&[0, 1000, 37])
        } else {
            self.dice.pick(&[0, 1, 2, 7, 20, 1000, 1001])
        }
    }

    async fn list_holds(&mut self, request: &ListHoldsRequest) -> Result<(), String> {
        let clients = self.clients.clone();
        let server = pages(
            request.page_size,
            request.page_token.clone(),
            |page_token| {
                let (mut clients, request) = (
                    clients.clone(),
                    ListHoldsRequest {
                        page_token,
                        ..request.clone()
                    },
                );
                async move {
                    clients
                        .metering
                        .list_holds(request)
                        .await
                        .map(|a| a.into_inner())
                        .map(|a| (a.holds, a.next_page_token))
                }
            },
        );
        let (server, model) = (server.await, self.model.list_holds(request));
        self.settle_list(
            "ListHolds",
            &request.account_id,
            &format!("{request:?}"),
            server,
            model,
        )
        .await
    }

    async fn list_grants(&mut self, request: &ListGrantsRequest) -> Result<(), String> {
        let clients = self.clients.clone();
        let server = pages(
            request.page_size,
            request.page_token.clone(),
            |page_token| {
                let (mut clients, request) = (
                    clients.clone(),
                    ListGrantsRequest {
                        page_token,
                        ..request.clone()
                    },
                );
                async move {
                    clients
                        .grants
                        .list_grants(request)
                        .await
                        .map(|a| a.into_inner())
                        .map(|a| (a.grants, a.next_page_token))
                }
            },
        );
        let (server, model) = (server.await, self.model.list_grants(request));
        self.settle_list(
            "ListGrants",
            &request.account_id,
            &format!("{request:?}"),
            server,
            model,
        )
        .await
    }

    async fn list_transfers(&mut self, request: &ListTransfersRequest) -> Result<(), String> {
        let clients = self.clients.clone();
        let server = pages(
            request.page_size,
            request.page_token.clone(),
            |page_token| {
                let (mut clients, request) = (
                    clients.clone(),
                    ListTransfersRequest {
                        page_token,
                        ..request.clone()
                    },
                );
                async move {
                    clients
                        .accounts
                        .list_transfers(request)
                        .await
                        .map(|a| a.into_inner())
                        .map(|a| (a.transfers, a.next_page_token))
                }
            },
        );
        let server = server
            .await
            .and_then(|rows| rows.into_iter().map(comparable).collect());
        let model = self.model.list_transfers(request);
        self.settle_list(
            "ListTransfers",
            &request.account_id,
            &format!("{request:?}"),
            server,
            model,
        )
        .await
    }

    async fn settle_list<T: std::fmt::Debug + PartialEq>(
        &mut self,
        rpc: &'static str,
        account_id: &str,
        request: &str,
        server: Result<Vec<T>, Fault>,
        model: Result<Vec<T>, Refusal>,
    ) -> Result<(), String> {
        self.report.count(
            rpc,
            model
                .as_ref()
                .map_or_else(|refusal| difference::name_of(refusal.reasons[0]), |_| "ok"),
        );
        let found = match (server, model) {
            (Ok(server), Ok(model)) => difference::of_messages(&server, &model),
            (Err(Fault::Refused(status)), Err(model)) => difference::of_refusals(&status, &model),
            (Err(Fault::Refused(status)), Ok(_)) => Some(format!("the server refuses: {status}")),
            (Err(Fault::Malformed(what)), _) => Some(what),
            (Ok(server), Err(model)) => Some(format!(
                "the model refuses with {model:?}, the server answers {} rows",
                server.len()
            )),
        };
        match found {
            None => Ok(()),
            Some(found) => Err(self
                .told(account_id, &format!("{rpc} {request}"), &found)
                .await),
        }
    }
}

/// Why a list could not be read.
enum Fault {
    Refused(Box<Status>),
    Malformed(String),
}

/// All pages; every page but the last must be full, and the last must say so.
async fn pages<T, F, A>(page_size: u32, first: String, mut fetch: F) -> Result<Vec<T>, Fault>
where
    F: FnMut(String) -> A,
    A: Future<Output = Result<(Vec<T>, String), Status>>,
{
    let size = if page_size == 0 {
        100
    } else {
        page_size as usize
    };
    let (mut rows, mut token) = (Vec::new(), first);
    loop {
        let (page, next) = fetch(token)
            .await
            .map_err(|status| Fault::Refused(Box::new(status)))?;
        let got = page.len();
        rows.extend(page);
        if got > size || (got < size && !next.is_empty()) || (got == 0 && !rows.is_empty()) {
            return Err(Fault::Malformed(format!(
                "  a page of {got} rows, asked for {size}, next page token {next:?}"
            )));
        }
        if next.is_empty() {
            return Ok(rows);
        }
        token = next;
    }
}

/// A row without what the model does not know: when it was booked, and who asked.
fn comparable(mut row: Transfer) -> Result<Transfer, Fault> {
    let booked = row.booked_at.take().map_or(0, |at| micros(&at));
    if booked == 0 {
        return Err(Fault::Malformed(format!(
            "  row {}.{} has no booked_at",
            row.sequence, row.index
        )));
    }
    if row.actor != "clock" {
        row.actor.clear();
    }
    Ok(row)
}

/// All rows of a request, for showing.
pub async fn all_transfers(
    clients: &mut Clients,
    request: &ListTransfersRequest,
) -> Result<Vec<Transfer>, String> {
    let read = pages(request.page_size, String::new(), |page_token| {
        let (mut clients, request) = (
            clients.clone(),
            ListTransfersRequest {
                page_token,
                ..request.clone()
            },
        );
        async move {
            clients
                .accounts
                .list_transfers(request)
                .await
                .map(|a| a.into_inner())
                .map(|a| (a.transfers, a.next_page_token))
        }
    });
    read.await.map_err(|fault| match fault {
        Fault::Refused(status) => format!("could not be read: {status}"),
        Fault::Malformed(what) => what,
    })
}

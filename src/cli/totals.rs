//! An account's totals in exact decimals, and the sum of its ledger rows.
//!
//! It reads the ledger through the API only; which totals are right is for its callers to say.

use std::{collections::HashMap, ops::AddAssign};

use rust_decimal::Decimal;
use tonic::Status;

use super::client::Services;
use crate::proto::{LedgerAccount, ListTransfersRequest, Transfer};

const PAGE_SIZE: u32 = 1000;

/// The totals that a story of an account ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Credits given, less those taken back.
    pub granted: Decimal,
    /// Credits used, the absorbed part included, net of refunds.
    pub spent: Decimal,
    /// Credits owed.
    pub debt: Decimal,
    /// Credits that the platform paid.
    pub absorbed: Decimal,
    /// Credits that can be spent.
    pub free: Decimal,
    /// Credits pinned by open holds.
    pub held: Decimal,
    /// Credits that ended unused.
    pub breakage: Decimal,
}

impl Totals {
    /// Each total with its name, in the order in which they are shown.
    pub fn named(&self) -> [(&'static str, Decimal); 7] {
        [
            ("granted", self.granted),
            ("spent", self.spent),
            ("debt", self.debt),
            ("absorbed", self.absorbed),
            ("free", self.free),
            ("held", self.held),
            ("breakage", self.breakage),
        ]
    }

    /// Conservation: what came in is what is somewhere.
    pub fn are_balanced(&self) -> bool {
        self.granted + self.debt + self.absorbed
            == self.free + self.held + self.spent + self.breakage
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.spent += other.spent;
        self.debt += other.debt;
        self.absorbed += other.absorbed;
        self.free += other.free;
        self.held += other.held;
        self.breakage += other.breakage;
    }
}

/// The totals of an account's ledger rows, once the ledger has all that the account did before this call.
pub async fn of_ledger(services: &Services, account_id: &str) -> Result<Totals, Status> {
    let mut net = HashMap::new();
    let mut page_token = String::new();
    loop {
        let page = services
            .account
            .clone()
            .list_transfers(ListTransfersRequest {
                account_id: account_id.to_owned(),
                page_size: PAGE_SIZE,
                page_token,
                ..Default::default()
            })
            .await?
            .into_inner();
        for transfer in &page.transfers {
            book(&mut net, transfer)?;
        }
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    let net = |side| net.get(&side).copied().unwrap_or_default();
    Ok(Totals {
        granted: -net(LedgerAccount::Issued),
        spent: net(LedgerAccount::Spent),
        debt: -net(LedgerAccount::Debt),
        absorbed: -net(LedgerAccount::Absorbed),
        free: net(LedgerAccount::Free),
        held: net(LedgerAccount::Held),
        breakage: net(LedgerAccount::Breakage),
    })
}

fn book(net: &mut HashMap<LedgerAccount, Decimal>, transfer: &Transfer) -> Result<(), Status> {
    let amount = amount(&transfer.amount)?;
    *net.entry(transfer.debit()).or_default() -= amount;
    *net.entry(transfer.credit()).or_default() += amount;
    Ok(())
}

/// An amount of an answer.
pub fn amount(text: &str) -> Result<Decimal, Status> {
    text.parse().map_err(|_| {
        Status::internal(format!(
            "the answer has the amount {text:?}, which is not a decimal"
        ))
    })
}

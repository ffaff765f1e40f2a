//! An account as Redis has it, all of it, for the audits.

use super::{
    Era, Holds, HoldsError, packed,
    packed::GrantBalance,
    step::{self, Limits},
    wire::{Malformed, Reader},
};
use crate::domain::{
    account::{AccountTerms, Balance},
    credits::Credits,
    hold::Hold,
    plan::Spending,
};

/// All that Redis knows of one account.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its declared side.
    pub terms: AccountTerms,
    /// Its credits.
    pub balance: Balance,
    /// Its last event.
    pub sequence: u64,
    /// Open holds by its own count.
    pub open_holds: u32,
    /// Its grants that have something free or pinned, or wait.
    pub grants: Vec<GrantBalance>,
    /// Its open holds.
    pub holds: Vec<(String, Hold)>,
    /// What is kept of its plan, and the record of its subscription; both empty: it never had one.
    pub plan: (Vec<u8>, Vec<u8>),
    /// The labels with spend caps.
    pub capped_labels: Vec<String>,
    /// What was spent under spend caps, and of a label's value what is set aside.
    pub spending: Vec<(Spending, Credits)>,
}

impl Holds {
    /// All that Redis knows of an account in the current era, as it is: nothing that is due is applied.
    ///
    /// # Errors
    /// Redis did not answer, or what it has cannot be read.
    pub async fn snapshot(&self, account: &str) -> Result<Option<Snapshot>, HoldsError> {
        let mut cmd = redis::cmd("HGETALL");
        cmd.arg(
            self.partition(self.partition_of(account))
                .keys
                .account(account),
        );
        let fields: Vec<(Vec<u8>, Vec<u8>)> = self.aside(self.partition_of(account), &cmd).await?;
        let malformed =
            |error| HoldsError::Bug(format!("account {account} cannot be read: {error}"));
        let epoch = self.head(self.partition_of(account)).await?.epoch;
        let era = Era {
            epoch,
            replication_id: String::new(),
        }
        .name();
        let field = |wanted: &[u8]| {
            fields
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value)
        };
        let Some(state) =
            field(b"s").filter(|_| field(b"e").is_some_and(|found| *found == era.as_bytes()))
        else {
            return Ok(None);
        };
        let state = packed::state(state).map_err(malformed)?;
        let holds = fields
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(b"h:")?, value)));
        let holds = holds.map(|(id, value)| {
            Ok((
                String::from_utf8_lossy(id).into_owned(),
                packed::hold(value).map_err(malformed)?,
            ))
        });
        let plan = [b"l", b"b"].map(|name| field(name).cloned().unwrap_or_default());
        let [plan, record] = plan;
        let limits = match plan.as_slice() {
            [] => Limits::default(),
            plan => step::limits(plan).map_err(malformed)?,
        };
        let spending = fields
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(b"u:")?, value)))
            .map(|(name, value)| read_counter(name, value).map_err(malformed));
        Ok(Some(Snapshot {
            plan: (plan, record),
            capped_labels: limits.capped_labels,
            spending: spending.collect::<Result<_, HoldsError>>()?,
            terms: state.terms,
            balance: state.balance,
            sequence: state.sequence,
            open_holds: state.open_holds,
            grants: state.grants,
            holds: holds.collect::<Result<_, HoldsError>>()?,
        }))
    }
}

/// `label NUL value`, and what was spent and is set aside under it.
fn read_counter(name: &[u8], value: &[u8]) -> Result<(Spending, Credits), Malformed> {
    let (mut name, mut r) = (Reader(name), Reader(value));
    let label = name.text()?;
    let spending = Spending {
        label,
        value: String::from_utf8_lossy(name.0).into_owned(),
        windows: packed::windows(&mut r)?,
    };
    Ok((spending, Credits::from_micro(r.int(7)?)))
}

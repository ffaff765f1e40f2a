//! An account as the ledger has it, packed for the script (`load_account` in `lua/account.lua`).

use super::{
    packed,
    wire::{Malformed, Writer},
};
use crate::domain::plan::Spending;

/// What the ledger keeps of an account in Redis' packed forms.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its last event is of the era that it was read in: the state then says itself until when the account asks the ledger.
    pub changed_here: bool,
    /// Its state after its last event.
    pub image: &'a [u8],
    /// Its spent grants.
    pub spent: &'a [u8],
    /// The event that made it.
    pub created: &'a [u8],
    /// The event that closed it; empty if it is open.
    pub closed: &'a [u8],
    /// What the program reads of its plan; empty if there never was a subscription.
    pub plan: &'a [u8],
    /// The record of its subscription.
    pub record: &'a [u8],
    /// What was spent where a plan caps it.
    pub spending: &'a [Spending],
    /// Its open holds.
    pub holds: &'a [(String, Vec<u8>)],
}

/// Packs it, with the cursor (era and entry) that it was read at. `None`: the ledger does not know the account.
///
/// # Errors
/// A packed form cannot be read.
pub fn pack((epoch, n): (u64, u64), stored: Option<Stored>) -> Result<Vec<u8>, Malformed> {
    let mut w = Writer::default();
    w.int(7, i64::try_from(epoch).unwrap_or(i64::MAX))
        .int(7, i64::try_from(n).unwrap_or(i64::MAX))
        .byte(u8::from(stored.is_some()));
    if let Some(stored) = stored {
        let created = packed::outcome(&packed::event_outcome(stored.created)?)?;
        let closing = if stored.closed.is_empty() {
            Vec::new()
        } else {
            packed::event_outcome(stored.closed)?
        };
        w.byte(u8::from(stored.changed_here))
            .blob(stored.image)
            .blob(stored.spent)
            .blob(&created.sent)
            .blob(&closing);
        w.int(4, i64::try_from(stored.holds.len()).unwrap_or(i64::MAX));
        for (id, hold) in stored.holds {
            w.text(id).blob(hold);
        }
        w.blob(stored.plan).blob(stored.record);
        w.int(2, i64::try_from(stored.spending.len()).unwrap_or(i64::MAX));
        for spending in stored.spending {
            w.text(&spending.label).text(&spending.value);
            for (since, amount) in spending.windows {
                w.int(7, since).int(7, amount.micro());
            }
        }
    }
    Ok(w.0)
}

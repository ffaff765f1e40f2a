//! What the ledger knows of an id that Redis does not.

use super::{Memory, MemoryError};
use crate::holds::{
    Holds, HoldsError,
    operation::{Operation, Remembered, Verb},
    packed,
};

impl Memory {
    pub(super) async fn look_up(&self, operation: &Operation) -> Result<Remembered, MemoryError> {
        match (operation.verb.hold_id(), operation.verb.grant_id()) {
            (None, Some(level_id)) if matches!(operation.verb, Verb::Level { .. }) => {
                let outcome = self.recorded(operation, &format!("l/{level_id}")).await?;
                Ok(Remembered {
                    outcome,
                    ..Remembered::default()
                })
            }
            (Some(hold_id), _) => self.look_up_hold(operation, hold_id).await,
            (None, Some(grant_id)) => self.look_up_grant(operation, grant_id).await,
            (None, None) => Ok(Remembered::default()),
        }
    }

    async fn look_up_hold(
        &self,
        operation: &Operation,
        hold_id: &str,
    ) -> Result<Remembered, MemoryError> {
        let mut found = Remembered::default();
        if let Some(hold) = self.ledger.hold_packed(&operation.account, hold_id).await? {
            let sequence = packed::hold(&hold)
                .map_err(|error| HoldsError::Bug(error.to_string()))?
                .sequence;
            if let Some((verb, id)) = operation.verb.own_id() {
                found.outcome = self
                    .recorded(operation, &format!("h{sequence}/{verb}/{id}"))
                    .await?;
            }
            found.hold = hold;
        }
        Ok(found)
    }

    async fn look_up_grant(
        &self,
        operation: &Operation,
        grant_id: &str,
    ) -> Result<Remembered, MemoryError> {
        let mut found = Remembered::default();
        if let Some(grant) = self.ledger.grant(&operation.account, grant_id).await? {
            found.grant = (grant.no, grant.non_refundable);
            found.outcome = self.recorded(operation, &format!("g/{grant_id}")).await?;
            if matches!(operation.verb, Verb::Revoke { .. }) {
                found.revoked = self
                    .recorded(operation, &format!("g/{grant_id}/revoked"))
                    .await?;
            }
        }
        Ok(found)
    }

    /// The outcome of a deed, packed; empty if it was never done.
    async fn recorded(&self, operation: &Operation, deed: &str) -> Result<Vec<u8>, MemoryError> {
        match self.ledger.deed(&operation.account, deed).await? {
            Some(raw) => Ok(Holds::event_outcome(&raw).map_err(HoldsError::Bug)?),
            None => Ok(Vec::new()),
        }
    }
}

//! What keeps Redis and the ledger one story: the relay from one to the other, the sweeper of what is due, the evictor of what nobody
//! uses, the looking up of what Redis has forgotten, and the audit that compares the two.
//!
//! Owns no data of its own. Redis is read and changed through `holds`, Postgres through `ledger`. Every worker exposes one `step`.

mod audit;
mod drain;
mod evictor;
pub mod memory;
mod quarantine;
mod recovery;
mod recovery_error;
mod redo;
mod relay;
mod renewal;
mod replays;
mod second_copy;
mod status;
mod sweeper;
mod tail;
mod wait;

pub use self::{
    audit::{AuditError, LightAudit, Looked, Report, audit, audit_ledger},
    evictor::{Evictor, EvictorError, Turn},
    memory::{Memory, MemoryError, Told},
    quarantine::{RetryError, retry},
    recovery::{Look, Recovery},
    recovery_error::RecoveryError,
    relay::{Relay, RelayError, RelayOptions},
    renewal::status as subscription_status,
    replays::Replays,
    second_copy::SecondCopy,
    status::{PartitionStatus, status},
    sweeper::Sweeper,
    wait::LedgerWait,
};

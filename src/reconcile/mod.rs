//! What keeps Redis and the ledger one story: the relay from one to the other, the sweeper of what is due, the looking up of what
//! Redis has forgotten, and the audit that compares the two.
//!
//! Owns no data of its own. Redis is read and changed through `holds`, Postgres through `ledger`. Every worker exposes one `step`.

mod audit;
pub mod memory;
mod quarantine;
mod recovery;
mod relay;
mod replays;
mod second_copy;
mod status;
mod sweeper;
mod wait;

pub use self::{
    audit::{AuditError, LightAudit, Looked, Report, audit, audit_ledger},
    memory::{Memory, MemoryError},
    quarantine::{RetryError, retry},
    recovery::{Look, Recovery, RecoveryError},
    relay::{Relay, RelayError, RelayOptions},
    replays::Replays,
    second_copy::SecondCopy,
    status::{PartitionStatus, status},
    sweeper::Sweeper,
    wait::LedgerWait,
};

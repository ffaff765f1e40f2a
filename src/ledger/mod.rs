//! Postgres, the book of record: the only room that imports tokio-postgres.
//!
//! Owns the schema (`migrations/`, one chapter each), what an event becomes there, and every question that is answered from
//! it. A batch of stream entries is written in one transaction together with its partition's cursor ([`Writer::post`]), by
//! the posting table of [`crate::domain::posting`]. Does not read Redis, does not decide anything about credits: that has
//! happened when an event arrives here.
//!
//! In reading order: `migrate`, `connect`, `bootstrap`, then the writing side (`batch`, `rows`, `writer`), then the reading
//! side (`list`, `lookup`, `notifications`, `quarantine`, `recoveries`, `audit`). `catalogs` is beside all that: versions of prices.

mod account_state;
mod audit;
mod batch;
mod bootstrap;
mod catalogs;
mod columns;
mod connect;
mod cursor;
mod eras;
mod error;
mod grant_names;
mod heartbeats;
mod lease;
mod list;
mod lookup;
mod migrate;
mod notifications;
mod quarantine;
mod queue;
mod recoveries;
mod rows;
mod statements;
mod to_replay;
mod value;
mod writer;

pub use account_state::AccountState;
pub use audit::{Auditor, Difference, EventPage, StoredEvent, StoredTransfer};
pub use batch::GrantStatus;
pub use bootstrap::PartitionRow;
pub use catalogs::{CatalogHead, NewCatalog, NewestCatalog};
pub use connect::Ledger;
pub use cursor::Cursor;
pub use eras::{EraRow, StoredAccount};
pub use error::LedgerError;
pub use grant_names::GrantName;
pub use lease::{Crossing, Drained, Lease};
pub use list::{
    BillKey, BillRow, GrantFilter, GrantRow, HoldFilter, HoldRow, Page, SubscriptionRow,
    TransferFilter, TransferKey, TransferRow,
};
pub use migrate::{migrate, schema_version};
pub use quarantine::{Decode, QuarantinedEvent, Retried};
pub use recoveries::RecoveryRow;
pub use to_replay::{Replayed, ToReplay};
pub use writer::{Posted, Writer};

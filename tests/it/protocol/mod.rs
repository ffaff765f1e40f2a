//! Recovery as a model that is searched to its end: every order of steps of two serving processes, relays, recoveries and faults, over
//! one account with one or two holds. The worlds (`worlds`) are small, and each is searched to its end; together they are the model.
//!
//! `state` is what there is, `world` what a search is about, `script` and `ledger` what the two stores do, `steps`, `recovery` and `faults` what
//! can happen, `search` takes every step there is, breadth first, `check` says what is wrong with a state, `worlds` and `variants` are
//! the tests. Every state is also healed (one master, recovery, replay, drain) and then compared with what callers were told.
//! `PROTOCOL_TRACES=1 cargo test --test it protocol::variants::without -- --nocapture` prints what goes wrong without each part.
//!
//! # What it found
//!
//! - The protocol holds as designed if *the epoch of a read* (for loading an account) is the **cursor's own**. A recovery moves the
//!   current epoch first and drains afterwards: what is read between has the new epoch and the old book, and a script would take it
//!   once the new era is open. `without::epoch_of_the_cursor` is that trace, with the old primary still alive.
//! - Redundant here, and so held by tests in `alone_redundant` and not asserted to fail: the key of delivery and the key of the deed (the
//!   guard does their work), and "a read counts only at or past the n of the miss" (the evict mark and the epoch do its work).
//! - The guard is not redundant, though the two keys keep the credits right: an entry of the old era, posted after the crossing, meets
//!   its own replay, which then goes to quarantine and freezes the account. Without guard and keys a commit is charged twice.
//!
//! # What it leaves out
//!
//! - A promise is excused where the design's table excuses it: APPLIED, when Redis went back behind the operation and every process that
//!   acknowledged it died; any, when Postgres and Redis both went back behind it. Redis going back counts also for a deleted stream.
//! - Opening for replays first is not a step of its own: callers come after two seconds anyway, so here they come at once.
//! - A half-written script is the worst: it stops after its first write and cannot close the partition.
//! - A script's miss and the reading of the ledger are one step; so is a replay with its reply; a stored operation is taken once. In most
//!   worlds a relay's or a recovery's steps are one, in `two_relays`, `two_recoveries` and `stale_promotion_step_by_step` they are not.
//! - No amounts, partial commits, backpressure, and no lease: two recoveries may be under way, and the compare and swap decides.
//! - A Postgres that goes back keeps to worlds without a promotion, and with a tail of the stream that holds everything.
//! - States are told apart by 64 bits.

mod check;
mod faults;
mod ledger;
mod recovery;
mod script;
mod search;
mod state;
mod steps;
mod trace;
mod variants;
mod world;
mod worlds;

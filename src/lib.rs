//! Holdbook meters credits. A caller **reserves** credits before a job, **commits** what the job used or **releases** the hold.
//! Holds are decided in Redis, by one Lua program; a double-entry ledger in Postgres follows and is the book of record.
//!
//! This page is the map: two paths, what can never happen, where to start reading, and the decisions that a reader would question.
//!
//! # The path of a request, and the path of the money
//!
//! ```text
//!  client                                     one process                                       stores
//!
//!  Reserve ──► rpc/metering.rs    checks every field, names a verb
//!  Commit          │
//!  Release     reconcile/memory   asks the ledger once, if Redis has forgotten the id
//!                  │
//!              holds/executor.rs  one per partition: what waits goes out as one batch
//!                  │              when the one before has answered
//!                  ├───────── FCALL epoch, settings, operations ────────────►  Redis: holds/lua/*.lua
//!                  │                                                             fence · what is due · decide
//!                  │                                                             ═══════ the line ═══════
//!                  │                                                             XADD entry · HSET accounts
//!                  ◄───────── one packed answer for each operation ──────────
//!              holds/reply.rs     unpacks it
//!                  │
//!  answer   ◄── rpc/status.rs     a refusal becomes a status; what was done becomes an answer
//!
//!  - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
//!
//!              reconcile/relay.rs reads entries after the ledger's cursor  ◄───  Redis: the partition's stream
//!                  │
//!              domain/posting.rs  each move of credits: what it debits, what it credits
//!                  │
//!              ledger/writer.rs   events, transfers, totals and cursor in one transaction  ──►  Postgres
//!                  │
//!              reconcile/relay.rs tells who waits (durability LEDGER), tells Redis, trims the stream
//!
//!  - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
//!
//!  catalog.yaml ──► pricing/read/mod.rs   every mistake of the file, with line and column
//!                       │
//!                   catalogs/apply.rs     beside the newest version, one after the other   ──►  Postgres: one more version
//!                   catalogs/known.rs     which version holds at an instant; read once     ◄──  asked every second
//!                       │
//!  a usage ───────► pricing/quote/mod.rs  what it costs: lines, least and most; after the job the exact charge
//!  of a hold ─────► rpc/usage.rs          priced before the script runs, which says by whose clock or version it must be: then once more
//!
//!  a command ─────► rpc/subscriptions     what it wants, by the catalog; then as any call
//!  a renewal           │
//!  is due ────────► reconcile/renewal.rs  from the record that the script answers: plans/due.rs, then plans/command.rs; effects as data,
//!                       │                 packed as a step that names its revision
//!                   holds/lua/plan.lua    takes the step whole, each effect at its instant, before anything else of that instant
//! ```
//!
//! An account lives in one partition for ever: one hash tag in Redis, one executor in each process, one stream, one cursor in
//! Postgres. All that happens to it is in the order in which Redis did it, numbered without gaps.
//!
//! # What can never happen
//!
//! | never | because | shown by |
//! |---|---|---|
//! | two reserves take the same credit | one script runs at a time, and takes all or nothing | `farm::five_hundred_reserves_of_seven_on_a_thousand_take_142`, `farm::the_same_through_three_services` |
//! | a refusal, or a script that fails, leaves half of something | everything is decided above the line in `batch.lua`; below it only Redis can fail, and then the partition closes | `model::random_sequences` |
//! | a call that is sent again is done again | every mutating call has an id, its outcome stands with the hold or grant and in the ledger | `crash::redis_is_killed_under_calls_that_are_sent_again`, `model::tables::grants::g5_a_grant_id_is_one_grant_for_ever` |
//! | credits appear or vanish | a balance changes by a move only, and every move has two sides | `posting::tests::credits_are_conserved_by_any_moves`, `model::random_sequences` |
//! | an event is posted twice or skipped | it is posted in one transaction with the cursor that it moves, and an entry missing after the cursor stops the relay until a recovery has looked | `crash::two_relays_at_once_post_once`, `posting::a_repeated_delivery_is_skipped_whatever_the_cursor_says`, `posting::entries_with_a_hole_change_nothing`, `outage::an_entry_is_deleted_before_it_is_posted` |
//! | a commit makes debt above the limit | what the limit does not cover is absorbed, and recorded so | `model::tables::commits::h8_above_the_hold_comes_free_then_debt_then_the_platform` |
//! | an amount is rounded | micro-credits in an `i64`, below 2^53 in Lua; a seventh decimal is refused | `model::tables::amounts::a3_a_seventh_decimal_is_refused`, `words::no_amount_is_a_float` |
//! | a job costs more than its quote held | the quote's maximum is that of the usage or any less of it, whatever a range or an attribute turns out to be | `quotes::a_charge_of_the_usage_or_less_of_it_is_within_the_quote` |
//! | a cycle's credits are missing for an instant, or given twice | cycles are counted from one anchor and follow each other; a step names the revision it was worked out from, and no call passes a renewal that is due | `histories::each_instant_has_exactly_one_cycles_allowance`, `renewed::a_renewal_is_whole_for_all_who_look_at_its_instant`, `renewed::calls_at_once_are_one_after_the_other` |
//! | what a renewal comes to depends on when somebody looked | what is due is done first, each at its own instant, in order | `histories::one_look_tells_what_many_do` |
//! | a price that somebody was told changes | versions of the catalog are only added, and each is found by its number for ever | `applied::each_product_is_a_version_and_all_are_kept`, `applied::versions_are_append_only_for_serving_connections` |
//! | an open hold's price changes | the version is part of the hold, in Redis, the event and the ledger, and a commit at another one is refused and priced again | `priced::an_open_hold_keeps_its_prices`, `priced::a_hold_that_was_loaded_or_has_expired_keeps_its_prices` |
//! | a catalog is overwritten unseen | a version is added while nobody else adds one, and only after the one that its caller expects | `applied::nobody_overwrites_what_he_has_not_seen` |
//! | an answer depends on how punctual the sweeper is | each call first applies what is due on its account, at its own instant | `model::random_sequences` |
//! | a row of the book is changed | the role that serves has no right to; whoever has it is found by the audit | `rights::the_book_is_append_only_for_serving_connections`, `audit::an_altered_transfer_is_named_with_all_that_it_upsets` |
//! | one bad event stops a partition | it goes to quarantine in the same transaction, and its account is frozen | `posting::an_unreadable_event_stops_only_its_account` |
//! | a server that was on the machine is used or stopped by `holdbook dev` | only what this process started is ever signalled | `crashes::a_server_of_another_folder_is_never_ended` |
//!
//! What Redis acknowledged and lost, and the ledger did not have, is done again: every call names the epoch and the server's replication
//! id under which its partition was opened, the script refuses any other, and `reconcile/recovery.rs` opens a new era from the ledger,
//! what survived in the stream, and what the processes that answered still keep. Only when Redis goes back and such a process dies, or
//! Postgres goes back with it, something answered with `APPLIED` can be gone; the README has the table.
//!
//! # Where to start reading
//!
//! 1. [`domain`]: the words. What an account, a grant, a hold, an event is, and how each move of credits is posted. Pure.
//! 2. [`pricing`]: what a product sells and what a usage of it costs, from one YAML file. Pure.
//! 3. [`plans`]: what a subscription gives in which cycle, and how it starts, changes and ends. Pure.
//! 4. [`holds`]: the state in Redis and the only way to change it. Its `lua/` is the heart: `prelude` (words and numbers), `state`
//!    (packed forms), `moves` (the only place where balances change), `due` (what time does), then the verbs, and `batch` with the line.
//!    `usual` is the short way of most calls: the same rules on the packed forms; a test holds it against the others, byte by byte.
//! 5. [`rpc`]: what callers see. `metering` is the hot path's beginning, `status` its refusals.
//! 6. [`ledger`]: the book. The migrations are commented to be read first; `writer` posts a batch in one transaction.
//! 7. [`catalogs`]: which version of the prices holds, in every process, and how one more is added.
//! 8. [`reconcile`]: what keeps the two one story: relay, sweeper, the looking up of forgotten ids, the audit.
//! 9. [`app`]: how all this starts and stops. [`config`], [`telemetry`] and [`admin`] are what it starts with.
//! 10. [`cli`] is a client; [`dev`] starts private servers for people and tests; [`proto`] is generated.
//!
//! Imports run one way, in about this order; `tests/it/tidy/imports.rs` holds the table.
//!
//! # Decisions that a reader would question
//!
//! | choice | why | what would change it |
//! |---|---|---|
//! | Redis decides, and Postgres follows | a hold is an answer in well under a millisecond; one statement for each in Postgres makes a hot account wait tens of milliseconds | a ledger that decides as fast under contention |
//! | few partitions (4), not one for each core or account | one fsync serves a batch, and batches grow as partitions get fewer; with one, nothing overlaps | more Redis primaries: four for each |
//! | the index of what is due has one entry for each account, not for each hold; it moves earlier with a call, and later only when it has come due | `ZADD` is the dearest command of a reserve, and most calls then need none; an entry that is too early costs one look by the sweeper | sweeping accounts with nothing due becomes visible |
//! | an entry of the stream carries its events, and each changed account as it is afterwards | the ledger then has what a lost account can be loaded from without replaying its life; once for each batch, not for each event | entries so large that the relay's reading limits it |
//! | the packed state of an account holds live grants only; the 64 most recently spent stand beside it | every call reads and writes the state; only refunds look for a spent source | refunds become frequent |
//! | the record of an ended hold is the hold with the moves of its last outcome, not a rendered answer | a repeat is answered with the status and balance of now, and what is kept of each ended hold stays small | answers need what moves do not say |
//! | partial commits, extensions and refunds are remembered in a key of their own, made by the first of them | most holds have none, and pay nothing for it | per-frame metering becomes the rule |
//! | a grant with an id that Redis does not know always asks the ledger first | a payment's event may come again after months, and grant ids are remembered for ever; grants are rare, reserves do not ask | grants on the hot path |
//! | frozen is a flag beside the standing, not a standing | an account suspended by an operator must still be suspended when its quarantine is empty | |
//! | the executor does not retry | a lost answer means "unknown"; only the caller's repeat, with its id, is safe, and it makes waiting visible | |
//! | the script stops at keys that were not declared and asks for them | in a Redis Cluster slot that is being moved, an undeclared key fails halfway; asking happens only when holds expire | |
//! | with `--test-clock` time stands still between moves | then a test's instants are exact, and a model can predict every answer | never in production |
//! | the relay lets entries gather while nobody waits for the ledger | its transactions share cores and disk with Redis; whoever asks for durability LEDGER wakes it | callers who mostly ask for LEDGER |
//! | a process keeps the calls that it acknowledged, not their events, and replays them after a recovery | calls are idempotent by their ids, so replaying too much is harmless, and one path takes both | a verb that cannot be sent again |
//! | a catalog's numbers are read from the text of the YAML, by a reader of ours over its events | a parser that makes numbers makes floats, and one that fills structures stops at the first mistake | such a library with exact numbers, places and all mistakes |
//! | a renewal is worked out by the service and taken by the script, not written in Lua | calendars, proration and money are Rust's to get right, once, in a pure room; the script has only to know that the step is of what holds. It costs one more round trip for each renewal | renewals as frequent as reserves |
//! | a subscription carries the terms that were agreed, not the name of a plan | a renewal needs no catalog, a new catalog changes no subscription, and `plans` does not know `pricing` | plans whose subscribers must all move at once |
//! | a process asks for new versions of the catalog every second, and is not told | asking is one look at a primary key and ends a lost connection's silence by itself; a version that shall hold everywhere at one instant is given one ahead | prices that must change everywhere in less than a second of being applied |
//! | audits compare, and correct nothing | a difference is a defect or a hand in the book: a person must look | |

pub mod admin;
pub mod app;
pub mod catalogs;
pub mod cli;
pub mod config;
pub mod dev;
pub mod domain;
pub mod holds;
pub mod ledger;
pub mod plans;
pub mod pricing;
pub mod proto;
pub mod reconcile;
pub mod rpc;
pub mod telemetry;

-- 6. Eras.
--
-- Redis can go back in time: by a restart, a promotion, a resync. A partition is therefore opened under the replication id of
-- its server, in an era (`current_epoch`) of its own; the cursor keeps the era of the entry that it stands at, which is the
-- older one until a recovery has posted what survived of it.
alter table partitions
    add column current_epoch  bigint  not null default 0,
    add column replication_id text    not null default '',
    add column open           boolean not null default false;
update partitions set current_epoch = epoch;

-- Which service the stores belong to, so that one is never recovered onto the Redis of another; and where the test clock
-- stands, so that it does not go back with Redis.
alter table settings
    add column service_id uuid not null default gen_random_uuid(),
    add column test_clock_at bigint;
grant update (test_clock_at) on settings to holdbook_service;

-- Spent grants of an account in Redis' packed form: a refund finds its sources there.
alter table accounts add column spent_grants bytea;

-- One row for each recovery, for people.
create table recoveries (
    id             bigint      primary key generated always as identity,
    partition      integer     not null,
    -- The era that was opened, and under which replication id.
    epoch          bigint      not null,
    replication_id text        not null,
    -- The last entry that the ledger has of the era before.
    from_epoch     bigint      not null,
    from_n         bigint      not null,
    -- Entries that had survived in the stream and were posted by the recovery.
    drained        bigint      not null,
    -- Entries that stand behind a missing one: they were not posted.
    behind_a_gap   bigint      not null,
    finished_at    timestamptz not null default now()
);
grant select, insert on recoveries to holdbook_service;

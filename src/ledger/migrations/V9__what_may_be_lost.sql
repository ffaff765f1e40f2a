-- 9. What a recovery may have lost.
--
-- Redis may come back without something that it had acknowledged, and nobody can say what. For as long as a hold of that time could
-- still be committed, a commit or release of a hold that nobody knows is therefore taken.
alter table partitions
    -- When callers were first let in: before that nothing can have been acknowledged.
    add column served_at timestamptz,
    -- By the partition's own clock, in microseconds: the last recovery that may have lost something.
    add column lost_at   bigint;
update partitions set served_at = opened_at where replication_id <> '';

-- What a recovery found behind a missing entry: it cannot be posted, so it is done again, once the partition is open. Rows come in with
-- the cursor's crossing to the new era, and stay.
create table replays (
    -- Where the event stood.
    partition integer     not null,
    epoch     bigint      not null,
    n         bigint      not null,
    index     integer     not null,
    -- The era whose recovery found it.
    era       bigint      not null,
    -- The event in Redis' packed form.
    raw       bytea       not null,
    -- When the ledger had what became of it.
    done_at   timestamptz,
    -- Why it could not be done; null if it was, or needed nothing.
    why       text,
    primary key (partition, epoch, n, index)
);
create index replays_waiting on replays (partition, epoch, n, index) where done_at is null;
create index replays_by_era on replays (partition, era);
grant select, insert on replays to holdbook_service;
grant update (done_at, why) on replays to holdbook_service;

alter table recoveries
    -- Entries that are known to be missing.
    add column missing       bigint  not null default 0,
    -- Something acknowledged may be gone; what is missing at the end of a stream cannot always be counted.
    add column may_have_lost boolean not null default false;

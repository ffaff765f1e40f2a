-- 5. What could not be posted.
--
-- An event that the ledger cannot take waits here, and so does every later event of its account, in order. The cursor has
-- passed them: the partition goes on, nothing is dropped. A retry posts them and notes when.

create table quarantine (
    partition   integer     not null,
    epoch       bigint      not null,
    n           bigint      not null,
    index       integer     not null,
    -- Empty when not even that could be read.
    account_id  text        not null,
    raw         bytea       not null,
    why         text        not null,
    queued_at   timestamptz not null default now(),
    resolved_at timestamptz,
    primary key (partition, epoch, n, index)
);
create index quarantine_waiting on quarantine (account_id) where resolved_at is null;

grant select, insert on quarantine to holdbook_service;
grant update (resolved_at) on quarantine to holdbook_service;

-- 8. Who is alive.
--
-- A serving process says here, partition by partition, up to which era it has nothing left to replay. A recovery that has opened a
-- partition for replays waits for all that were seen a moment ago, before it lets callers in.
create table heartbeats (
    process   uuid        not null,
    partition integer     not null,
    epoch     bigint      not null,
    seen_at   timestamptz not null default now(),
    primary key (process, partition)
);
grant select, insert, update, delete on heartbeats to holdbook_service;

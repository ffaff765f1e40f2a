-- 2. What was decided once, and how far the ledger is.

-- One row, written at the first start. Accounts are spread over partitions by a hash of their id, so another count would
-- lose them; a clock that stands still must never meet real customers, so that is fixed too.
create table settings (
    only_row   boolean     primary key default true check (only_row),
    partitions integer     not null check (partitions > 0),
    test_clock boolean     not null,
    decided_at timestamptz not null default now()
);

-- The cursor of each partition: entry `n` of era `epoch` is the last one that the ledger has. It moves in the transaction
-- that writes the entry's rows, and only from the place that the writer believes it to be at: that is what makes posting
-- exactly once.
create table partitions (
    id        integer     primary key,
    epoch     bigint      not null,
    n         bigint      not null default 0,
    opened_at timestamptz not null default now()
) with (fillfactor = 10);

grant select, insert on settings to holdbook_service;
grant select, insert, update on partitions to holdbook_service;

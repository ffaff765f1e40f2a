-- 10. What is sold.
--
-- Every version of the catalog that was ever applied, as the text that it was given as: an open hold keeps the prices of its version,
-- whatever was applied since. Rows are only added, in the order of their numbers and never effective before the one before: whoever adds
-- one holds the lock of `catalogs.rs` while it reads the newest and writes the next.
create table catalogs (
    -- From 1, without gaps.
    version      bigint      primary key check (version > 0),
    -- From when on it holds, by the clock of holds and grants; of several with one instant, the last.
    effective_at timestamptz not null,
    yaml         text        not null,
    -- Of the text in UTF-8. A process that has read a version knows by it whether the ledger still means the same one.
    sha256       text        not null check (sha256 ~ '^[0-9a-f]{64}$'),
    -- Metadata `x-holdbook-actor` of the call; empty if it named nobody.
    applied_by   text        not null,
    -- By the clock of holds and grants.
    applied_at   timestamptz not null
);
grant select, insert on catalogs to holdbook_service;

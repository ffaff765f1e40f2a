-- 3. Accounts, and the credits that they have.
--
-- All amounts are numeric(20,6): micro-credits, exact.

create table accounts (
    account_id      text          primary key,
    partition       integer       not null,
    -- `active`, `suspended` or `closed`; frozen is kept beside it, so that suspension survives a freeze.
    standing        text          not null,
    frozen          boolean       not null,
    overdraft_limit numeric(20,6) not null,
    credit_limit    numeric(20,6) not null,
    max_open_holds  integer       not null,
    etag            bigint        not null,
    created_at      timestamptz   not null,
    -- The last event that is posted. The next one must be this plus one.
    sequence        bigint        not null,
    -- Running totals, as the transfers add up. The audit compares.
    free            numeric(20,6) not null,
    held            numeric(20,6) not null,
    debt            numeric(20,6) not null,
    granted         numeric(20,6) not null,
    revoked         numeric(20,6) not null,
    absorbed        numeric(20,6) not null,
    spent           numeric(20,6) not null,
    breakage        numeric(20,6) not null,
    -- The account as Redis had it after event `image_sequence`, in Redis' packed form: what a lost account is loaded from.
    -- It is ahead of `sequence` while events of the account are in quarantine.
    image           bytea,
    image_sequence  bigint        not null default 0
) with (fillfactor = 60);
-- Every batch updates its accounts: room on the page and no second index keep that a heap-only update.

-- A grant's number is its place in the order of creation of its account; events and packed forms name it by that.
create table grants (
    account_id         text          not null,
    no                 integer       not null,
    grant_id           text          not null,
    kind               text          not null,
    priority           smallint      not null,
    amount             numeric(20,6) not null,
    starts_at          timestamptz   not null,
    expires_at         timestamptz,
    -- What becomes of the rest: how long it lives on in microseconds, and the most that is kept.
    rollover_duration  bigint,
    rollover_cap       numeric(20,6),
    non_refundable     boolean       not null,
    provider           text          not null,
    external_reference text          not null,
    -- Of a rollover: the grant whose rest it is.
    source_no          integer,
    created_at         timestamptz   not null,
    -- `pending`, `active`, `expired`, `revoked` or `closed`. A grant with nothing left ends without an event: it stays
    -- `active` here, and a reader goes by `expires_at`.
    status             text          not null,
    ended_at           timestamptz,
    revoked_at         timestamptz,
    free               numeric(20,6) not null,
    held               numeric(20,6) not null,
    spent              numeric(20,6) not null,
    breakage           numeric(20,6) not null,
    primary key (account_id, no),
    -- The same payment is one grant, for ever.
    unique (account_id, grant_id)
) with (fillfactor = 80);

-- A hold is known by the sequence of the event that made it, since its id may come again after the repeat window.
create table holds (
    account_id     text          not null,
    sequence       bigint        not null,
    hold_id        text          not null,
    -- The last event that changed it: its transfers lie between the two.
    last_sequence  bigint        not null,
    state          text          not null,
    method         text          not null,
    requested      numeric(20,6) not null,
    held           numeric(20,6) not null,
    promised       numeric(20,6) not null,
    charged        numeric(20,6) not null,
    overdrawn      numeric(20,6) not null,
    absorbed       numeric(20,6) not null,
    released       numeric(20,6) not null,
    refunded       numeric(20,6) not null,
    late           boolean       not null,
    reject_overage boolean       not null,
    max_commit     numeric(20,6),
    labels         jsonb         not null,
    created_at     timestamptz   not null,
    expires_at     timestamptz   not null,
    ended_at       timestamptz,
    -- The hold in Redis' packed form, with its pins.
    packed         bytea         not null,
    primary key (account_id, sequence)
) with (fillfactor = 70);
create index holds_by_id on holds (account_id, hold_id, sequence);

grant select, insert, update on accounts, grants, holds to holdbook_service;

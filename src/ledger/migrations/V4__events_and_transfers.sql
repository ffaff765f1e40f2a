-- 4. The book itself: what happened, and the credits that it moved. Rows are only ever added.

create table events (
    -- Where it stood in its partition's stream: the same place again is a repeated delivery.
    partition     integer     not null,
    epoch         bigint      not null,
    n             bigint      not null,
    index         integer     not null,
    account_id    text        not null,
    -- Gapless per account, from 1.
    sequence      bigint      not null,
    -- What was done, once and never again. Null for what may be done again and again, like changing a limit.
    deed          text,
    name          text        not null,
    -- The hold behind it, by the sequence that made it.
    hold_sequence bigint,
    actor         text        not null,
    occurred_at   timestamptz not null,
    booked_at     timestamptz not null default now(),
    -- The event in Redis' packed form: everything above and the transfers below can be made from it again.
    raw           bytea       not null,
    primary key (partition, epoch, n, index)
);
create unique index events_by_account on events (account_id, sequence);
-- The arbiter of last resort: a second event for the same deed is refused, at whatever place it stands.
create unique index events_by_deed on events (account_id, deed) where deed is not null;

-- Double entry: the amount leaves `debit` and arrives in `credit`, both of the same account, so every row balances.
-- It names its event by (account_id, sequence). Readers need no join: finance can tell paid from promotional credits and
-- close a period from this table alone.
create table transfers (
    account_id    text          not null,
    sequence      bigint        not null,
    line          smallint      not null,
    debit         text          not null,
    credit        text          not null,
    amount        numeric(20,6) not null check (amount > 0),
    grant_no      integer,
    grant_id      text,
    grant_kind    text,
    -- The grant that the credits pass into, where they pass into one.
    to_grant_no   integer,
    to_grant_id   text,
    hold_sequence bigint,
    hold_id       text,
    event         text          not null,
    actor         text          not null,
    occurred_at   timestamptz   not null,
    booked_at     timestamptz   not null default now(),
    primary key (account_id, sequence, line)
);

-- No update, no delete, no truncate: held here, not in the code.
grant select, insert on events, transfers to holdbook_service;

-- 12. Subscriptions: what was agreed, and the money behind it.
--
-- Credits that a subscription gives are grants and transfers like all others. Money is never moved here: a bill tells the payment side
-- what to take or to give, once, by its number.
create table subscriptions (
    account_id      text        not null,
    subscription_id text        not null,
    -- Its plan, and the catalog's version that says what that is.
    plan            text        not null,
    catalog_version bigint      not null,
    status          text        not null check (status in ('trial', 'active', 'cancelled', 'ended')),
    -- When its current cycle or trial began, or it ended.
    since           timestamptz not null,
    -- When time changes it next.
    until           timestamptz,
    -- The account's steps when this was written; a later one wins.
    revision        bigint      not null,
    primary key (account_id, subscription_id)
) with (fillfactor = 80);

-- Append-only, like the book.
create table bills (
    account_id      text          not null,
    subscription_id text          not null,
    -- From 1, growing; not without gaps, since other effects have numbers, too.
    number          integer       not null,
    -- `period`: a paid period has begun; `change`: another plan for the rest of one; `refund`: what was paid goes back.
    kind            text          not null check (kind in ('period', 'change', 'refund')),
    -- The first cycle of the paid period, by which a payment is told back; 0: none.
    cycle           integer       not null,
    -- Money in the catalog's currency, to the cent.
    charge          numeric(20,2) not null check (charge >= 0),
    credit          numeric(20,2) not null check (credit >= 0),
    period_from     timestamptz,
    period_until    timestamptz,
    occurred_at     timestamptz   not null,
    -- The account's event that told it.
    sequence        bigint        not null,
    primary key (account_id, subscription_id, number)
);
create index bills_in_order on bills (account_id, sequence, number);

-- What Redis keeps of an account's subscription, in its packed forms: a lost account is loaded with it. Beside `accounts`, whose rows
-- every batch rewrites.
create table account_plans (
    account_id text  primary key,
    plan       bytea not null,
    record     bytea not null
) with (fillfactor = 70);

-- Where an account's levels stand, such as what it stores, in the units of the catalog.
create table levels (
    account_id text          not null,
    capacity   text          not null,
    level      numeric(20,6) not null check (level >= 0),
    -- The account's event that brought it there.
    sequence   bigint        not null,
    primary key (account_id, capacity)
) with (fillfactor = 80);

grant select, insert, update on subscriptions, account_plans, levels to holdbook_service;
grant select, insert on bills to holdbook_service;

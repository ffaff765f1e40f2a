-- 13. What was spent where a plan caps it.
--
-- Kept for Redis: a lost account is loaded with it. The book knows every charge; these are the sums that a cap is compared with, from the
-- instant on that something was capped.
create table spending (
    account_id text          not null,
    -- Under which value of which label, such as user or project; both empty: the account as a whole.
    label      text          not null,
    value      text          not null,
    -- The last hour, day and month of the calendar in UTC in which something was spent, and how much.
    hour       timestamptz   not null,
    in_hour    numeric(20,6) not null check (in_hour >= 0),
    day        timestamptz   not null,
    in_day     numeric(20,6) not null check (in_day >= 0),
    month      timestamptz   not null,
    in_month   numeric(20,6) not null check (in_month >= 0),
    primary key (account_id, label, value)
) with (fillfactor = 80);

grant select, insert, update on spending to holdbook_service;

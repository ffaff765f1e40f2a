-- 7. What is due in accounts that Redis does not have.
--
-- An account may be dropped from Redis while it is idle, or be lost with it; its holds and grants come due all the same. Its image
-- says when (byte 60, seven bytes: `indexed` in lua/state.lua): never after what is next due, null if nothing is. One entry for each
-- account, as Redis' own index has, and not one for each hold and grant: their rows change state with every call, and an index
-- that knows the state would end their heap-only updates. This one moves only when what is next due does, which is rare.
alter table accounts add column next_due bigint generated always as (
    case when length(image) >= 67 then nullif(
        (get_byte(image, 60)::bigint << 48) | (get_byte(image, 61)::bigint << 40) | (get_byte(image, 62)::bigint << 32)
        | (get_byte(image, 63)::bigint << 24) | (get_byte(image, 64)::bigint << 16) | (get_byte(image, 65)::bigint << 8)
        | get_byte(image, 66)::bigint, 0)
    end) stored;
create index accounts_by_next_due on accounts (partition, next_due, account_id) where next_due is not null;

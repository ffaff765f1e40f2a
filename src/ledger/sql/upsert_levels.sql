insert into levels as l (account_id, capacity, level, sequence)
select u.*
from unnest($1::text[], $2::text[], $3::numeric[], $4::bigint[]) as u
on conflict (account_id, capacity) do update set level = excluded.level, sequence = excluded.sequence

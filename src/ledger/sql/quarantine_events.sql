-- A repeated delivery finds its row there already.
insert into quarantine (partition, epoch, n, index, account_id, raw, why)
select u.*
from unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[], $6::bytea[], $7::text[]) as u
on conflict do nothing

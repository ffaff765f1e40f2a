insert into account_plans (account_id, plan, record)
select u.*
from unnest($1::text[], $2::bytea[], $3::bytea[]) as u
on conflict (account_id) do update set plan = excluded.plan, record = excluded.record

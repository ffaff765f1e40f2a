insert into spending (account_id, label, value, hour, in_hour, day, in_day, month, in_month)
select u.*
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::numeric[], $6::timestamptz[], $7::numeric[], $8::timestamptz[], $9::numeric[]) as u
on conflict (account_id, label, value) do update
set hour = excluded.hour, in_hour = excluded.in_hour, day = excluded.day, in_day = excluded.in_day, month = excluded.month, in_month = excluded.in_month

insert into bills (account_id, subscription_id, number, kind, cycle, charge, credit, period_from, period_until, occurred_at, sequence)
select u.*
from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::integer[], $6::numeric[], $7::numeric[], $8::timestamptz[],
    $9::timestamptz[], $10::timestamptz[], $11::bigint[]) as u

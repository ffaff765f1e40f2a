insert into grants (account_id, no, grant_id, kind, priority, amount, starts_at, expires_at, rollover_duration, rollover_cap,
    non_refundable, provider, external_reference, source_no, created_at, status, ended_at, revoked_at,
    free, held, spent, breakage)
select u.*
from unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::smallint[], $6::numeric[], $7::timestamptz[],
    $8::timestamptz[], $9::bigint[], $10::numeric[], $11::boolean[], $12::text[], $13::text[], $14::integer[],
    $15::timestamptz[], $16::text[], $17::timestamptz[], $18::timestamptz[], $19::numeric[], $20::numeric[], $21::numeric[],
    $22::numeric[]) as u

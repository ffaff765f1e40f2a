insert into subscriptions as s (account_id, subscription_id, plan, catalog_version, status, since, until, revision)
select u.*
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bigint[]) as u
on conflict (account_id, subscription_id) do update
set plan = excluded.plan, catalog_version = excluded.catalog_version, status = excluded.status, since = excluded.since,
    until = excluded.until, revision = excluded.revision

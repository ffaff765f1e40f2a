-- The caller counts the rows: a grant that is not there is an error of its event.
update grants g
set free = g.free + u.free,
    held = g.held + u.held,
    spent = g.spent + u.spent,
    breakage = g.breakage + u.breakage,
    status = coalesce(u.status, g.status),
    ended_at = coalesce(g.ended_at, u.ended_at),
    revoked_at = coalesce(g.revoked_at, u.revoked_at)
from unnest($1::text[], $2::integer[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::text[],
    $8::timestamptz[], $9::timestamptz[])
    as u (account_id, no, free, held, spent, breakage, status, ended_at, revoked_at)
where g.account_id = u.account_id and g.no = u.no

update grants g
set status = 'closed', ended_at = u.closed_at
from unnest($1::text[], $2::timestamptz[]) as u (account_id, closed_at)
where g.account_id = u.account_id and g.status in ('pending', 'active')

-- A spent grant ends at its expiry without an event, so it can have ended before its account did.
update grants g
set status = case when g.expires_at <= u.closed_at then 'expired' else 'closed' end,
    ended_at = least(g.expires_at, u.closed_at)
from unnest($1::text[], $2::timestamptz[]) as u (account_id, closed_at)
where g.account_id = u.account_id and g.status in ('pending', 'active')

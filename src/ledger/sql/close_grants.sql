-- One with nothing left has ended at its expiry already, without an event.
update grants g
set status = case when g.expires_at <= u.closed_at then 'expired' else 'closed' end,
    ended_at = least(g.expires_at, u.closed_at)
from unnest($1::text[], $2::timestamptz[]) as u (account_id, closed_at)
where g.account_id = u.account_id and g.status in ('pending', 'active')

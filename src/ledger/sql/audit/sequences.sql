-- Each account's events: as many as its sequence says, from 1, so that none is missing.
select a.account_id, 'account' as row, c.name as column, c.expected, c.found
from accounts a
cross join lateral (
    select count(*) as events, coalesce(min(sequence), 0) as first, coalesce(max(sequence), 0) as last
    from events e
    where e.account_id = a.account_id
) s
cross join lateral (
    select name, expected::text, found::text
    from (values
        ('number of events', a.sequence, s.events),
        ('first event', 1, s.first),
        ('last event', a.sequence, s.last)
    ) as v (name, expected, found)
    where expected <> found
) as c (name, expected, found)
where a.account_id = any($1)

-- Each hold's amounts against the transfers that it made; what open holds have pinned against their account.
select h.account_id, 'hold ' || h.hold_id || ' of event ' || h.sequence as row, c.name as column, c.expected, c.found
from holds h
left join (
    select account_id, hold_sequence,
        coalesce(sum(amount) filter (where credit = 'held'), 0) - coalesce(sum(amount) filter (where debit = 'held'), 0) as held,
        coalesce(sum(amount) filter (where debit in ('free', 'held') and credit = 'spent'), 0) as charged,
        coalesce(sum(amount) filter (where debit = 'debt' and credit = 'spent'), 0) as overdrawn,
        coalesce(sum(amount) filter (where debit = 'absorbed'), 0) as absorbed,
        coalesce(sum(amount) filter (where debit = 'held' and credit <> 'spent'), 0) as released,
        coalesce(sum(amount) filter (where debit = 'spent'), 0) as refunded
    from transfers
    where account_id = any($1) and hold_sequence is not null
    group by account_id, hold_sequence
) s on s.account_id = h.account_id and s.hold_sequence = h.sequence
cross join lateral (
    select name, trim_scale(expected)::text, trim_scale(found)::text
    from (values
        ('held', coalesce(s.held, 0), h.held),
        ('charged', coalesce(s.charged, 0), h.charged),
        ('overdrawn', coalesce(s.overdrawn, 0), h.overdrawn),
        ('absorbed', coalesce(s.absorbed, 0), h.absorbed),
        ('released', coalesce(s.released, 0), h.released),
        ('refunded', coalesce(s.refunded, 0), h.refunded),
        ('held after its end', 0, case when h.state = 'open' then 0 else h.held end)
    ) as v (name, expected, found)
    where expected <> found
) as c (name, expected, found)
where h.account_id = any($1)
union all
select a.account_id, 'account', 'held by open holds', trim_scale(a.held)::text, trim_scale(coalesce(s.held, 0))::text
from accounts a
left join (
    select account_id, sum(held) as held
    from holds
    where account_id = any($1) and state = 'open'
    group by account_id
) s on s.account_id = a.account_id
where a.account_id = any($1) and a.held <> coalesce(s.held, 0)

-- Each account's running totals against its transfers, and what must hold of them whatever happened.
select a.account_id, 'account' as row, c.name as column, c.expected, c.found
from accounts a
cross join lateral (
    select
        coalesce(sum(amount) filter (where credit = 'free'), 0) - coalesce(sum(amount) filter (where debit = 'free'), 0) as free,
        coalesce(sum(amount) filter (where credit = 'held'), 0) - coalesce(sum(amount) filter (where debit = 'held'), 0) as held,
        coalesce(sum(amount) filter (where debit = 'debt'), 0) - coalesce(sum(amount) filter (where credit = 'debt'), 0) as debt,
        coalesce(sum(amount) filter (where debit = 'issued'), 0) as granted,
        coalesce(sum(amount) filter (where credit = 'issued'), 0) as revoked,
        coalesce(sum(amount) filter (where debit = 'absorbed'), 0)
            - coalesce(sum(amount) filter (where credit = 'absorbed'), 0) as absorbed,
        coalesce(sum(amount) filter (where credit = 'spent'), 0) - coalesce(sum(amount) filter (where debit = 'spent'), 0) as spent,
        coalesce(sum(amount) filter (where credit = 'breakage'), 0)
            - coalesce(sum(amount) filter (where debit = 'breakage'), 0) as breakage
    from transfers t
    where t.account_id = a.account_id
) s
cross join lateral (
    select name, trim_scale(expected)::text, trim_scale(found)::text
    from (values
        ('free', s.free, a.free),
        ('held', s.held, a.held),
        ('debt', s.debt, a.debt),
        ('granted', s.granted, a.granted),
        ('revoked', s.revoked, a.revoked),
        ('absorbed', s.absorbed, a.absorbed),
        ('spent', s.spent, a.spent),
        ('breakage', s.breakage, a.breakage),
        ('granted - revoked + debt + absorbed = free + held + spent + breakage',
            a.granted - a.revoked + a.debt + a.absorbed, a.free + a.held + a.spent + a.breakage),
        ('below 0', 0, least(a.free, a.held, a.debt, 0)),
        ('free while in debt', 0, least(a.free, a.debt))
    ) as v (name, expected, found)
    where expected <> found
) as c (name, expected, found)
where a.account_id = any($1)

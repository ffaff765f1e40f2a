-- Each grant's totals against the transfers that name it, on either side.
with moved as (
    select account_id, grant_no as no, debit as side, -amount as amount
    from transfers
    where account_id = any($1) and grant_no is not null
    union all
    select account_id, coalesce(to_grant_no, grant_no), credit, amount
    from transfers
    where account_id = any($1) and coalesce(to_grant_no, grant_no) is not null
), sums as (
    select account_id, no,
        coalesce(sum(amount) filter (where side = 'free'), 0) as free,
        coalesce(sum(amount) filter (where side = 'held'), 0) as held,
        coalesce(sum(amount) filter (where side = 'spent'), 0) as spent,
        coalesce(sum(amount) filter (where side = 'breakage'), 0) as breakage
    from moved
    group by account_id, no
), rows as (
    select * from grants where account_id = any($1)
)
select coalesce(g.account_id, s.account_id) as account_id,
    'grant ' || coalesce(g.grant_id, 'number ' || s.no) as row, c.name as column, c.expected, c.found
from rows g
full join sums s on s.account_id = g.account_id and s.no = g.no
cross join lateral (
    select name, expected, found
    from (values
        ('row', 'a grant', case when g.no is null then 'none' else 'a grant' end),
        ('free', trim_scale(coalesce(s.free, 0))::text, trim_scale(g.free)::text),
        ('held', trim_scale(coalesce(s.held, 0))::text, trim_scale(g.held)::text),
        ('spent', trim_scale(coalesce(s.spent, 0))::text, trim_scale(g.spent)::text),
        ('breakage', trim_scale(coalesce(s.breakage, 0))::text, trim_scale(g.breakage)::text)
    ) as v (name, expected, found)
    where expected <> found
) as c

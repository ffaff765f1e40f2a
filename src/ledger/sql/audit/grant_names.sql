-- What each transfer says of its grants against the grants.
select t.account_id, 'transfer ' || t.sequence || '/' || t.line as row, c.name as column, c.expected, c.found
from transfers t
left join grants g on g.account_id = t.account_id and g.no = t.grant_no
left join grants into_grant on into_grant.account_id = t.account_id and into_grant.no = t.to_grant_no
cross join lateral (
    select name, coalesce(expected, 'none') as expected, coalesce(found, 'none') as found
    from (values
        ('grant_id', g.grant_id, t.grant_id),
        ('grant_kind', g.kind, t.grant_kind),
        ('to_grant_id', into_grant.grant_id, t.to_grant_id)
    ) as v (name, expected, found)
    where expected is distinct from found
) as c
where t.account_id = any($1)

select *
from (
    select no, grant_id, kind, amount, free, held, spent, breakage, priority, starts_at, expires_at, rollover_duration,
        rollover_cap, non_refundable, provider, external_reference, source_no, created_at, revoked_at,
        case when status in ('pending', 'active') and expires_at <= $4 then 'expired' else status end as status
    from grants
    where account_id = $1 and no < $2
) as g
where $3::text is null or status = $3
order by no desc
limit $5

-- One statement, so that the cursor and the account are of one instant. What was spent in an older month than the account's last counts no
-- more.
select p.epoch, p.n, a.image, a.spent_grants,
    (select epoch from events where account_id = $1 and sequence = a.sequence) as last_epoch,
    (select raw from events where account_id = $1 and deed = 'created') as created,
    (select raw from events where account_id = $1 and deed = 'closed') as closed,
    (select plan from account_plans where account_id = $1) as plan,
    (select record from account_plans where account_id = $1) as record,
    s.labels, s.values, s.hours, s.in_hours, s.days, s.in_days, s.months, s.in_months,
    (select array_agg(hold_id order by sequence) from holds where account_id = $1 and state = 'open') as hold_ids,
    (select array_agg(packed order by sequence) from holds where account_id = $1 and state = 'open') as holds
from partitions p
left join accounts a on a.account_id = $1
left join lateral (
    select array_agg(label) as labels, array_agg(value) as values, array_agg(hour) as hours, array_agg(in_hour) as in_hours,
        array_agg(day) as days, array_agg(in_day) as in_days, array_agg(month) as months, array_agg(in_month) as in_months
    from (
        select * from spending
        where account_id = $1 and month >= (select month from spending where account_id = $1 and label = '')
    ) as latest
) s on true
where p.id = $2

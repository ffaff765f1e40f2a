-- One statement, so that the cursor and the account are of one instant.
select p.epoch, p.n, a.image, a.spent_grants,
    (select epoch from events where account_id = $1 and sequence = a.sequence) as last_epoch,
    (select raw from events where account_id = $1 and deed = 'created') as created,
    (select raw from events where account_id = $1 and deed = 'closed') as closed,
    (select plan from account_plans where account_id = $1) as plan,
    (select record from account_plans where account_id = $1) as record,
    (select array_agg(hold_id order by sequence) from holds where account_id = $1 and state = 'open') as hold_ids,
    (select array_agg(packed order by sequence) from holds where account_id = $1 and state = 'open') as holds
from partitions p
left join accounts a on a.account_id = $1
where p.id = $2

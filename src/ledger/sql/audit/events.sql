select e.partition, e.epoch, e.n, e.index, e.account_id, e.sequence, e.deed, e.name, e.hold_sequence, e.actor, e.occurred_at, e.raw,
    exists (select from accounts a where a.account_id = e.account_id) as has_account
from events e
where (e.account_id, e.sequence) > ($1, $2)
order by e.account_id, e.sequence
limit $3

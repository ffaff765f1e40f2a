select subscription_id, number, kind, cycle, charge, credit, period_from, period_until, occurred_at, sequence
from bills
where account_id = $1 and (sequence, number) > ($2, $3)
order by sequence, number
limit $4

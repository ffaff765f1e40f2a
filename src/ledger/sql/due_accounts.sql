-- By the index alone, from where the page before ended.
select account_id, next_due
from accounts
where partition = $1 and next_due <= $2 and (next_due, account_id) > ($3, $4)
order by next_due, account_id
limit $5

select partition, epoch, n, index, account_id, raw, why, queued_at
from quarantine
where resolved_at is null and partition = $1 and account_id = $2
order by epoch, n, index
limit $3

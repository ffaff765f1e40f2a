select partition, epoch, n, index, account_id, raw, why, queued_at
from quarantine
where resolved_at is null and (partition, epoch, n, index) > ($1, $2, $3, $4)
order by partition, epoch, n, index
limit $5

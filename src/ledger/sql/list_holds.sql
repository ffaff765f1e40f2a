select sequence, hold_id, state, method, requested, held, promised, charged, overdrawn, absorbed, released, refunded, late,
    reject_overage, max_commit, labels, created_at, expires_at, ended_at, catalog_version
from holds
where account_id = $1
  and sequence < $2
  and ($3::text is null or state = $3)
  and ($4::timestamptz is null or created_at >= $4)
  and ($5::timestamptz is null or created_at < $5)
order by sequence desc
limit $6

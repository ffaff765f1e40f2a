select no, grant_id, kind, amount, free, held, spent, breakage, priority, starts_at, expires_at, rollover_duration,
    rollover_cap, non_refundable, provider, external_reference, source_no, created_at, revoked_at, status
from grants
where account_id = $1 and grant_id = $2

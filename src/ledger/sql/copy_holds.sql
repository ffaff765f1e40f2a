copy holds (account_id, sequence, hold_id, last_sequence, state, method, requested, held, promised, charged, overdrawn, absorbed,
    released, refunded, late, reject_overage, max_commit, labels, created_at, expires_at, ended_at, packed, catalog_version)
from stdin (format binary)

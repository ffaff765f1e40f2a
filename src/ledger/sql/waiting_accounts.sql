select distinct account_id from quarantine where resolved_at is null and account_id = any($1)

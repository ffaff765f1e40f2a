select count(*) from quarantine where resolved_at is null and partition = $1 and account_id = $2

update quarantine set resolved_at = now()
where partition = $1 and epoch = $2 and n = $3 and index = $4 and resolved_at is null

update accounts a
set spent_grants = u.spent
from unnest($1::text[], $2::bytea[]) as u (account_id, spent)
where a.account_id = u.account_id

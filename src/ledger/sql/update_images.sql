-- For accounts whose events wait in quarantine: Redis is ahead, and what it holds must not be lost with it. And for those that changed
-- without an event: what is next due is another then.
update accounts a
set image = u.image, image_sequence = u.image_sequence
from unnest($1::text[], $2::bytea[], $3::bigint[]) as u (account_id, image, image_sequence)
where a.account_id = u.account_id and u.image_sequence >= a.image_sequence

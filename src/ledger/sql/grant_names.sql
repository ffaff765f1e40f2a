select u.place, g.grant_id, g.kind
from unnest($1::text[], $2::integer[]) with ordinality as u (account_id, no, place)
join grants g on g.account_id = u.account_id and g.no = u.no

-- Only an account that is exactly before these events: the caller counts the rows.
update accounts a
set standing = coalesce(u.standing, a.standing),
    frozen = coalesce(u.frozen, a.frozen),
    overdraft_limit = coalesce(u.overdraft_limit, a.overdraft_limit),
    credit_limit = coalesce(u.credit_limit, a.credit_limit),
    max_open_holds = coalesce(u.max_open_holds, a.max_open_holds),
    etag = coalesce(u.etag, a.etag),
    sequence = u.last,
    free = a.free + u.free,
    held = a.held + u.held,
    debt = a.debt + u.debt,
    granted = a.granted + u.granted,
    revoked = a.revoked + u.revoked,
    absorbed = a.absorbed + u.absorbed,
    spent = a.spent + u.spent,
    breakage = a.breakage + u.breakage,
    image = case when u.image_sequence > a.image_sequence then u.image else a.image end,
    image_sequence = greatest(a.image_sequence, u.image_sequence)
from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::boolean[], $6::numeric[], $7::numeric[], $8::integer[],
    $9::bigint[], $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[],
    $16::numeric[], $17::numeric[], $18::bytea[], $19::bigint[])
    as u (account_id, first, last, standing, frozen, overdraft_limit, credit_limit, max_open_holds, etag,
        free, held, debt, granted, revoked, absorbed, spent, breakage, image, image_sequence)
where a.account_id = u.account_id and a.sequence = u.first - 1

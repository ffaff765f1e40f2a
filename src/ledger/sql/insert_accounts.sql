insert into accounts (account_id, partition, standing, frozen, overdraft_limit, credit_limit, max_open_holds, etag,
    created_at, sequence, free, held, debt, granted, revoked, absorbed, spent, breakage, image, image_sequence)
select u.*
from unnest($1::text[], $2::integer[], $3::text[], $4::boolean[], $5::numeric[], $6::numeric[], $7::integer[], $8::bigint[],
    $9::timestamptz[], $10::bigint[], $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[],
    $16::numeric[], $17::numeric[], $18::numeric[], $19::bytea[], $20::bigint[]) as u

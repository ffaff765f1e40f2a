insert into holds as h (account_id, sequence, hold_id, last_sequence, state, method, requested, held, promised, charged,
    overdrawn, absorbed, released, refunded, late, reject_overage, max_commit, labels, created_at, expires_at, ended_at, packed,
    catalog_version)
select u.*
from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::numeric[], $8::numeric[],
    $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[], $15::boolean[],
    $16::boolean[], $17::numeric[], $18::jsonb[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::bytea[],
    $23::bigint[]) as u
on conflict (account_id, sequence) do update
set last_sequence = excluded.last_sequence,
    state = excluded.state,
    held = excluded.held,
    promised = excluded.promised,
    charged = excluded.charged,
    overdrawn = excluded.overdrawn,
    absorbed = excluded.absorbed,
    released = excluded.released,
    refunded = excluded.refunded,
    late = excluded.late,
    expires_at = excluded.expires_at,
    ended_at = excluded.ended_at,
    packed = excluded.packed
where h.hold_id = excluded.hold_id

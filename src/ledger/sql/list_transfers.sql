-- Transfers are indexed by event only. Those of a hold lie between the event that made it and its last one.
select sequence, line, event, debit, credit, amount, grant_id, grant_kind, to_grant_id, hold_id, actor, occurred_at, booked_at
from transfers
where account_id = $1
  and (sequence, line) > ($2, $3)
  and ($4::text is null or (
      hold_id = $4
      and sequence >= (select min(h.sequence) from holds h where h.account_id = $1 and h.hold_id = $4)
      and sequence <= (select max(h.last_sequence) from holds h where h.account_id = $1 and h.hold_id = $4)))
  and ($5::text is null or grant_id = $5 or to_grant_id = $5)
  and ($6::timestamptz is null or occurred_at >= $6)
  and ($7::timestamptz is null or occurred_at < $7)
order by sequence, line
limit $8

-- All transfers behind one event up to another; to the end of the book when there is none.
select account_id, sequence, line, debit, credit, amount, grant_no, to_grant_no, hold_sequence, hold_id, event, actor, occurred_at
from transfers
where (account_id, sequence) > ($1, $2) and ($3::text is null or (account_id, sequence) <= ($3, $4))
order by account_id, sequence, line

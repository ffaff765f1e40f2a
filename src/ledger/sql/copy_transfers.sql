copy transfers (account_id, sequence, line, debit, credit, amount, grant_no, grant_id, grant_kind, to_grant_no, to_grant_id,
    hold_sequence, hold_id, event, actor, occurred_at)
from stdin (format binary)

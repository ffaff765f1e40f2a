copy events (partition, epoch, n, index, account_id, sequence, deed, name, hold_sequence, actor, occurred_at, raw)
from stdin (format binary)

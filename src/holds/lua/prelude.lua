-- Holdbook's one program: a batch of operations of one partition, each all or nothing.
--
-- KEYS  1 meta, 2 log, 3 due, then the keys of each operation in turn (account; or account, grant; or account, ended hold,
--       hold's operations), then those that an earlier answer asked for.
-- ARGV  1 epoch, 2 replication id, 3 era (the epoch as keys name it), 4 settings, 5 count of keys asked for, 6 `1` for replays,
--       then the operations.
-- Everything is decided in memory first. Only batch.lua writes, below its marked line.

-- Amounts are micro-credits and instants microseconds: whole numbers below 2^53, exact in Lua.
local MAX_CREDITS, MAX_LIVE, MAX_SPENT = 9000000000000000, 64, 64
local NEVER = 9007199254740991

local V_CREATE, V_UPDATE, V_CLOSE, V_FREEZE, V_UNFREEZE, V_READ = 1, 2, 3, 4, 5, 17
local V_GRANT, V_GRANT_STARTED, V_GRANT_EXPIRED, V_REVOKE = 6, 7, 8, 9
local V_PLAN, V_BALANCE, V_LEVEL = 19, 20, 21
local V_RESERVE, V_EXTEND, V_COMMIT, V_RELEASE, V_HOLD_EXPIRED, V_CHARGE, V_REFUND, V_HOLD = 10, 11, 12, 13, 14, 15, 16, 18

local OPEN, COMMITTED, RELEASED, EXPIRED = 1, 2, 3, 4 -- hold.state
local REJECT, BY_USAGE, ALLOW = 1, 2, 4 -- of what made a hold, byte 15
local CAPPED = 4 -- of what is kept of a plan, byte 12
local PENDING, STARTED, ENDED, REVOKED = 0, 1, 2, 3 -- grant.phase
local ACTIVE, SUSPENDED, CLOSED = 1, 2, 4 -- account.state

-- Refusals: the numbers of ErrorReason.
local INSUFFICIENT_CREDITS, IN_DEBT, CONCURRENCY_LIMIT, CAPACITY_LIMIT = 1, 2, 3, 4
local ACCOUNT_SUSPENDED, ACCOUNT_FROZEN, ACCOUNT_CLOSED = 7, 8, 9
local HOLD_ENDED, ABOVE_HOLD, ABOVE_MAX_COMMIT, LATE_WINDOW_PASSED, NON_REFUNDABLE = 10, 11, 12, 13, 14
local ID_REUSED, HOLD_NOT_FOUND, GRANT_NOT_FOUND, INVALID = 15, 17, 18, 19
local ETAG_MISMATCH, BACKPRESSURE, SUBSCRIPTION_ACTIVE = 20, 21, 30
local SPEND_CAP, FEATURE_NOT_IN_PLAN, DURATION_LIMIT, RESOLUTION_LIMIT = 5, 27, 28, 29

local verbs = {}
local usual = {} -- in usual.lua, and the packed forms that it shares

-- Of this batch, set by `begin_batch`: the program is loaded once, and keeps nothing from one batch to the next.
local KEYS, ARGV
local call, pack, take, concat, sub, min, max -- no library is there yet while the program is loaded
local REPEAT_WINDOW, LATE_WINDOW, REFUND_TTL, MAX_LIFETIME, BACKLOG_SOFT, BACKLOG_HARD, KEEP_MS
local SETTINGS, BASE -- what those were read from, kept because it says itself when it no longer holds; hb:{tag}:
local ERA -- what Redis holds of an older one is void
local REPLAYS -- the batch repeats what was acknowledged before a recovery
local NOW -- each account's clock never goes back (T1)
local events, accounts, order, wanted, asked_for

local function begin_batch(keys, args)
  KEYS, ARGV, call, pack, take = keys, args, redis.call, struct.pack, struct.unpack
  concat, sub, min, max = table.concat, string.sub, math.min, math.max
  if ARGV[4] ~= SETTINGS then
    REPEAT_WINDOW, LATE_WINDOW, REFUND_TTL, MAX_LIFETIME, BACKLOG_SOFT, BACKLOG_HARD = take('>i7i7i7i7i7i7', ARGV[4])
    -- A minute more than anybody may ask for: what is older is in the ledger.
    KEEP_MS, SETTINGS = string.format('%.0f', max(REPEAT_WINDOW, LATE_WINDOW) / 1000 + 60000), ARGV[4]
  end
  BASE, ERA, REPLAYS = sub(KEYS[1], 1, -5), ARGV[3], ARGV[6] == '1'
  events, accounts, order, wanted, asked_for = {}, {}, {}, {}, {}
end

-- Finding what an operation is about, and answering. Creating, changing, freezing, closing and reading an account.

local ANSWER = '>BBi7i7i7i7i7i7i7BBi7i7I4I4I4i7i7si7i7I2c0I2c0c0'
local OK, REFUSED, NO_ACCOUNT, ASK_LEDGER, LOAD, RENEW, BEYOND_PLAN, WITH_KINDS = 0, 1, 2, 3, 5, 6, 7, 8

local function answer(A, status, replayed, reasons, x, y, hold, outcome, named)
  return pack(ANSWER, status, replayed and 1 or 0, A.free, A.held, A.debt, A.pending, A.promised, A.clock, A.seq, A.state, A.frozen,
    A.overdraft, A.credit, A.max_open, A.open, A.etag, A.created, A.next_hold, reasons, x, y, #hold, hold, #outcome, outcome,
    named)
end

local function refuse(A, reason, x, y, hold, recorded)
  return answer(A, REFUSED, false, string.char(reason), x or 0, y or 0, hold and pack_hold(hold) or '', recorded or '', '')
end

-- The names of the grants in an outcome, as far as they are known here.
local function names(A, nos)
  local E, missing = { named = '' }, false
  for no in pairs(nos) do
    local g = grant_by_no(A, no)
    if g then name(E, g) else missing = true end
  end
  if missing then
    for _, g in ipairs(spent_grants(A)) do
      if nos[g.no] then name(E, g) end
    end
  end
  return E.named
end

local function repeated(A, hold, outcome)
  local nos, at = {}, moves_at(outcome)
  while at <= #outcome do
    local _, no, _, after = next_move(outcome, at)
    at = after
    if no > 0 then nos[no] = true end
  end
  return answer(A, OK, true, '', 0, 0, hold and pack_hold(hold) or '', outcome, names(A, nos))
end

local function done(E, hold, outcome)
  return answer(E.A, OK, false, '', 0, 0, hold and pack_hold(hold) or '', outcome, E.named)
end

local remember, find_account

do -- a function has at most 200 locals, and the program is one

-- What the ledger has of an account that is not here, or only of an older era: its state, its open holds and what stands beside
-- them. It counts if it was read in this era, and not before the ledger had all of every account that was dropped since. Answers the
-- account, false if the ledger has none, nil if it must be read (again).
local function load_account(op)
  if op.load == '' then return nil end
  local epoch, n, known, at = take('>i7i7B', op.load)
  if string.format('%.0f', epoch) ~= ARGV[1] then return nil end
  if n < tonumber(call('HGET', KEYS[1], 'evict_n') or 0) then return nil end
  if known == 0 then return false end
  local changed_here, state, spent, count
  changed_here, state, spent, at = take('>BI2c0I2c0', op.load, at)
  local A = read_account(op.key, state)
  -- Holds that ended in an older era are known to the ledger only; a reserve with such an id must ask it for as long as it may repeat.
  -- Those of this era have their keys, and a state of this era says itself until when it asks.
  if changed_here == 0 then A.ask_until = A.stored_clock + REPEAT_WINDOW end
  A.sent, A.closing, count, at = take('>I2c0I2c0I4', op.load, at)
  if A.closing == '' then A.closing = nil end
  for _ = 1, count do
    local id, raw
    id, raw, at = take('>sI2c0', op.load, at)
    local h = read_hold(raw, id)
    h.dirty, h.cold, h.packed = true, true, nil
    A.holds[id] = h
  end
  A.packed_plan, A.packed_record, at = take('>I2c0I2c0', op.load, at)
  A.packed_spent, A.dirty, A.fresh, A.reindexed = spent, true, true, true
  caps.load(A, op.load, at)
  return A
end

function remember(key, A)
  accounts[key] = A
  if A then order[#order + 1] = A end
  return A
end

-- The account, and the hold if it is open, in one read. False: there is none; nil: the ledger must be read.
function find_account(op)
  local A, field = accounts[op.key], op.dkey and 'h:' .. op.id or 's'
  if A and A.usual then A = usual.thaw(A) end
  if A == nil then
    local got = op.got or call('HMGET', op.key, 's', 'e', field, 'l')
    if got[2] ~= ERA then
      A = load_account(op)
      if A == nil then return nil end
      if A and op.dkey and A.holds[op.id] == nil then A.holds[op.id] = false end
      return remember(op.key, A)
    end
    A = remember(op.key, read_account(op.key, got[1]))
    if got[4] then A.packed_plan = got[4] end
    if op.dkey then A.holds[op.id] = got[3] and read_hold(got[3], op.id) or false end
  elseif A and op.dkey and A.holds[op.id] == nil then
    local raw = not A.fresh and call('HGET', op.key, field)
    A.holds[op.id] = raw and read_hold(raw, op.id) or false
  end
  return A
end

end

-- The newest hold of an id: open, or ended and remembered, or as the ledger had it.
local function find_hold(A, op)
  local h = A.holds[op.id]
  if not h then
    local raw = call('GET', op.dkey)
    if raw then
      h = read_hold(raw, op.id)
    elseif op.prior and op.prior ~= '' then
      h = read_hold(op.prior, op.id)
      h.cold, h.packed, h.dirty = true, nil, true
      A.dirty = true
    end
    A.holds[op.id] = h or false
  end
  if h then h.dkey, h.pkey = op.dkey, op.pkey end
  return h
end

-- The recorded outcome of one of a hold's operations with ids of their own; and whether the ledger must be asked first.
local function find_op(h, field, op)
  h.ops = h.ops or {}
  local outcome = h.ops[field]
  if outcome == nil then
    outcome = call('HGET', h.pkey, field)
    if not outcome and h.cold then
      if op.asked == 0 then return nil, true end
      outcome = op.prior_outcome ~= '' and op.prior_outcome
    end
    h.ops[field] = outcome
  end
  return outcome or nil
end

local function record_op(h, field, outcome)
  h.ops[field] = outcome
  h.new_ops = h.new_ops or {}
  h.new_ops[#h.new_ops + 1] = field
  h.new_ops[#h.new_ops + 1] = outcome
end

-- How a hold that is unknown here is answered: the ledger is asked once.
local function unknown(A, op)
  if op.asked == 0 then return answer(A, ASK_LEDGER, false, '', 0, 0, '', '', '') end
  return refuse(A, HOLD_NOT_FOUND)
end

local function barred(A)
  if A.state == CLOSED then return ACCOUNT_CLOSED end
  if A.frozen == 1 then return ACCOUNT_FROZEN end
  if A.state == SUSPENDED then return ACCOUNT_SUSPENDED end
end

local function emit_terms(E, outcome)
  local A = E.A
  emit(E, outcome, pack('>BBi7i7I4I4i7', A.state, A.frozen, A.overdraft, A.credit, A.max_open, A.etag, A.created))
end

do -- a function has at most 200 locals, and the program is one

-- A gift for a new account, if the catalog has one.
local function welcome(op, A, amount, expires)
  local E = begin(A, V_GRANT, '~welcome', A.clock, op)
  local g = new_grant(A, amount, { id = '~welcome', kind = 1, phase = STARTED, priority = 5, start = A.clock, expires = expires })
  put(E, ISSUE, g, amount)
  emit(E, pack_outcome('', E.moves, A.clock, expires), terms(g))
end

-- What is not sent comes from the catalog: how far the account may go into debt, and a gift.
verbs[V_CREATE] = function(op)
  local sent, own_overdraft, own_credit, gift, expires = take('>I2c0i7i7i7i7', op.raw, op.at)
  local overdraft, credit, max_open = take('>i7i7I4', sent)
  local A = find_account(op)
  if A == nil then return pack('>B', LOAD) end
  if A then
    apply_due(A, op)
    if renewal_due(A) then return renew(A) end
    local recorded = A.sent or call('HGET', A.key, 'c')
    if recorded ~= sent then return refuse(A, ID_REUSED, 0, 0, nil, pack_outcome(recorded, '')) end
    return repeated(A, nil, pack_outcome(sent, ''))
  end
  if overdraft < 0 then overdraft = own_overdraft end
  if credit < 0 then credit = min(own_credit, overdraft) end
  A = remember(op.key, new_account(op.key, overdraft, credit, max_open, sent))
  local E, outcome = begin(A, V_CREATE, '', A.clock, op), pack_outcome(sent, '')
  emit_terms(E, outcome)
  if gift > 0 then welcome(op, A, gift, expires) end
  return done(E, nil, outcome)
end

-- -1, 0 and '' stand for "unchanged".
verbs[V_UPDATE] = function(op, A)
  local overdraft, credit, max_open, state, etag = take('>i7i7i7Bs', op.raw, op.at)
  if A.state == CLOSED then return refuse(A, ACCOUNT_CLOSED) end
  if etag ~= '' and etag ~= string.format('%.0f', A.etag) then return refuse(A, ETAG_MISMATCH) end
  if overdraft < 0 then overdraft = A.overdraft end
  if credit < 0 then credit = A.credit end
  if max_open < 0 then max_open = A.max_open end
  if state == 0 then state = A.state end
  if credit > overdraft then return refuse(A, INVALID, credit, overdraft) end
  if overdraft == A.overdraft and credit == A.credit and max_open == A.max_open and state == A.state then
    return answer(A, OK, false, '', 0, 0, '', '', '')
  end
  local E = begin(A, V_UPDATE, '', A.clock, op)
  A.overdraft, A.credit, A.max_open, A.state, A.etag = overdraft, credit, max_open, state, A.etag + 1
  emit_terms(E, '')
  return done(E, nil, '')
end

local function set_frozen(verb, frozen)
  return function(op, A)
    if A.frozen == frozen then return answer(A, OK, true, '', 0, 0, '', '', '') end
    local E = begin(A, verb, '', A.clock, op)
    A.frozen, A.etag = frozen, A.etag + 1
    emit_terms(E, '')
    return done(E, nil, '')
  end
end
verbs[V_FREEZE], verbs[V_UNFREEZE] = set_frozen(V_FREEZE, 1), set_frozen(V_UNFREEZE, 0)

end

-- C2.
verbs[V_CLOSE] = function(op, A)
  if A.state == CLOSED then return repeated(A, nil, A.closing or call('HGET', A.key, 'z')) end
  if plan_of(A) and A.plan.active then return refuse(A, SUBSCRIPTION_ACTIVE) end
  local E, lapsed = begin(A, V_CLOSE, '', A.clock, op), A.pending
  for _, g in ipairs(A.grants) do
    if g.phase == PENDING then g.free = 0 end
    if g.phase == STARTED then put(E, LAPSE, g, g.free) end
    if g.phase ~= REVOKED then g.phase, g.roll_for = ENDED, nil end
  end
  A.pending, A.spent, A.spent_changed, A.state, A.etag = 0, {}, true, CLOSED, A.etag + 1
  A.closing = pack_outcome('', E.moves, lapsed)
  emit_terms(E, A.closing)
  return done(E, nil, A.closing)
end

verbs[V_READ] = function(_, A) return answer(A, OK, false, '', 0, 0, '', '', '') end

-- The same with what the program reads of the plan, and the started grants that have not ended: kind, made with, free, pinned. Not added up: what spent ones were made with
-- passes 2^53 (A2).
verbs[V_BALANCE] = function(_, A)
  local parts = {}
  for _, list in ipairs({ A.grants, spent_grants(A) }) do
    for _, g in ipairs(list) do
      if g.phase == STARTED then parts[#parts + 1] = pack('>Bi7i7i7', g.kind, g.amount, g.free, g.pinned) end
    end
  end
  parts = concat(parts)
  parts = pack('>I2c0I2c0', #parts, parts, #A.packed_plan, A.packed_plan)
  return pack('>BI2c0', WITH_KINDS, #parts, parts) .. answer(A, OK, false, '', 0, 0, '', '', '')
end

verbs[V_HOLD] = function(op, A)
  local h, nos = find_hold(A, op), {}
  if not h then return unknown(A, op) end
  for _, pin in ipairs(h.pins) do nos[pin.no] = true end
  return answer(A, OK, false, '', 0, 0, pack_hold(h), '', names(A, nos))
end

-- The usual reserve, commit and release, done on the packed forms without reading them into tables: nothing is due, there is no debt and no
-- cap, one grant pays for the hold and no other one comes before it. It answers nil where something is not usual: then the rules in full
-- do it, from the beginning. A test has both do the same calls, and compares every byte.

do -- a function has at most 200 locals, and the program is one

-- Where free stands in a grant, and what is behind pinned; the size of what is behind a grant that rolls over, and of an account before its grants.
local FREE_AT, BEHIND, ROLLOVER_SIZE, HEAD_SIZE = 30, 44, 18, 83
local GRANT, ACCOUNT = usual.GRANT, usual.ACCOUNT .. 'c0i7i7c0' -- with the one grant that changes
local HOLD, EVENT = usual.HOLD .. 'BI4i7c0', '>I4BssI7i7ssI2c0I2c0s' -- with its one pin; 24 bytes without its texts, its outcome and its hold

-- An account as it was when the batch began. The second call on it reads it into tables, see `thaw`.
local function find(op)
  if accounts[op.key] ~= nil or REPLAYS or op.load ~= '' or op.step ~= '' or op.asked ~= 0 then return end
  local got = call('HMGET', op.key, 's', 'e', 'h:' .. op.id, 'l')
  op.got = got
  if got[2] ~= ERA then return end
  return { usual = true, key = op.key, id = sub(op.key, #BASE + 3), packed = got[1], packed_plan = got[4] or '', hold_id = op.id, hold = got[3],
    dkey = op.dkey, pkey = op.pkey, ended = false, clock = NOW, seq = 0, indexed = 0, reindexed = false, dirty = true, place = 0 }
end

-- What makes an account unusual by itself: it is asking, not active, frozen, in debt, or something is due.
local function stands(form, clock, state, frozen, debt, indexed)
  return form == usual.PLAIN and state == ACTIVE and frozen == 0 and debt == 0 and (indexed == 0 or clock < indexed)
end

local function event(verb, R, op, outcome, hold)
  local id, subject, actor, trace = R.id, op.id, op.actor, op.trace
  events[#events + 1] = pack(EVENT, 24 + #id + #subject + #actor + #trace + #outcome + #hold, verb, id, subject, R.seq, R.clock,
    actor, trace, #outcome, outcome, #hold, hold, '')
  order[#order + 1], R.place, R.hold = R, #order + 1, hold
  accounts[R.key] = R
end

-- The refusals, and what a plan with caps counts, are not usual. Second, whether a commit above the hold is rejected.
local function within_limits(R, amount, need, sent, max_open, open)
  local slots, rejects = max_open, false
  if need ~= '' or R.packed_plan ~= '' then
    local needs, beyond, full, of_plan = caps.adopt(R, need)
    if R.bare_caps or caps.hold(R) then return false end
    beyond, full, of_plan, rejects = beyond_plan(R, needs, amount, sent)
    if beyond ~= '' or full ~= '' then return false end
    if slots == 0 or (of_plan > 0 and of_plan < slots) then slots = of_plan end
  end
  return slots == 0 or open < slots, rejects
end

usual[V_RESERVE] = function(op)
  local R = find(op)
  if not R or R.hold or call('GET', op.dkey) then return end
  local life, validate, sent, at = take('>i7BI2c0', op.raw, op.at)
  local raw, _, amount = R.packed, take('>Bi7', sent)
  local form, seq, clock, state, frozen, debt, overdraft, credit, max_open, open, promised, next_hold, indexed, etag, next_no, created,
    count, place = take(usual.ACCOUNT, raw)
  clock = max(clock, NOW)
  if validate == 1 or amount == 0 or not stands(form, clock, state, frozen, debt, indexed) then return end
  R.clock, R.seq = clock, seq + 1
  if made_by_usage(sent) then
    if not is_priced(R, op.raw, at) then return end
    at = at + 14
  end
  local within, rejects = within_limits(R, amount, take('>I2c0', op.raw, at), sent, max_open, open)
  if not within then return end

  local free, held, pending, pays = 0, 0, 0, nil
  local grant, kind, has_free, has_pinned, name
  for _ = 1, count do
    local no, k, phase, flags, _, _, _, _, f, p, id, after = take(GRANT, raw, place)
    held = held + p
    if phase == PENDING then pending = pending + f else free = free + f end
    if not pays and phase == STARTED and f > 0 then
      if f - amount < 0 then return end
      pays, grant, kind, has_free, has_pinned, name = place, no, k, f, p, id
    end
    place = flags >= 2 and after + ROLLOVER_SIZE or after
  end
  if not pays then return end

  local expires = clock + life
  if next_hold == 0 or expires < next_hold then next_hold = expires end
  if expires < NEVER and (indexed == 0 or expires < indexed) then indexed, R.reindexed = expires, true end
  R.indexed = indexed
  R.packed = pack(ACCOUNT, form, seq + 1, clock, state, frozen, debt, overdraft, credit, max_open, open + 1, promised, next_hold, indexed, etag,
    next_no, created, count, sub(raw, HEAD_SIZE + 1, pays + FREE_AT - 1), has_free - amount, has_pinned + amount, sub(raw, pays + BEHIND))
  local outcome = pack('>I2Bi7BI4i7', 0, 1, 0, PIN, grant, amount)
  local hold = pack(HOLD, OPEN, rejects and usual.REJECTS or 0, seq + 1, clock, life, 0, #sent, sent, 1, grant, amount, '')
  event(V_RESERVE, R, op, outcome, hold)
  return pack(ANSWER, OK, 0, free - amount, held + amount, debt, pending, promised, clock, seq + 1, state, frozen, overdraft, credit, max_open,
    open + 1, etag, created, next_hold, '', 0, 0, #hold, hold, #outcome, outcome, pack('>I4Bs', grant, kind, name))
end

-- An open hold with one pin and no operations of its own is over: x of it is charged, the rest comes back.
local function finish(op, R, verb, to, sent, x, all, priced)
  local raw, packed = R.packed, R.hold
  local was, flags, made, since, life, _, call_sent, at = take(usual.HOLD, packed)
  if was ~= OPEN or (flags ~= 0 and flags ~= usual.REJECTS) or packed:byte(at) ~= 1 then return end
  local _, grant, amount = take('>BI4i7', packed, at)
  if all then x = amount end
  if x - amount > 0 then return end
  if priced and not (made_by_usage(call_sent) and sub(call_sent, -8) == sub(sent, -8)) then return end
  local max_commit = take('>i7', call_sent, 16)
  if max_commit >= 0 and x - max_commit > 0 then return end
  local form, seq, clock, state, frozen, debt, overdraft, credit, max_open, open, promised, next_hold, indexed, etag, next_no, created,
    count, place = take(usual.ACCOUNT, raw)
  clock = max(clock, NOW)
  if caps.hold(R) or not stands(form, clock, state, frozen, debt, indexed) then return end
  R.clock, R.seq, R.ended = clock, seq + 1, true

  local free, held, pending, pays = 0, 0, 0, nil
  local kind, has_free, has_pinned, name
  for _ = 1, count do
    local no, k, phase, flagged, _, _, _, _, f, p, id, after = take(GRANT, raw, place)
    held = held + p
    if phase == PENDING then pending = pending + f else free = free + f end
    if no == grant then
      if phase ~= STARTED then return end
      pays, kind, has_free, has_pinned, name = place, k, f + amount - x, p - amount, id
    elseif not pays and phase == STARTED and f > 0 and x > 0 then
      return
    end
    place = flagged >= 2 and after + ROLLOVER_SIZE or after
  end
  if not pays or has_free + has_pinned == 0 then return end

  R.packed = pack(ACCOUNT, form, seq + 1, clock, state, frozen, debt, overdraft, credit, max_open, open - 1, promised, next_hold, indexed, etag,
    next_no, created, count, sub(raw, HEAD_SIZE + 1, pays + FREE_AT - 1), has_free, has_pinned, sub(raw, pays + BEHIND))
  local outcome = pack('>I2c0B', #sent, sent, 0)
  if x > 0 then outcome = outcome .. pack('>BI4i7', BURN_PIN, grant, x) end
  if x < amount then outcome = outcome .. pack('>BI4i7', RETURN, grant, amount - x) end
  local hold = pack(HOLD, to, flags, made, since, life, clock - since, #call_sent, call_sent, 1, grant, amount, outcome)
  event(verb, R, op, outcome, hold)
  return pack(ANSWER, OK, 0, free + amount - x, held - amount, debt, pending, promised, clock, seq + 1, state, frozen, overdraft, credit, max_open,
    open - 1, etag, created, next_hold, '', 0, 0, #hold, hold, #outcome, outcome, pack('>I4Bs', grant, kind, name))
end

usual[V_COMMIT] = function(op)
  local sent = take('>I2c0', op.raw, op.at)
  local flags, amount = take('>Bi7', sent)
  local R = has(flags, FINAL) and find(op)
  if R and R.hold then return finish(op, R, V_COMMIT, COMMITTED, sent, amount, has(flags, ALL_HELD), has(flags, PRICED)) end
end

usual[V_RELEASE] = function(op)
  local R = find(op)
  if R and R.hold then return finish(op, R, V_RELEASE, RELEASED, '', 0, false, false) end
end

-- Into tables, with what has happened to it in this batch.
function usual.thaw(R)
  local A, h = read_account(R.key, R.packed), read_hold(R.hold, R.hold_id)
  A.packed_plan, A.reindexed, A.dirty = R.packed_plan, R.reindexed, true
  h.dkey, h.pkey, h.was_open, h.dirty = R.dkey, R.pkey, R.ended, true
  A.holds[R.hold_id], order[R.place], accounts[R.key] = h, A, A
  return A
end

function usual.write(R)
  if R.ended then
    call('HSET', R.key, 's', R.packed)
    call('HDEL', R.key, 'h:' .. R.hold_id)
    call('SET', R.dkey, R.hold, 'PX', KEEP_MS)
  else
    call('HSET', R.key, 's', R.packed, 'h:' .. R.hold_id, R.hold)
  end
  if R.reindexed then call('ZADD', KEYS[3], string.format('%.0f', R.indexed), R.id) end
end

end

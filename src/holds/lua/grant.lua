-- Giving credits, and taking a grant back. `g:` remembers both outcomes; after that the ledger does.

local full

do -- a function has at most 200 locals, and the program is one

local function live_grants(A)
  local count = 0
  for _, g in ipairs(A.grants) do
    if g.phase == PENDING or (g.phase == STARTED and g.free + g.pinned > 0) then count = count + 1 end
  end
  return count
end

-- A2, G1. Answers what is full, as the number that the refusal carries: 1 grants, 2 credits.
function full(A, new_grants, amount)
  if new_grants > 0 and live_grants(A) + new_grants > MAX_LIVE then return 1 end
  if A.free + A.held + A.pending + amount > MAX_CREDITS then return 2 end
end

end

-- (grant's outcome, revoke's outcome) as remembered; the second is '' until there is one.
local function recorded_grant(A, op)
  A.granted = A.granted or {}
  local raw = A.granted[op.id]
  if raw == nil then
    raw = call('GET', op.gkey)
    A.granted[op.id] = raw
  end
  if not raw and op.prior ~= '' then return op.prior, op.prior_outcome end -- as the ledger has them
  if not raw then return nil, op.prior_outcome end
  local granted, at = take('>I2c0', raw)
  return granted, sub(raw, at)
end

local function record_grant(A, op, granted, revoked)
  A.granted[op.id] = pack('>I2c0', #granted, granted) .. revoked
  A.new_keys = A.new_keys or {}
  A.new_keys[op.gkey] = A.granted[op.id]
end

do

-- I2: what a purchase came to, the last 15 bytes, was not sent.
local function same_grant(was, sent, bought)
  return was == sent or (bought and sub(was, 1, -16) == sub(sent, 1, -16))
end

-- G5. -1 and 0 stand for "absent".
verbs[V_GRANT] = function(op, A)
  local kind, priority, flags, amount, start, expires, expires_in, roll_for, roll_cap, provider, reference, sent =
    take('>BI2Bi7i7i7i7i7i7ssI2c0', op.raw, op.at)
  local known = recorded_grant(A, op)
  if known then
    local _, was = moves_at(known)
    if not same_grant(was, sent, flags >= 2) then return refuse(A, ID_REUSED, 0, 0, nil, known) end
    return repeated(A, nil, known)
  end
  if op.asked == 0 then return answer(A, ASK_LEDGER, false, '', 0, 0, '', '', '') end
  start = max(start, A.clock)
  if expires_in > 0 then expires = A.clock + expires_in end
  if expires == 0 then expires = NEVER end
  if expires <= start then return refuse(A, INVALID, start, expires) end
  local reason = barred(A)
  if reason and reason ~= ACCOUNT_SUSPENDED then return refuse(A, reason) end
  local resource = full(A, 1, amount)
  if resource then return refuse(A, CAPACITY_LIMIT, resource) end

  local E = begin(A, V_GRANT, op.id, A.clock, op)
  local g = new_grant(A, amount, { id = op.id, kind = kind, phase = start > A.clock and PENDING or STARTED, priority = priority, start = start,
    expires = expires, non_refundable = flags % 2 == 1 })
  if roll_for > 0 then g.roll_for, g.room, g.roll_no = roll_for, roll_cap, 0 end
  local made = terms(g, provider, reference)
  name(E, g)
  if g.phase == PENDING then
    g.free, A.pending = amount, A.pending + amount
  else
    put(E, ISSUE, g, amount)
    settle(E)
  end
  local outcome = pack_outcome(sent, E.moves, start, expires)
  record_grant(A, op, outcome, '')
  emit(E, outcome, made)
  return done(E, nil, outcome)
end

-- G6. `facts`: what the ledger knows of a grant that is not here: its number (0: it does not know it) and whether it may be revoked.
verbs[V_REVOKE] = function(op, A)
  local no, non_refundable = take('>I4B', op.raw, op.at)
  local granted, revoked = recorded_grant(A, op)
  if revoked ~= '' then return repeated(A, nil, revoked) end
  -- The grant's own outcome is remembered beside the revoke's: it must be known first.
  if not granted and op.asked == 0 then return answer(A, ASK_LEDGER, false, '', 0, 0, '', '', '') end
  local g, spent_at
  for _, candidate in ipairs(A.grants) do
    if candidate.id == op.id then g = candidate end
  end
  if not g then
    for i, candidate in ipairs(spent_grants(A)) do
      if candidate.id == op.id then g, spent_at = candidate, i end
    end
  end
  if not g and op.asked == 0 then return answer(A, ASK_LEDGER, false, '', 0, 0, '', '', '') end
  if not g and no == 0 then return refuse(A, GRANT_NOT_FOUND) end
  if g and g.non_refundable or non_refundable == 1 then return refuse(A, NON_REFUNDABLE) end

  local E, lapsed, outstanding = begin(A, V_REVOKE, op.id, A.clock, op), 0, 0
  if g then
    no, outstanding = g.no, g.pinned
    if g.phase == PENDING then
      lapsed, A.pending, g.free = g.free, A.pending - g.free, 0
    elseif g.phase == STARTED then
      put(E, REVOKE, g, g.free)
    end
    g.phase = REVOKED
    if spent_at then
      table.remove(A.spent, spent_at)
      A.spent_changed = true
    end
  end
  local outcome = pack_outcome('', E.moves, lapsed, outstanding)
  record_grant(A, op, granted or pack_outcome('', ''), outcome)
  emit(E, outcome, pack('>I4', no))
  return done(E, nil, outcome)
end

end

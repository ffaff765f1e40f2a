-- H14: giving back what a hold was charged and overdrawn.

do -- the names in it are nobody else's

-- Where x of the hold's charges goes: against debt, to live sources, and the rest to a refund grant.
local function refund_plan(A, h, x)
  local owed = min(x, h.owed)
  local to_debt = min(owed, A.debt)
  local plan, rest = { owed = owed, to_debt = to_debt, orphan = owed - to_debt, targets = {}, revived = 0 }, x - owed
  for i = #h.burns, 1, -1 do
    if rest == 0 then break end
    local burned = h.burns[i]
    local part, g, spent = min(rest, burned.amount), grant_by_no(A, burned.no), nil
    for _, candidate in ipairs(spent_grants(A)) do
      if candidate.no == burned.no then g, spent = candidate, true end
    end
    if g and g.phase == STARTED then
      plan.targets[#plan.targets + 1] = { g = g, amount = part, spent = spent }
      if g.free + g.pinned == 0 then plan.revived = plan.revived + 1 end
    else
      plan.orphan = plan.orphan + part
    end
    rest = rest - part
  end
  if plan.orphan > 0 then plan.revived = plan.revived + 1 end
  return plan
end

local function revive(A, g)
  for i, candidate in ipairs(A.spent) do
    if candidate == g then table.remove(A.spent, i) end
  end
  A.spent_changed = true
  insert_grant(A.grants, g)
  reindex(A, g.expires)
end

-- What was refunded can not be refunded again: the latest burns shrink first.
local function take_burns(h, x)
  while x > 0 do
    local last = h.burns[#h.burns]
    local part = min(x, last.amount)
    last.amount, x = last.amount - part, x - part
    if last.amount == 0 then h.burns[#h.burns] = nil end
  end
end

verbs[V_REFUND] = function(op, A)
  local refund_id, sent = take('>sI2c0', op.raw, op.at)
  local h = find_hold(A, op)
  if not h then return unknown(A, op) end
  local field = 'r:' .. refund_id
  local known, ask = find_op(h, field, op)
  if ask then return unknown(A, op) end
  if known then
    local _, was = moves_at(known)
    if was ~= sent then return refuse(A, ID_REUSED, 0, 0, h, known) end
    return repeated(A, h, known)
  end
  local x, left = take('>i7', sent), h.charged + h.overdrawn - h.refunded
  if x - left > 0 then return refuse(A, ABOVE_HOLD, x, left, h) end
  if A.state == CLOSED then return refuse(A, ACCOUNT_CLOSED) end
  local where = refund_plan(A, h, x)
  local resource = full(A, where.revived, x)
  if resource then return refuse(A, CAPACITY_LIMIT, resource) end

  local E, made = begin(A, V_REFUND, op.id, A.clock, op), nil
  put(E, REFUND, nil, where.to_debt)
  put(E, SETTLE, nil, where.to_debt)
  for _, target in ipairs(where.targets) do
    if target.spent then revive(A, target.g) end
    put(E, REFUND, target.g, target.amount)
  end
  if where.orphan > 0 then
    local g = new_grant(A, where.orphan, { kind = 5, phase = STARTED, priority = 100, start = A.clock, expires = A.clock + REFUND_TTL,
      id = '~refund:' .. string.format('%.0f', E.seq) })
    made = terms(g)
    put(E, REFUND, g, where.orphan)
  end
  settle(E)
  h.totals, h.refunded, h.owed = true, h.refunded + x, h.owed - where.owed
  take_burns(h, x - where.owed)
  local outcome = pack_outcome(sent, E.moves)
  record_op(h, field, outcome)
  emit_hold(E, h, refund_id, outcome, pack('>B', made and 1 or 0) .. (made or ''))
  return done(E, h, outcome)
end

end

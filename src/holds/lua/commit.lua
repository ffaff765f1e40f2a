-- Charging what a job used, letting go of a hold, and instant charges.

local ALL_HELD, FINAL, PRICED = 1, 2, 4

local charge_hold, charge_now

do -- the names in it are nobody else's

-- A usage is priced by the version that its hold was made by; of a hold that has none, by the one in force now.
local function at_its_price(A, h, sent, raw, at)
  if h and made_by_usage(h.sent) then return sub(h.sent, -8) == sub(sent, -8) end
  return is_priced(A, raw, at)
end

-- The answer to a commit that is a repeat or comes too late, or nil.
local function settled_already(A, h, op, sent, flags, commit_id)
  local final = has(flags, FINAL)
  if not final then
    local known, ask = find_op(h, 'c:' .. commit_id, op)
    if ask then return unknown(A, op) end
    if known then
      local _, was = moves_at(known)
      if not same_call(was, sent, has(flags, PRICED)) then return refuse(A, ID_REUSED, 0, 0, h, known) end
      return repeated(A, h, known)
    end
  end
  if h.state == OPEN then return end
  if h.state == RELEASED or h.sent:byte(1) == V_CHARGE then return refuse(A, HOLD_ENDED, 0, 0, h) end
  if h.state == EXPIRED and not h.late then
    if A.clock - h.expires > LATE_WINDOW then return refuse(A, LATE_WINDOW_PASSED, h.expires, LATE_WINDOW, h) end
    return
  end
  local _, was = moves_at(h.outcome)
  if same_call(was, sent, has(flags, PRICED)) then return repeated(A, h, h.outcome) end
  local _, _, recorded_id = take('>Bi7s', was)
  if not final and (h.state == COMMITTED or commit_id ~= recorded_id) then return refuse(A, HOLD_ENDED, 0, 0, h) end
  return refuse(A, ID_REUSED, 0, 0, h, h.outcome)
end

-- H5: a partial commit of x makes the hold x smaller; what own pins did not pay comes off the promise, then off the pins that burn last.
local function shrink(E, h, list, rest)
  local A, promise = E.A, min(rest, h.promise)
  h.promise, A.promised, rest = h.promise - promise, A.promised - promise, rest - promise
  for i = #list, 1, -1 do
    local source = list[i]
    local x = min(source.pin, rest)
    source.pin, rest, h.released = source.pin - x, rest - x, h.released + x
    return_pin(E, source.g, x)
  end
  h.pins = {}
  for _, g in ipairs(A.grants) do
    for _, source in ipairs(list) do
      if source.g == g and source.pin > 0 then h.pins[#h.pins + 1] = { no = g.no, amount = source.pin } end
    end
  end
end

-- H6, H8: x is charged, whatever is there; of a hold that has ended, as late.
function charge_hold(op, A, h, sent, x)
  local flags, _, commit_id = take('>Bi7s', sent)
  local late, held = h.state ~= OPEN, sum(h.pins) + h.promise
  local E, list = begin(A, V_COMMIT, op.id, A.clock, op), sources(A, h)
  local own, rest = burn(E, h, list, x)
  local overdrawn = min(rest, max(0, A.overdraft - A.debt))
  put(E, OVERDRAW, nil, overdrawn)
  put(E, ABSORB, nil, rest - overdrawn)
  h.overdrawn, h.owed, h.absorbed = h.overdrawn + overdrawn, h.owed + overdrawn, h.absorbed + rest - overdrawn
  local partial = not has(flags, FINAL) and (not late or h.late or h.state == COMMITTED)
  if partial then
    h.totals = true
    shrink(E, h, list, min(x, held) - own)
  elseif not late then
    end_hold(A, h, COMMITTED, A.clock)
    return_all(E, h, list)
  end
  settle(E)
  local outcome = pack_outcome(sent, E.moves, late and 1 or nil)
  if partial then record_op(h, 'c:' .. commit_id, outcome) else h.outcome, h.late = outcome, late end
  emit_hold(E, h, partial and commit_id or '', outcome)
  return done(E, h, outcome)
end

-- A hold that neither Redis nor the ledger knows, while a recovery may have lost it: ended now, with nothing set aside. Nil: there
-- was none, as far as anybody can know.
local function lost_hold(op, A)
  local lost = op.asked == 1 and call('HGET', KEYS[1], 'lost')
  if not lost or A.clock - tonumber(lost) > MAX_LIFETIME + LATE_WINDOW then return end
  local h = new_hold(A, { seq = A.seq + 1 }, op, pack('>Bi7i6Bi7', V_RESERVE, 0, -1, 0, -1), 0)
  h.state, h.ended, A.holds[op.id] = EXPIRED, A.clock, h
  return h
end

-- What it held nobody knows, so the commit must say how much.
local function commit_lost(op, A, sent, flags, amount, at)
  local h = not has(flags, ALL_HELD) and lost_hold(op, A)
  if h and has(flags, PRICED) and not at_its_price(A, nil, sent, op.raw, at) then
    A.holds[op.id] = false
    return refuse(A, INVALID)
  end
  return h and charge_hold(op, A, h, sent, amount) or unknown(A, op)
end

local function release_lost(op, A)
  local h = lost_hold(op, A)
  if not h then return unknown(A, op) end
  local E = begin(A, V_RELEASE, op.id, A.clock, op)
  h.state, h.outcome = RELEASED, pack_outcome('', '')
  emit_hold(E, h, '', h.outcome)
  return done(E, h, h.outcome)
end

verbs[V_COMMIT] = function(op, A)
  local sent, at = take('>I2c0', op.raw, op.at)
  local flags, amount, commit_id = take('>Bi7s', sent)
  local h = find_hold(A, op)
  if not h then return commit_lost(op, A, sent, flags, amount, at) end
  local early = settled_already(A, h, op, sent, flags, commit_id)
  if early then return early end
  if has(flags, PRICED) and not at_its_price(A, h, sent, op.raw, at) then return refuse(A, INVALID, 0, 0, h) end
  local late = h.state == EXPIRED
  local held = late and h.at_end or sum(h.pins) + h.promise
  local x = has(flags, ALL_HELD) and held or amount
  local _, _, _, reject, max_commit = take('>Bi7i6Bi7', h.sent)
  if (h.rejects or has(reject, REJECT)) and x - held > 0 then return refuse(A, ABOVE_HOLD, x, held, h) end
  -- Without a maximum of its own a hold has that of all amounts, so that no total passes 2^53 (A2).
  local most = max_commit >= 0 and max_commit or MAX_CREDITS
  if x - (most - (h.charged + h.overdrawn + h.absorbed)) > 0 then return refuse(A, ABOVE_MAX_COMMIT, x, most, h) end
  return charge_hold(op, A, h, sent, x)
end

-- H12.
verbs[V_RELEASE] = function(op, A)
  local h = find_hold(A, op)
  if not h then return release_lost(op, A) end
  if h.state == RELEASED then return repeated(A, h, h.outcome) end
  if h.state ~= OPEN then return answer(A, OK, false, '', 0, 0, pack_hold(h), pack_outcome('', ''), '') end
  local E, list = begin(A, V_RELEASE, op.id, A.clock, op), sources(A, h)
  end_hold(A, h, RELEASED, A.clock)
  return_all(E, h, list)
  settle(E)
  h.outcome = pack_outcome('', E.moves)
  emit_hold(E, h, '', h.outcome)
  return done(E, h, h.outcome)
end

-- H13: what is free first, then debt; a replay may find less than there was.
function charge_now(op, A, sent, amount, old)
  local E = begin(A, V_CHARGE, op.id, A.clock, op)
  local h = new_hold(A, E, op, sent, 0, old)
  h.state, h.ended, A.holds[op.id] = COMMITTED, A.clock, h
  local _, rest = burn(E, h, sources(A, h), amount)
  local overdrawn = REPLAYS and min(rest, max(0, A.overdraft - A.debt)) or rest
  put(E, OVERDRAW, nil, overdrawn)
  put(E, ABSORB, nil, rest - overdrawn)
  h.overdrawn, h.owed, h.absorbed, h.outcome = overdrawn, overdrawn, rest - overdrawn, pack_outcome(sent, E.moves)
  emit_hold(E, h, '', h.outcome)
  return done(E, h, h.outcome)
end

-- H13.
verbs[V_CHARGE] = function(op, A)
  local sent, need = take('>I2c0I2c0', op.raw, op.at)
  local old, same = known_hold(A, op, sent)
  if same then return same end
  local _, amount = take('>Bi7', sent)
  local reasons, slots = limits(A, amount, false, need, sent)
  if reasons then return refuse_limits(A, reasons, amount, slots) end
  return charge_now(op, A, sent, amount, old)
end

end

-- Setting credits aside, and adding to what is set aside.

local limits

do -- a function has at most 200 locals, and the program is one

-- D2: how far `amount` is from what a reserve may take; more than 0 is too much. By subtraction: free and credit limit together
-- can pass 2^53 (A2).
local function short_by(A, amount)
  return amount - A.free - max(0, A.credit - A.debt - A.promised)
end

-- All that refuses, in order; the first is the status. Second, how many open holds there may be; 0: any number. Third, whether a commit
-- above its hold is rejected where the call does not say.
function limits(A, amount, slot, need, sent)
  local state, slots, beyond, full, of_plan, rejects = barred(A), A.max_open, '', '', 0, false
  if need ~= '' or A.packed_plan ~= '' then beyond, full, of_plan, rejects = beyond_plan(A, caps.adopt(A, need), amount, sent) end
  local reasons = (state and string.char(state) or '') .. beyond
  if slots == 0 or (of_plan > 0 and of_plan < slots) then slots = of_plan end
  if slot and slots > 0 and A.open >= slots then reasons = reasons .. string.char(CONCURRENCY_LIMIT) end
  reasons = reasons .. full
  if A.debt > A.credit then
    reasons = reasons .. string.char(IN_DEBT)
  elseif short_by(A, amount) > 0 then
    reasons = reasons .. string.char(INSUFFICIENT_CREDITS)
  end
  return reasons ~= '' and reasons, slots, rejects
end

end

-- With what the program reads of the account's plan before it, if it has one, and the cap that would be passed.
local function refuse_limits(A, reasons, amount, slots)
  local refused = answer(A, REFUSED, false, reasons, amount, slots, '', '', '')
  if A.packed_plan == '' and not A.passed then return refused end
  return pack('>BI2c0I2c0', BEYOND_PLAN, #A.packed_plan, A.packed_plan, #A.passed, A.passed) .. refused
end

-- H1: what each grant gives, in burn order, and the rest: the promise.
local function plan(A, amount)
  local list, grants = {}, A.grants
  for i = 1, #grants do
    if amount == 0 then break end
    local g = grants[i]
    if g.phase == STARTED and g.free > 0 then
      local x = min(g.free, amount)
      list[#list + 1] = { no = g.no, amount = x, g = g }
      amount = amount - x
    end
  end
  return list, amount
end

-- `old`: the forgotten hold of the same id. If it ended in this very batch, its field is still to be deleted.
local function new_hold(A, E, op, sent, life, old)
  return { was_open = old and old.was_open, clear_ops = old and true, id = op.id, dkey = op.dkey, pkey = op.pkey, state = OPEN, seq = E.seq, created = A.clock, expires = A.clock + life, sent = sent,
    first = {}, pins = {}, burns = {}, outcome = '', charged = 0, overdrawn = 0, absorbed = 0, released = 0, refunded = 0, promise = 0,
    first_promise = 0, owed = 0, at_end = 0, seen = 0, aside = 0, dirty = true }
end

local function made_by_usage(sent) return has(sent:byte(15), BY_USAGE) end

-- I2: what a usage came to, in bytes 2 to 8, and by which version, the last eight, was not sent.
local function same_call(was, sent, by_usage)
  return was == sent or (by_usage and sub(was, 1, 1) == sub(sent, 1, 1) and sub(was, 9, -9) == sub(sent, 9, -9))
end

-- Whether a usage was priced for now.
local function is_priced(A, raw, at)
  local from, to = take('>i7i7', raw, at)
  return from <= A.clock and A.clock < to
end

local function made_before(A, h, sent)
  local outcome = h.outcome
  if h.sent:byte(1) == V_RESERVE then
    local moves = ''
    for _, pin in ipairs(h.first) do moves = moves .. pack('>BI4i7', PIN, pin.no, pin.amount) end
    outcome = pack_outcome('', moves, h.first_promise)
  end
  if not same_call(h.sent, sent, made_by_usage(sent)) then return refuse(A, ID_REUSED, 0, 0, h, outcome) end
  return repeated(A, h, outcome)
end

-- The hold that an id already names, and the answer to its repeat; I4: no longer than the repeat window after its end.
local function known_hold(A, op, sent)
  local h = find_hold(A, op)
  if not h and op.asked == 0 and A.clock <= A.ask_until then return h, unknown(A, op) end
  if not h or (h.state ~= OPEN and A.clock - h.ended > REPEAT_WINDOW) then return h, nil end
  return h, made_before(A, h, sent)
end

local function set_aside(E, h, first, promise)
  local A = E.A
  for i = 1, #first do put(E, PIN, first[i].g, first[i].amount) end
  A.holds[h.id] = h
  A.open, A.promised = A.open + 1, A.promised + promise
  if A.next_hold == 0 or h.expires < A.next_hold then A.next_hold = h.expires end
  reindex(A, h.expires)
  local outcome = pack_outcome('', E.moves, promise)
  emit_hold(E, h, '', outcome)
  return done(E, h, outcome)
end

verbs[V_RESERVE] = function(op, A)
  local life, validate, sent, at = take('>i7BI2c0', op.raw, op.at)
  local old, same = known_hold(A, op, sent)
  if same then return same end
  if made_by_usage(sent) then
    if not is_priced(A, op.raw, at) then return refuse(A, INVALID) end
    at = at + 14
  end
  local _, amount = take('>Bi7', sent)
  local reasons, slots, rejects = limits(A, amount, true, take('>I2c0', op.raw, at), sent)
  if reasons then return refuse_limits(A, reasons, amount, slots) end
  local first, promise = plan(A, amount)

  local E = validate == 0 and begin(A, V_RESERVE, op.id, A.clock, op) or { seq = A.seq + 1, named = '', moves = '' }
  local h = new_hold(A, E, op, sent, life, old)
  h.first, h.pins, h.promise, h.first_promise, h.totals, h.rejects = first, first, promise, promise, promise > 0, rejects
  if validate == 1 then
    for _, pin in ipairs(first) do
      name(E, pin.g)
      E.moves = E.moves .. pack('>BI4i7', PIN, pin.no, pin.amount)
    end
    return answer(A, OK, false, '', 0, 0, pack_hold(h), pack_outcome('', E.moves, promise), E.named)
  end
  return set_aside(E, h, first, promise)
end

-- A hold lives on to an instant, with x more set aside.
local function prolong(op, A, h, sent, expires, x)
  local extend_id = take('>s', op.raw, op.at)
  local added, promise = plan(A, x)
  local E, pins = begin(A, V_EXTEND, op.id, A.clock, op), {}
  for _, source in ipairs(sources(A, h)) do pins[source.g.no] = source.pin end
  for _, pin in ipairs(added) do
    put(E, PIN, pin.g, pin.amount)
    pins[pin.no] = (pins[pin.no] or 0) + pin.amount
  end
  h.pins = {}
  for _, g in ipairs(A.grants) do
    if (pins[g.no] or 0) > 0 then h.pins[#h.pins + 1] = { no = g.no, amount = pins[g.no] } end
  end
  h.totals, h.promise, h.expires = true, h.promise + promise, expires
  A.promised = A.promised + promise
  if A.next_hold == 0 or h.expires < A.next_hold then A.next_hold = h.expires end
  reindex(A, h.expires)
  local outcome = pack_outcome(sent, E.moves, h.expires, promise)
  record_op(h, 'e:' .. extend_id, outcome)
  emit_hold(E, h, extend_id, outcome)
  return done(E, h, outcome)
end

-- H4. amount -1: adds nothing.
verbs[V_EXTEND] = function(op, A)
  local extend_id, sent, need = take('>sI2c0I2c0', op.raw, op.at)
  local h = find_hold(A, op)
  if not h then return unknown(A, op) end
  local field = 'e:' .. extend_id
  local known, ask = find_op(h, field, op)
  if ask then return unknown(A, op) end
  if known then
    local _, was = moves_at(known)
    if was ~= sent then return refuse(A, ID_REUSED, 0, 0, h, known) end
    return repeated(A, h, known)
  end
  if h.state ~= OPEN then return refuse(A, HOLD_ENDED, 0, 0, h) end
  local ttl, amount = take('>i7i7', sent)
  if A.clock + ttl - h.created > MAX_LIFETIME then return refuse(A, INVALID, A.clock + ttl - h.created, MAX_LIFETIME, h) end
  -- A2: a hold sets aside no more than the greatest amount, so that its pins and promise add up exactly.
  if amount - (MAX_CREDITS - sum(h.pins) - h.promise) > 0 then return refuse(A, CAPACITY_LIMIT, 2, 0, h) end
  local reasons, slots = false, 0
  if amount > 0 then reasons, slots = limits(A, amount, false, need, h.sent) end
  if reasons then return refuse_limits(A, reasons, amount, slots) end
  return prolong(op, A, h, sent, A.clock + ttl, max(amount, 0))
end

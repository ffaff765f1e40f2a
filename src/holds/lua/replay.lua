-- What was acknowledged before a recovery, done again after it. Never refused: what is known stays as it is, what is not is made
-- anew from its acknowledgement. There an operation also has `amount` and `instant` (charged, added; expiry, etag), and of its hold
-- `created`, `made`, the call that made it, `rejects`, and `before`, what it held before the operation.

local replays = {} -- of the other verbs a repeat is a replay

do -- a function has at most 200 locals, and the program is one

local function nothing(A) return answer(A, OK, true, '', 0, 0, '', '', '') end

-- A hold that nobody remembers: pins what is free and leaves the rest a promise.
local function make_anew(op, A, sent, amount, old)
  local first, promise = plan(A, amount)
  local E = begin(A, V_RESERVE, op.id, A.clock, op)
  local h = new_hold(A, E, op, sent, max(0, op.instant - A.clock), old)
  h.first, h.pins, h.promise, h.first_promise, h.totals, h.rejects = first, first, promise, promise, promise > 0, op.rejects
  return h, set_aside(E, h, first, promise)
end

-- The hold as it is known, or made anew; second, the answer if the ledger must be asked first.
local function hold_of(op, A)
  local h = find_hold(A, op)
  if not h and op.asked == 0 then return nil, unknown(A, op) end
  if h and (h.state == OPEN or h.created >= op.created) then return h end
  return (make_anew(op, A, op.made, op.before, h))
end

replays[V_RESERVE] = function(op, A)
  local _, _, sent, at = take('>i7BI2c0', op.raw, op.at)
  local h = find_hold(A, op)
  if not h and op.asked == 0 then return unknown(A, op) end
  if h and (h.state == OPEN or h.created >= op.created) then return nothing(A) end
  local _, amount = take('>Bi7', sent)
  if made_by_usage(sent) then at = at + 14 end
  caps.adopt(A, take('>I2c0', op.raw, at))
  local _, reply = make_anew(op, A, sent, amount, h)
  return reply
end

replays[V_EXTEND] = function(op, A)
  local extend_id, sent = take('>sI2c0', op.raw, op.at)
  local h, ask = hold_of(op, A)
  if ask then return ask end
  local known, asks = find_op(h, 'e:' .. extend_id, op)
  if asks then return unknown(A, op) end
  if known or h.state ~= OPEN then return nothing(A) end
  return prolong(op, A, h, sent, max(h.expires, op.instant), op.amount)
end

replays[V_COMMIT] = function(op, A)
  local sent = take('>I2c0', op.raw, op.at)
  local flags, _, commit_id = take('>Bi7s', sent)
  local h, ask = hold_of(op, A)
  if ask then return ask end
  if not has(flags, FINAL) then
    local known, asks = find_op(h, 'c:' .. commit_id, op)
    if asks then return unknown(A, op) end
    -- A late one is its hold's last, and is recorded as that.
    local _, was = moves_at(h.late and h.outcome or pack_outcome('', ''))
    if known or same_call(was, sent, has(flags, PRICED)) then return nothing(A) end
  elseif h.state == COMMITTED or h.late then
    return nothing(A) -- a hold has one final charge
  end
  if h.state == RELEASED then h.state, h.totals = COMMITTED, true end
  return charge_hold(op, A, h, sent, op.amount)
end

replays[V_RELEASE] = function(op, A)
  local h, ask = hold_of(op, A)
  if ask then return ask end
  return h.state == OPEN and verbs[V_RELEASE](op, A) or nothing(A)
end

replays[V_CHARGE] = function(op, A)
  local sent, need = take('>I2c0I2c0', op.raw, op.at)
  local h = find_hold(A, op)
  if not h and op.asked == 0 then return unknown(A, op) end
  if h and (h.state == OPEN or h.created >= op.created) then return nothing(A) end
  local _, amount = take('>Bi7', sent)
  caps.adopt(A, need)
  return charge_now(op, A, sent, amount, h)
end

replays[V_UPDATE] = function(op, A)
  if A.etag >= op.instant then return nothing(A) end -- somebody was later
  return verbs[V_UPDATE](op, A)
end

end

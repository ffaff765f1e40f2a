-- Events, and the moves of credits in them. No balance changes anywhere else, but for what usual.lua does in the same way.

local ISSUE, PIN, BURN_PIN, BURN_FREE, OVERDRAW, ABSORB = 1, 2, 3, 4, 5, 6
local RETURN, RETURN_JOIN, RETURN_BREAK, RETURN_ISSUED = 7, 8, 9, 10
local LAPSE, ROLL, REVOKE, REFUND, SETTLE = 11, 12, 13, 14, 15

local function begin(A, verb, subject, at, op)
  A.seq, A.dirty = A.seq + 1, true
  return { A = A, verb = verb, subject = subject, seq = A.seq, at = at, actor = op and op.actor or 'clock',
    trace = op and op.trace or '', moves = '', named = '' }
end

local function name(E, g)
  if E.last ~= g then
    E.last = g
    E.named = E.named .. pack('>I4Bs', g.no, g.kind, g.id)
  end
end

local function put(E, kind, g, x, to)
  if x == 0 then return end
  local A = E.A
  if g then name(E, g) end
  if to then name(E, to) end
  E.moves = E.moves .. (to and pack('>BI4i7I4', kind, g.no, x, to.no) or pack('>BI4i7', kind, g and g.no or 0, x))
  if kind == PIN then
    g.free, g.pinned, A.free, A.held = g.free - x, g.pinned + x, A.free - x, A.held + x
  elseif kind == BURN_PIN or kind == RETURN_BREAK or kind == RETURN_ISSUED then
    g.pinned, A.held = g.pinned - x, A.held - x
  elseif kind == BURN_FREE or kind == LAPSE or kind == REVOKE then
    g.free, A.free = g.free - x, A.free - x
  elseif kind == OVERDRAW then
    A.debt = A.debt + x
  elseif kind == RETURN then
    g.free, g.pinned, A.free, A.held = g.free + x, g.pinned - x, A.free + x, A.held - x
  elseif kind == RETURN_JOIN then
    g.pinned, to.free, A.free, A.held = g.pinned - x, to.free + x, A.free + x, A.held - x
  elseif kind == ISSUE or kind == REFUND then
    if g then g.free = g.free + x end
    A.free = A.free + x
  elseif kind == ROLL then
    g.free, to.free = g.free - x, to.free + x
  elseif kind == SETTLE then
    if g then g.free = g.free - x end
    A.free, A.debt = A.free - x, A.debt - x
  end -- ABSORB moves nothing of the account's
end

-- In pieces, joined once in the end: every string that is made is hashed whole.
local function emit(E, outcome, facts, more)
  local head = pack('>BssI7i7ssI2', E.verb, E.A.id, E.subject, E.seq, E.at, E.actor, E.trace, #outcome)
  local at = #events
  events[at + 1] = pack('>I4', #head + #outcome + #facts + (more and #more or 0))
  events[at + 2], events[at + 3], events[at + 4], events[at + 5] = head, outcome, facts, more
end

local plan_of -- in plan.lua
local caps = {} -- in caps.lua, and what plan.lua gives it

local function emit_hold(E, h, op_id, outcome, more)
  if E.A.packed_plan ~= '' or E.A.bare_caps then caps.count(E.A, h) end
  h.packed, h.dirty = nil, true
  local packed = pack_hold(h)
  emit(E, outcome, pack('>I2c0s', #packed, packed, op_id), more)
end

-- G4, D4: free credits settle debt at once, in burn order.
local function settle(E)
  local A = E.A
  if A.debt == 0 or A.free == 0 then return end
  for _, g in ipairs(A.grants) do
    if g.phase == STARTED then put(E, SETTLE, g, min(g.free, A.debt)) end
  end
end

local function grant_by_no(A, no)
  for _, g in ipairs(A.grants) do
    if g.no == no then return g end
  end
end

local return_pin, sources, burn, return_all

do -- a function has at most 200 locals, and the program is one

-- G3, G6: where a pin goes that comes back.
function return_pin(E, g, x)
  if g.phase == STARTED then return put(E, RETURN, g, x) end
  if g.phase == REVOKED then return put(E, RETURN_ISSUED, g, x) end
  local roll = g.roll_for and grant_by_no(E.A, g.roll_no)
  if roll and roll.phase == STARTED then
    local join = g.room < 0 and x or min(x, g.room)
    if g.room >= 0 then g.room = g.room - join end
    put(E, RETURN_JOIN, g, join, roll)
    x = x - join
  end
  put(E, RETURN_BREAK, g, x)
end

-- H6: the order in which a hold's sources burn: its pins of ended grants first.
function sources(A, h)
  local mine, list = {}, {}
  for _, pin in ipairs(h.pins) do mine[pin.no] = pin.amount end
  local grants = A.grants
  for i = 1, #grants do
    local g = grants[i]
    if g.phase >= ENDED and mine[g.no] then list[#list + 1] = { g = g, pin = mine[g.no] } end
  end
  for i = 1, #grants do
    local g = grants[i]
    if g.phase == STARTED and (mine[g.no] or g.free > 0) then list[#list + 1] = { g = g, pin = mine[g.no] or 0 } end
  end
  return list
end

-- Burns x over pins and free credits together; what is left of each pin stays in the list. Answers what own pins paid and the unpaid rest.
function burn(E, h, list, x)
  local own = 0
  for i = 1, #list do
    if x == 0 then break end
    local source = list[i]
    local g, pinned = source.g, min(x, source.pin)
    put(E, BURN_PIN, g, pinned)
    local free = g.phase == STARTED and min(x - pinned, g.free) or 0
    put(E, BURN_FREE, g, free)
    if pinned + free > 0 then note_burn(h, g.no, pinned + free) end
    source.pin, own, x = source.pin - pinned, own + pinned, x - pinned - free
    h.charged = h.charged + pinned + free
  end
  return own, x
end

-- What is left of the pins comes back in burn order.
function return_all(E, h, list)
  local left = {}
  for _, source in ipairs(list) do left[source.g] = source.pin end
  for _, g in ipairs(E.A.grants) do
    local x = left[g] or 0
    if x > 0 then
      h.released = h.released + x
      return_pin(E, g, x)
    end
  end
end

end

local function end_hold(A, h, state, at)
  A.open, A.promised = A.open - 1, A.promised - h.promise
  h.state, h.ended, h.pins, h.promise, h.was_open = state, at, {}, 0, true
end

local function reindex(A, instant)
  if instant < NEVER and (A.indexed == 0 or instant < A.indexed) then A.indexed, A.reindexed = instant, true end
end

-- `amount` is what it was made with.
local function new_grant(A, amount, g)
  g.no, g.amount, g.free, g.pinned, A.next_no = A.next_no, amount, 0, 0, A.next_no + 1
  insert_grant(A.grants, g)
  reindex(A, g.phase == PENDING and g.start or g.expires)
  return g
end

-- A grant's terms in an event.
local function terms(g, provider, reference)
  local flags = (g.non_refundable and 1 or 0) + (g.roll_for and 2 or 0) + (g.phase == STARTED and 4 or 0)
  return pack('>I4sBBI2i7i7i7', g.no, g.id, g.kind, flags, g.priority, g.amount, g.start, g.expires)
    .. (g.roll_for and pack('>i7i7', g.roll_for, g.room) or '') .. pack('>ss', provider or '', reference or '')
end

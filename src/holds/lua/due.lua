-- What time has made due on an account, in order (T2): by instant; at one instant grants end, then start, then holds end; then by creation.

local apply_due
local turn_of, take_turn, renew, renewal_due, beyond_plan -- in plan.lua

do -- the names in it are nobody else's

local function ended_keys(A, id)
  local name = ERA .. ':' .. A.id .. ':' .. id
  return BASE .. 'd:' .. name, BASE .. 'p:' .. name
end

local function start_grant(A, g)
  local E, amount = begin(A, V_GRANT_STARTED, g.id, g.start), g.free
  g.phase, g.free, A.pending = STARTED, 0, A.pending - amount
  put(E, ISSUE, g, amount)
  settle(E)
  emit(E, pack_outcome('', E.moves), pack('>I4', g.no))
  reindex(A, g.expires)
end

-- G2. A grant with nothing free and nothing pinned ends without an event.
local function expire_grant(A, g)
  g.phase = ENDED
  if g.free + g.pinned == 0 then return end
  local E, roll, made = begin(A, V_GRANT_EXPIRED, g.id, g.expires), nil, ''
  if g.roll_for then
    local kept = g.room < 0 and g.free or min(g.free, g.room)
    roll = new_grant(A, kept, { kind = 2, phase = STARTED, priority = 9, start = g.expires, expires = min(NEVER, g.expires + g.roll_for),
      id = '~rollover:' .. g.id })
    g.roll_no = roll.no
    made = terms(roll)
    put(E, ROLL, g, kept, roll)
    if g.room >= 0 then g.room = g.room - kept end
  end
  put(E, LAPSE, g, g.free)
  emit(E, pack_outcome('', E.moves), pack('>I4B', g.no, roll and 1 or 0) .. made)
end

-- H11.
local function expire_hold(A, h)
  if not h.dkey then
    h.dkey, h.pkey = ended_keys(A, h.id)
    if not asked_for[h.dkey] then
      wanted[#wanted + 1] = h.dkey
      wanted[#wanted + 1] = h.pkey
    end
  end
  local E, list = begin(A, V_HOLD_EXPIRED, h.id, h.expires), sources(A, h)
  h.at_end = sum(h.pins) + h.promise
  end_hold(A, h, EXPIRED, h.expires)
  return_all(E, h, list)
  settle(E)
  emit_hold(E, h, '', pack_outcome('', E.moves))
end

-- The open holds of an account that end by `now`, in order; moves next_hold to the first of the others.
local function due_holds(A)
  local fields, list = A.fresh and {} or call('HGETALL', A.key), {}
  for i = 1, #fields, 2 do
    local id = fields[i]:match('^h:(.*)$')
    if id and A.holds[id] == nil then A.holds[id] = read_hold(fields[i + 1], id) end
  end
  local next_hold = NEVER
  for _, h in pairs(A.holds) do
    if h and h.state == OPEN then
      if h.expires <= A.clock then list[#list + 1] = h else next_hold = min(next_hold, h.expires) end
    end
  end
  table.sort(list, function(a, b) return a.expires < b.expires or (a.expires == b.expires and a.seq < b.seq) end)
  A.next_hold = next_hold < NEVER and next_hold or 0
  return list
end

local function next_grant(A)
  local found, at, class = nil, NEVER, 0
  for _, g in ipairs(A.grants) do
    local t, c = NEVER, 1
    if g.phase == PENDING then t, c = g.start, 2 elseif g.phase == STARTED then t = g.expires end
    if t < at or (t == at and t < NEVER and (c < class or (c == class and g.no < found.no))) then found, at, class = g, t, c end
  end
  return found, at, class
end

-- A renewal that is due is worked out by the service: nothing of its instant, or after it, happens before it comes, so nobody sees a cycle
-- ended and the next not begun.
local function apply_all_due(A, op)
  local holds, place, plan = {}, 1, plan_of(A)
  if A.next_hold > 0 and A.next_hold <= A.clock then holds = due_holds(A) end
  local step = renewal_due(A) and turn_of(A, op, true)
  while true do
    local g, at, class = next_grant(A)
    local h = holds[place]
    local turn = step and step.at or plan and plan.due or NEVER
    if g and at <= A.clock and (not h or at <= h.expires) and (at < turn or (step and at == turn)) then
      if class == 1 then expire_grant(A, g) else start_grant(A, g) end
    elseif h and h.expires < turn then
      expire_hold(A, h)
      place = place + 1
    elseif step then
      if not take_turn(A, step) then step, plan = nil, plan_of(A) end
    else
      break
    end
  end
  local _, at = next_grant(A)
  if holds[place] then A.next_hold = holds[place].expires end
  if A.next_hold > 0 then at = min(at, A.next_hold) end
  if plan then at = min(at, plan.due) end
  at = at < NEVER and at or 0
  if at ~= A.indexed then A.indexed, A.reindexed, A.dirty = at, true, true end
end

-- A.indexed is never after what is next due, so one comparison answers for most calls.
function apply_due(A, op)
  if A.indexed > 0 and A.clock >= A.indexed then apply_all_due(A, op) end
end

end

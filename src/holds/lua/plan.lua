-- The plan that holds for an account, and the steps of its subscription: worked out by the service, taken here whole or not at all.
--
-- `l` of an account's hash is what the program reads of the plan, `b` the service's record of the subscription, which is opaque here.
-- A step names the revision that it was worked out from; another one, or a renewal that is due, is answered with the record.

do -- a function has at most 200 locals, and the program is one

local PLAN = '>I4i7BI4i7' -- revision, when time changes it next, what it is, open holds, the longest job
local STEP = '>I4BI2c0I2c0I2c0'
local HOLDS, REJECTS = 1, 8 -- what a plan is, beside CAPPED; 2 was said of caps by builds before the first release
local GRANTS, ENDS, BOUNDS, DONE = 1, 2, 3, 0 -- kinds of effects
local BY_TIME, LEAVES_NO_DEBT = 1, 2 -- kinds of steps

local function read_list(raw, at)
  local list, count = {}, raw:byte(at)
  at = at + 1
  for _ = 1, count do
    local name
    name, at = take('>s', raw, at)
    list[name] = true
  end
  return list, at
end

local function read_numbers(raw, at)
  local numbers, count = {}, raw:byte(at)
  at = at + 1
  for _ = 1, count do
    local name, number
    name, number, at = take('>si7', raw, at)
    numbers[name] = number
  end
  return numbers, at
end

local function pack_levels(levels)
  local parts, count = {}, 0
  for name, level in pairs(levels) do
    count = count + 1
    parts[count] = pack('>si7', name, level)
  end
  return string.char(count) .. concat(parts)
end

-- What may be spent in an hour, a day and a month, by label; the first may be the account as a whole.
local function read_caps(raw, at)
  local list, count, from = { labels = '' }, raw:byte(at), at
  at = at + 1
  for i = 1, count do
    local label, hour, day, month
    label, hour, day, month, at = take('>si7i7i7', raw, at)
    list[i] = { hour, day, month, label = label }
    if label ~= '' then list.labels = list.labels .. label .. '\0' end
  end
  list.packed = sub(raw, from, at - 1)
  return list, at
end

-- False: the account never had one, and no caps.
function plan_of(A)
  if A.plan == nil then
    local raw = A.packed_plan
    if raw == '' then
      A.plan = false
    else
      local revision, due, flags, slots, duration, at = take(PLAN, raw)
      if has(flags, 2) then error('a plan of an older program: empty the data folder with holdbook dev --fresh') end
      local features, resolutions, capacities
      features, at = read_list(raw, at)
      resolutions, at = read_list(raw, at)
      capacities, at = read_numbers(raw, at)
      A.plan = { revision = revision, due = due, active = has(flags, HOLDS), rejects = has(flags, REJECTS), slots = slots,
        duration = duration, features = features, resolutions = resolutions, capacities = capacities, caps = { labels = '', packed = '\0' } }
      if has(flags, CAPPED) then A.plan.caps, at = read_caps(raw, at) end
      A.plan.levels_at, A.plan.levels = at, read_numbers(raw, at)
    end
  end
  return A.plan
end

-- The service's record. What stands under the key of an account that was made or loaded in this batch is an older era's, and void.
local function record_of(A)
  return A.packed_record or (not A.fresh and call('HGET', A.key, 'b')) or ''
end

-- What is kept of a plan, with the account's levels: they are its own, whatever its plan.
local function keep(A, packed, record)
  local old = plan_of(A)
  local counted = caps.hold(A)
  A.packed_plan = packed .. pack_levels(old and old.levels or {})
  A.packed_record, A.plan_changed, A.plan = record, true, nil
  if not counted and caps.hold(A) then caps.begin(A) end
  if plan_of(A).caps.labels ~= (old and old.caps.labels or '') then caps.recount(A) end
end

-- Without a subscription: the caps are those of the catalog, as it was at the latest reserve that kept within them.
function caps.keep_bare(A, packed_caps)
  local old = plan_of(A)
  local flags = packed_caps ~= '\0' and CAPPED or 0
  local head = pack(PLAN, old and old.revision or 0, old and old.due or NEVER, flags, 0, 0) .. '\0\0\0'
  keep(A, head .. (flags > 0 and packed_caps or ''), record_of(A))
end

function renewal_due(A) return A.plan and A.plan.due <= A.clock end

-- The record, for whoever works out the step.
function renew(A)
  local record = record_of(A)
  return pack('>BI2c0', RENEW, #record, record) .. answer(A, OK, false, '', 0, 0, '', '', '')
end

local function read_effect(turn)
  local raw, at, instant, kind = turn.raw, turn.place, nil, nil
  instant, kind, at = take('>i7B', raw, at)
  turn.at, turn.kind = instant, kind
  if kind == GRANTS then
    turn.id, turn.amount, turn.start, turn.expires, turn.roll_for, turn.room, at = take('>si7i7i7i7i7', raw, at)
  elseif kind == ENDS then
    turn.id, turn.revoked, at = take('>sB', raw, at)
  elseif kind == BOUNDS then
    turn.overdraft, turn.credit, at = take('>i7i7', raw, at)
  end
  turn.place = at
end

-- The step that came with an operation, if it is of this kind (what time does, or a call asks for) and of what holds here.
function turn_of(A, op, by_time)
  if op.step == '' then return nil end
  local plan = plan_of(A)
  local revision, kind, packed, record, said, at = take(STEP, op.step)
  if (kind == BY_TIME) ~= by_time or revision ~= (plan and plan.revision or 0) then return nil end
  local turn = { raw = op.step, place = at, packed = packed, record = record, said = said, op = not by_time and op or nil, kind_of = kind }
  read_effect(turn)
  return turn
end

-- What passes the most that an account may have is not given (A2).
local function give(A, turn, at)
  local amount = min(turn.amount, MAX_CREDITS - A.free - A.held - A.pending)
  if amount <= 0 then return end
  local E = begin(A, V_GRANT, turn.id, at, turn.op)
  local g = new_grant(A, amount, { id = turn.id, kind = 3, phase = STARTED, priority = 10, start = turn.start,
    expires = turn.expires })
  if turn.roll_for > 0 then g.roll_for, g.room, g.roll_no = turn.roll_for, turn.room, 0 end
  local made = terms(g)
  put(E, ISSUE, g, amount)
  settle(E)
  emit(E, pack_outcome('', E.moves, turn.start, turn.expires), made)
end

-- A grant ends before its time: as breakage, or as if never given. What is pinned of it follows when it comes back.
local function end_grant(A, g, turn, at)
  local revoked = turn.revoked == 1
  local E, pinned = begin(A, revoked and V_REVOKE or V_GRANT_EXPIRED, g.id, at, turn.op), g.pinned
  put(E, revoked and REVOKE or LAPSE, g, g.free)
  g.phase, g.roll_for = revoked and REVOKED or ENDED, nil
  emit(E, revoked and pack_outcome('', E.moves, 0, pinned) or pack_outcome('', E.moves),
    revoked and pack('>I4', g.no) or pack('>I4B', g.no, 0))
end

-- One that is all spent ends as well: a refund finds no live source in it then.
local function end_early(A, turn, at)
  for _, g in ipairs(A.grants) do
    if g.id == turn.id and g.phase == STARTED then return end_grant(A, g, turn, at) end
  end
  for i, g in ipairs(spent_grants(A)) do
    if g.id == turn.id then
      table.remove(A.spent, i)
      A.spent_changed = true
      return end_grant(A, g, turn, at)
    end
  end
end

local function bound(A, turn, at)
  if A.overdraft == turn.overdraft and A.credit == turn.credit then return end
  local E = begin(A, V_UPDATE, '', at, turn.op)
  A.overdraft, A.credit, A.etag = turn.overdraft, turn.credit, A.etag + 1
  emit_terms(E, '')
end

local function end_step(A, turn, at)
  local old, packed, flags = plan_of(A), turn.packed, turn.packed:byte(12)
  -- Where none holds any more, the caps of the old one say what is counted until a reserve brings those of the catalog.
  if not has(flags, HOLDS) and caps.hold(A) then
    packed = sub(packed, 1, 11) .. string.char(flags + CAPPED) .. sub(packed, 13) .. old.caps.packed
  end
  keep(A, packed, turn.record)
  local E = begin(A, V_PLAN, '', at, turn.op)
  emit(E, '', pack('>I2c0', #turn.said, turn.said))
  reindex(A, plan_of(A).due)
end

-- The next effect of a step; answers whether there are more. What a call asks for is true from now.
function take_turn(A, turn)
  local at, kind = turn.op and A.clock or turn.at, turn.kind
  if kind == DONE then
    end_step(A, turn, at)
    return false
  end
  if kind == GRANTS then give(A, turn, at) elseif kind == ENDS then end_early(A, turn, at) else bound(A, turn, at) end
  read_effect(turn)
  return true
end

-- Why what a call asks for cannot be: its state; a debt that the plan to come does not allow; credits for which there is no room.
local function hindrance(A, op, turn)
  local reason = barred(A)
  if reason and reason ~= ACCOUNT_SUSPENDED then return refuse(A, reason) end
  local grants, amount = 0, 0
  while turn.kind ~= DONE do
    if turn.kind == GRANTS then grants, amount = grants + 1, amount + turn.amount end
    local narrows = turn.kind == BOUNDS and turn.kind_of == LEAVES_NO_DEBT and turn.credit < A.credit
    if narrows and A.debt > turn.credit then return refuse(A, IN_DEBT, 0, turn.credit) end
    read_effect(turn)
  end
  local resource = grants > 0 and full(A, grants, amount)
  return resource and refuse(A, CAPACITY_LIMIT, resource)
end

-- What a call asks of its subscription.
verbs[V_PLAN] = function(op, A)
  local turn = turn_of(A, op, false)
  if not turn then return renew(A) end
  local hindered = not REPLAYS and hindrance(A, op, turn_of(A, op, false))
  if hindered then return hindered end
  while take_turn(A, turn) do end
  return answer(A, OK, false, '', 0, 0, '', '', '')
end

-- The most of a level: the plan's, or without a subscription what the catalog says; nil: any.
local function most_of(plan, name, bare)
  if plan and plan.active then return plan.capacities[name] end
  if bare >= 0 then return bare end
end

local function features_and_sizes(plan, features, duration, resolutions)
  local reasons = ''
  for name in pairs(features) do
    if not plan.features[name] then reasons = string.char(FEATURE_NOT_IN_PLAN) end
  end
  if plan.duration > 0 and duration > plan.duration then reasons = reasons .. string.char(DURATION_LIMIT) end
  for name in pairs(next(plan.resolutions) and resolutions or {}) do
    if not plan.resolutions[name] then return reasons .. string.char(RESOLUTION_LIMIT) end
  end
  return reasons
end

-- What a call needs of a plan, by what the catalog says; '' is nothing.
local function read_need(need)
  local it = { bare = '', slots = 0, duration = 0, rejects = 0, features = {}, resolutions = {}, levels = {}, caps = '\0' }
  if need == '' then return it end
  local at
  it.bare, it.slots, it.duration, it.rejects, at = take('>sI4i7B', need)
  it.features, at = read_list(need, at)
  it.resolutions, at = read_list(need, at)
  it.levels, at = read_numbers(need, at)
  it.caps = sub(need, at)
  return it
end

-- Without a subscription the catalog's caps hold from the next event of a hold on. Answers what was read.
function caps.adopt(A, need)
  local plan, it = plan_of(A), read_need(need)
  local own = plan and plan.caps.packed or '\0'
  A.bare_caps = not (plan and plan.active) and it.caps ~= own and it.caps
  return it
end

-- The reasons against a call before and after the one for open holds, how many of those there may be, and whether a commit above its hold is
-- rejected. What an account without a subscription may do was looked at before: the catalog says it.
function beyond_plan(A, it, amount, sent)
  local plan = plan_of(A)
  local active, full = plan and plan.active, ''
  for name, bare_most in pairs(it.levels) do
    local most = most_of(plan, name, bare_most)
    if most and (plan and plan.levels[name] or 0) >= most then full = string.char(CAPACITY_LIMIT) end
  end
  local capped
  capped, A.passed = caps.against(A, A.bare_caps and read_caps(A.bare_caps, 1) or plan and plan.caps or {}, amount, sent)
  local by_default = not has(sent:byte(15), ALLOW)
  if not active then return it.bare, full .. capped, it.slots, by_default and it.rejects == 1 end
  return features_and_sizes(plan, it.features, it.duration, it.resolutions), full .. capped, plan.slots, by_default and plan.rejects
end

-- A level is reported as it is, or changed by something: that only within its bound. `bare`, what bounds it without a subscription, is -1
-- where nothing does, and -2 where the catalog does not know the level: then only what was done is repeated.
verbs[V_LEVEL] = function(op, A)
  local name, absolute, x, bare, sent = take('>sBi7i7I2c0', op.raw, op.at)
  local known = recorded_grant(A, op)
  if known then
    local _, was = moves_at(known)
    if was ~= sent then return refuse(A, ID_REUSED, 0, 0, nil, known) end
    return repeated(A, nil, known)
  end
  if op.asked == 0 then return answer(A, ASK_LEDGER, false, '', 0, 0, '', '', '') end
  if bare == -2 then return refuse(A, INVALID) end
  local reason = not REPLAYS and barred(A)
  if reason and reason ~= ACCOUNT_SUSPENDED then return refuse(A, reason) end
  local plan = plan_of(A)
  local levels = plan and plan.levels or {}
  local was, most = levels[name] or 0, most_of(plan, name, bare)
  local now = absolute == 1 and x or was + x
  if now < 0 or now > MAX_CREDITS then return refuse(A, INVALID, was, x) end
  if absolute == 0 and x > 0 and most and now > most and not REPLAYS then
    return pack('>BI2c0I2', BEYOND_PLAN, #A.packed_plan, A.packed_plan, 0) .. refuse(A, CAPACITY_LIMIT, now, most)
  end
  local E, outcome = begin(A, V_LEVEL, op.id, A.clock, op), pack_outcome(sent, '', was, now)
  if not plan then
    caps.keep_bare(A, '\0')
    plan = A.plan
  end
  plan.levels[name] = now > 0 and now or nil
  keep(A, sub(A.packed_plan, 1, plan.levels_at - 1), record_of(A))
  record_grant(A, op, outcome, '')
  emit(E, outcome, pack('>si7', name, now))
  return done(E, nil, outcome)
end

end

-- What is spent where a plan caps it: by the account as a whole, and under each value of a label such as user or project.
--
-- `u:label NUL value` of an account's hash is what was spent in the hour, the day and the month of now, and what open holds of that value have
-- set aside. With both empty it is the account's, with the count of the others as its last: what an account has set aside, its state says.

do -- a function has at most 200 locals, and the program is one

local SPENT, IMAGE = '>i7i7i7i7i7i7i7', '>sssi7i7i7i7i7i7'
local HELD, VALUES = 7, 7 -- of a label's value; of the account's own
local DAY = 86400000000
local MAX_VALUES = 4096 -- under labels, in a month

-- The beginning of a month, of the day that many days after 1970-01-01 (by H. Hinnant's algorithm).
local function month_start(days)
  local of_era = (days + 719468) % 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153)
  return days - (of_year - math.floor((153 * month + 2) / 5))
end

local function counter(A, label, value)
  local name = label .. '\0' .. value
  if not A.counters then A.counters = {} end
  local c = A.counters[name]
  if not c then
    local raw = not A.fresh and call('HGET', A.key, 'u:' .. name)
    c = raw and { take(SPENT, raw) } or { 0, 0, 0, 0, 0, 0, 0 }
    c.label, c.value, c.known, c.month = label, value, raw and name ~= '\0', c[5]
    A.counters[name] = c
  end
  return c
end

-- A window that is over counts as empty. By the calendar in UTC.
local function by_now(A, c)
  local days = math.floor(A.clock / DAY)
  local since = { A.clock - A.clock % (DAY / 24), days * DAY, month_start(days) * DAY }
  for i = 1, 3 do
    if c[2 * i - 1] ~= since[i] then c[2 * i - 1], c[2 * i] = since[i], 0 end
  end
  return c
end

-- All that the account's hash has of holds and of what was spent.
local function read_all(A)
  local fields = A.fresh and {} or call('HGETALL', A.key)
  for i = 1, #fields, 2 do
    local kind, name = sub(fields[i], 1, 2), sub(fields[i], 3)
    if kind == 'h:' and A.holds[name] == nil then A.holds[name] = read_hold(fields[i + 1], name) end
    if kind == 'u:' then counter(A, name:match('^(%Z*)%z(.*)$')) end
  end
end

-- Once a month values are forgotten under which nothing is spent any more.
local function whole_by_now(A)
  local whole = by_now(A, counter(A, '', ''))
  if whole.month == whole[5] then return whole end
  whole.month = whole[5]
  read_all(A)
  local left, old = 0, {}
  for name, c in pairs(A.counters) do
    local over = c[5] ~= whole[5] and c[HELD] == 0
    if c.known and over then old[#old + 1] = name elseif c.known and c ~= whole then left = left + 1 end
  end
  for _, name in ipairs(old) do
    local c = A.counters[name]
    A.counters[name] = { 0, 0, 0, 0, 0, 0, 0, label = c.label, value = c.value, known = false }
  end
  for i, name in ipairs(old) do old[i] = 'u:' .. name end
  A.forgotten, whole[VALUES], whole.changed, A.counted = old, left, true, true
  return whole
end

local function change(A, c)
  if not c.known and c.label ~= '' then
    local whole = whole_by_now(A)
    c.known, whole[VALUES], whole.changed = true, whole[VALUES] + 1, true
  end
  c.changed, A.counted = true, true
end

-- The labels of what made a hold: behind its 22 bytes, and in front of the usage if it was made by one.
local function labels_of(sent)
  local found, at, last = {}, 23, #sent - (has(sent:byte(15), BY_USAGE) and 24 or 0)
  while at <= last do
    local name, value
    name, value, at = take('>ss', sent, at)
    found[name] = value
  end
  return found
end

local function set_aside_by(h) return h.state == OPEN and sum(h.pins) + h.promise or 0 end

-- A refund counts in the windows that its hold was made in: what was spent before makes no room.
local function add(A, c, x, y, made)
  by_now(A, c)
  for i = 2, 6, 2 do
    if x > 0 or made >= c[i - 1] then c[i] = min(MAX_CREDITS, max(0, c[i] + x)) end
  end
  c[HELD] = c[HELD] + y
  change(A, c)
end

-- x is spent under the labels of a hold that are capped, and y set aside.
local function add_under_labels(A, h, x, y)
  local labels
  for _, cap in ipairs(plan_of(A).caps) do
    if cap.label ~= '' then
      labels = labels or labels_of(h.sent)
      if labels[cap.label] then add(A, counter(A, cap.label, labels[cap.label]), x, y, h.created) end
    end
  end
end

function caps.hold(A) return A.packed_plan ~= '' and has(A.packed_plan:byte(12), CAPPED) end

-- What a hold was charged counts at the instant that it is, and what it sets aside as long as it does.
function caps.count(A, h)
  if A.bare_caps then
    A.emitted = h
    caps.keep_bare(A, A.bare_caps)
    A.bare_caps, A.emitted = nil, nil
  end
  if not caps.hold(A) then return end
  local x, y = h.charged + h.overdrawn - h.refunded - h.seen, set_aside_by(h) - h.aside
  h.seen, h.aside = h.seen + x, h.aside + y
  local whole = whole_by_now(A)
  if x == 0 and y == 0 then return end
  if x ~= 0 then add(A, whole, x, 0, h.created) end
  add_under_labels(A, h, x, y)
end

-- Something is capped from now on: what was charged before, in this batch, is not counted.
function caps.begin(A)
  for _, h in pairs(A.holds) do
    if h and (h ~= A.emitted or h.state == OPEN) then h.seen = h.charged + h.overdrawn - h.refunded end
  end
end

-- Other labels are capped than before, or the account was loaded: what open holds have set aside is added up anew.
function caps.recount(A)
  read_all(A)
  whole_by_now(A)
  for _, c in pairs(A.counters or {}) do
    if c.label ~= '' and c[HELD] ~= 0 then
      c[HELD] = 0
      change(A, c)
    end
  end
  for _, h in pairs(A.holds) do
    if h then
      h.aside = set_aside_by(h)
      if h.aside > 0 then add_under_labels(A, h, 0, h.aside) end
    end
  end
end

-- What the ledger has of it, behind the rest of a loaded account.
function caps.load(A, raw, at)
  local count, label, value
  count, at = take('>I2', raw, at)
  if count > 0 then A.counters, A.counted = {}, true end
  for _ = 1, count do
    label, value, at = take('>ss', raw, at)
    local c = { take('>i7i7i7i7i7i7', raw, at) }
    at, c[HELD], c.label, c.value, c.known = c[HELD], 0, label, value, label ~= ''
    if label == '' then c[VALUES], c.month = count - 1, c[5] end
    A.counters[label .. '\0' .. value] = c
  end
  if caps.hold(A) then caps.recount(A) end
end

-- What is not counted yet is added up: the caps of the catalog begin to hold with the first hold that keeps within them.
local function set_aside_under(A, label, value)
  for _, cap in ipairs(A.plan and A.plan.caps or {}) do
    if cap.label == label then return counter(A, label, value)[HELD] end
  end
  read_all(A)
  local held = 0
  for _, h in pairs(A.holds) do
    if h and labels_of(h.sent)[label] == value then held = held + set_aside_by(h) end
  end
  return held
end

-- The reason against `amount` more, and the cap that it would exceed; what open holds have set aside counts as spent: it may be.
function caps.against(A, list, amount, sent)
  local labels
  for _, cap in ipairs(list) do
    local value, held = '', A.held + A.promised
    if cap.label ~= '' then
      labels = labels or labels_of(sent)
      value = labels[cap.label]
    end
    local c = value and by_now(A, counter(A, cap.label, value))
    if c and cap.label ~= '' then
      held = set_aside_under(A, cap.label, value)
      local whole = not c.known and by_now(A, counter(A, '', ''))
      if whole and whole[VALUES] >= MAX_VALUES and whole.month == whole[5] then
        return string.char(CAPACITY_LIMIT), pack('>ssBi7i7i7', cap.label, value, 0, MAX_VALUES, whole[VALUES], 0)
      end
    end
    for i = 1, c and 3 or 0 do
      if cap[i] >= 0 and amount - (cap[i] - c[2 * i] - held) > 0 then
        return string.char(SPEND_CAP), pack('>ssBi7i7i7', cap.label, value, i, cap[i], c[2 * i], held)
      end
    end
  end
  return '', ''
end

function caps.add_fields(A, add_field)
  for name, c in pairs(A.counted and A.counters or {}) do
    if c.changed or (A.fresh and (c.known or c.label == '')) then add_field('u:' .. name, pack(SPENT, unpack(c, 1, HELD))) end
  end
end

-- For the ledger, which adds up by itself what is set aside.
function caps.images(A)
  local parts = {}
  for _, c in pairs(A.counters) do
    if c.changed then parts[#parts + 1] = pack(IMAGE, A.id, c.label, c.value, unpack(c, 1, 6)) end
  end
  return concat(parts)
end

end

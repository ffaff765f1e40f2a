-- The packed forms of an account, its grants and its holds. Field names stand here and nowhere else.

local insert_grant, read_grant, pack_grant, read_account, new_account, pack_account

do -- a function has at most 200 locals, and the program is one

local ACCOUNT = '>Bi7i7BBi7i7i7I4I4i7i7i7I4I4i7B'
-- Its first byte; behind the grants of an asking one stands until when it asks. Forms 1 and 2 had grants without what they were made with:
-- only builds before the first release wrote them.
local PLAIN, ASKING = 3, 4
local GRANT = '>I4BBBI2i7i7i7i7i7s'
local ROLLOVER = '>i7i7I4'
usual.ACCOUNT, usual.PLAIN, usual.GRANT = ACCOUNT, PLAIN, GRANT

-- Redis sets a collating locale, so `<` on strings is not by bytes (G1).
local function before_by_bytes(a, b)
  for i = 1, min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- G1: priority, soonest expiry, earliest start, id.
local function burns_before(a, b)
  if a.priority ~= b.priority then return a.priority < b.priority end
  if a.expires ~= b.expires then return a.expires < b.expires end
  if a.start ~= b.start then return a.start < b.start end
  return before_by_bytes(a.id, b.id)
end

function insert_grant(list, g)
  local at = #list + 1
  while at > 1 and burns_before(g, list[at - 1]) do at = at - 1 end
  table.insert(list, at, g)
end

-- Tables are made with all their fields at once: one that grows field by field is made anew at every doubling.
function read_grant(raw, at)
  local no, kind, phase, flags, priority, start, expires, amount, free, pinned, id, after = take(GRANT, raw, at)
  local g = { no = no, kind = kind, phase = phase, non_refundable = flags % 2 == 1, priority = priority, start = start,
    expires = expires, amount = amount, free = free, pinned = pinned, id = id }
  if flags >= 2 then g.roll_for, g.room, g.roll_no, after = take(ROLLOVER, raw, after) end
  return g, after
end

function pack_grant(g)
  local flags = (g.non_refundable and 1 or 0) + (g.roll_for and 2 or 0)
  local raw = pack(GRANT, g.no, g.kind, g.phase, flags, g.priority, g.start, g.expires, g.amount, g.free, g.pinned, g.id)
  return g.roll_for and raw .. pack(ROLLOVER, g.roll_for, g.room, g.roll_no) or raw
end

-- next_hold: no open hold ends before it. indexed: this account's place in `due`, never after what is next due; 0 is none.
-- ask_until: till then holds that ended in an older era may come again, and only the ledger knows them.
function read_account(key, raw)
  local form, seq, clock, state, frozen, debt, overdraft, credit, max_open, open, promised, next_hold, indexed, etag, next_no,
    created, count, at = take(ACCOUNT, raw)
  if form < PLAIN then error('an account of an older program: empty the data folder with holdbook dev --fresh') end
  local grants, free, held, pending = {}, 0, 0, 0
  for i = 1, count do
    local g
    g, at = read_grant(raw, at)
    grants[i], held = g, held + g.pinned
    if g.phase == PENDING then pending = pending + g.free else free = free + g.free end
  end
  return { key = key, id = sub(key, #BASE + 3), seq = seq, stored_clock = clock, clock = max(clock, NOW), state = state,
    frozen = frozen, debt = debt, overdraft = overdraft, credit = credit, max_open = max_open, open = open, promised = promised,
    next_hold = next_hold, indexed = indexed, etag = etag, next_no = next_no, created = created, grants = grants, holds = {},
    free = free, held = held, pending = pending, ask_until = form == ASKING and take('>i7', raw, at) or 0, dirty = false, packed = false,
    packed_plan = '' }
end

function new_account(key, overdraft, credit, max_open, sent)
  return { key = key, id = sub(key, #BASE + 3), seq = 0, clock = NOW, state = ACTIVE, frozen = 0, debt = 0, overdraft = overdraft,
    credit = credit, max_open = max_open, open = 0, promised = 0, next_hold = 0, indexed = 0, etag = 1, next_no = 1, created = NOW,
    grants = {}, holds = {}, free = 0, held = 0, pending = 0, ask_until = 0, fresh = true, sent = sent, packed_plan = '' }
end

function pack_account(A)
  local asks = A.ask_until >= A.clock
  local grants, count = A.grants, #A.grants
  local parts = { pack(ACCOUNT, asks and ASKING or PLAIN, A.seq, A.clock, A.state, A.frozen, A.debt, A.overdraft, A.credit, A.max_open, A.open,
    A.promised, A.next_hold, A.indexed, A.etag, A.next_no, A.created, count) }
  for i = 1, count do parts[i + 1] = pack_grant(grants[i]) end
  if asks then parts[#parts + 1] = pack('>i7', A.ask_until) end
  return concat(parts)
end

end

-- Spent grants, latest last, beside the state because only refunds and names want them.
local function spent_grants(A)
  if not A.spent then
    A.spent = {}
    local raw, at, g = A.packed_spent or call('HGET', A.key, 'x') or '', 1, nil
    while at <= #raw do
      g, at = read_grant(raw, at)
      if g.expires > A.clock then A.spent[#A.spent + 1] = g end
    end
  end
  return A.spent
end

local function sum(list)
  local total = 0
  for i = 1, #list do total = total + list[i].amount end
  return total
end

-- What a repeat is answered from: the call as sent, up to two numbers, the moves.
local function pack_outcome(sent, moves, a, b)
  if b then return pack('>I2c0Bi7i7', #sent, sent, 3, a, b) .. moves end
  if a then return pack('>I2c0Bi7', #sent, sent, 1, a) .. moves end
  return pack('>I2c0B', #sent, sent, 0) .. moves
end

-- The moves of an outcome, one after the other: kind, grant number, amount, next place.
local function moves_at(outcome)
  local sent, shape, at = take('>I2c0B', outcome)
  return at + (shape % 2) * 7 + (shape >= 2 and 7 or 0), sent
end

local function next_move(outcome, at)
  local kind, no, amount, to = take('>BI4i7', outcome, at)
  if kind == 8 or kind == 12 then to = to + 4 end
  return kind, no, amount, to
end

local function has(flags, bit) return flags % (bit * 2) >= bit end

local note_burn, read_hold, pack_hold

do -- a function has at most 200 locals, and the program is one

-- Lists of (grant number, credits).
local function read_amounts(raw, at)
  local list, count = {}, raw:byte(at)
  at = at + 1
  for i = 1, count do
    local no, amount
    no, amount, at = take('>I4i7', raw, at)
    list[i] = { no = no, amount = amount }
  end
  return list, at
end

local function pack_amounts(list)
  local first = list[1]
  if not first then return '\0' end
  if not list[2] then return pack('>BI4i7', 1, first.no, first.amount) end
  local parts = { string.char(#list) }
  for i, pin in ipairs(list) do parts[i + 1] = pack('>I4i7', pin.no, pin.amount) end
  return concat(parts)
end

-- A hold without partial commits, extensions, promises or refunds needs no totals: its one outcome has them.
local HOLD, TOTALS = '>BBi5i7i6i6I2c0', '>i7i7i7i7i7i7i7i7i7'
local F_LATE, F_TOTALS, F_FIRST, F_COLD, F_REJECTS = 1, 2, 4, 8, 16
usual.HOLD, usual.REJECTS = HOLD, F_REJECTS

function note_burn(h, no, amount)
  for i, burn in ipairs(h.burns) do
    if burn.no == no then
      amount = amount + table.remove(h.burns, i).amount
      break
    end
  end
  h.burns[#h.burns + 1] = { no = no, amount = amount }
end

local function tally(h)
  h.burns = {}
  if h.state == EXPIRED then
    h.at_end = sum(h.first)
    h.released = h.at_end
  end
  local at = h.outcome and #h.outcome > 0 and moves_at(h.outcome) or nil
  while at and at <= #h.outcome do
    local kind, no, amount
    kind, no, amount, at = next_move(h.outcome, at)
    if kind == 3 or kind == 4 then
      h.charged = h.charged + amount
      note_burn(h, no, amount)
    elseif kind == 5 then h.overdrawn = h.overdrawn + amount
    elseif kind == 6 then h.absorbed = h.absorbed + amount
    elseif kind >= 7 and kind <= 10 then h.released = h.released + amount end
  end
  h.owed = h.overdrawn
end

function read_hold(raw, id)
  local state, flags, seq, created, life, ended, sent, at = take(HOLD, raw)
  local first
  first, at = read_amounts(raw, at)
  local h = { id = id, packed = raw, state = state, seq = seq, created = created, expires = created + life, ended = created + ended,
    sent = sent, late = has(flags, F_LATE), cold = has(flags, F_COLD), rejects = has(flags, F_REJECTS), first = first, pins = state == OPEN and first or {},
    charged = 0, overdrawn = 0, absorbed = 0, released = 0, refunded = 0, promise = 0, first_promise = 0, owed = 0, at_end = 0,
    burns = false, outcome = false, dkey = false, pkey = false, dirty = false, was_open = false }
  if has(flags, F_FIRST) then h.pins, at = read_amounts(raw, at) end
  if has(flags, F_TOTALS) then
    h.totals = true
    h.charged, h.overdrawn, h.absorbed, h.released, h.refunded, h.promise, h.first_promise, h.owed, h.at_end, at =
      take(TOTALS, raw, at)
    h.burns, at = read_amounts(raw, at)
  end
  h.outcome = sub(raw, at)
  if not h.totals then tally(h) end
  h.seen, h.aside = h.charged + h.overdrawn - h.refunded, h.promise + sum(h.pins)
  return h
end

function pack_hold(h)
  if h.packed then return h.packed end
  local own_pins = h.state == OPEN and h.pins ~= h.first
  local flags = (h.late and F_LATE or 0) + (h.totals and F_TOTALS or 0) + (own_pins and F_FIRST or 0) + (h.cold and F_COLD or 0)
    + (h.rejects and F_REJECTS or 0)
  h.packed = pack(HOLD, h.state, flags, h.seq, h.created, h.expires - h.created, h.state == OPEN and 0 or h.ended - h.created,
    #h.sent, h.sent) .. pack_amounts(h.first) .. (own_pins and pack_amounts(h.pins) or '')
    .. (h.totals and pack(TOTALS, h.charged, h.overdrawn, h.absorbed, h.released, h.refunded, h.promise, h.first_promise, h.owed,
      h.at_end) .. pack_amounts(h.burns) or '') .. h.outcome
  return h.packed
end

end

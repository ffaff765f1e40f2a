-- The batch: the fence, the decisions, the line, the writes.

local read_op, retire_grants, write_account

do -- a function has at most 200 locals, and the program is one

local HOLD_KEYS, GRANT_KEYS, ACCOUNT_KEYS = 3, 2, 1

local function keys_of(verb)
  if verb >= V_RESERVE and verb ~= V_READ and verb < V_PLAN then return HOLD_KEYS end
  return (verb == V_GRANT or verb == V_REVOKE or verb == V_LEVEL) and GRANT_KEYS or ACCOUNT_KEYS
end

-- Into the one table that all operations of a batch use in turn: nothing holds on to it.
function read_op(op, raw, place)
  local verb, actor, trace, load, step, at = take('>BssI4c0I4c0', raw)
  local amount, instant, created, before, rejects, made, id, asked, prior, prior_outcome
  if REPLAYS then amount, instant, created, before, rejects, made, at = take('>i7i7i7i7BI2c0', raw, at) end
  local count = keys_of(verb)
  if count > ACCOUNT_KEYS then id, asked, prior, prior_outcome, at = take('>sBI2c0I2c0', raw, at) end
  op.raw, op.at, op.key, op.verb, op.actor, op.trace, op.load, op.step, op.id = raw, at, KEYS[place], verb, actor, trace, load, step, id
  op.asked, op.prior, op.prior_outcome, op.got = asked, prior, prior_outcome, nil
  op.dkey, op.pkey, op.gkey = count == HOLD_KEYS and KEYS[place + 1], KEYS[place + 2], KEYS[place + 1]
  if REPLAYS then op.amount, op.instant, op.created, op.before, op.rejects, op.made = amount, instant, created, before, rejects == 1, made end
  return place + count
end

end

do

-- Grants that are over leave the state: spent ones to `x`, where refunds find them. The rollover of a grant with pins stays.
local function retire(A)
  local awaited, kept = {}, {}
  for _, g in ipairs(A.grants) do
    if g.phase == ENDED and g.pinned > 0 and g.roll_for then awaited[g.roll_no] = true end
  end
  for _, g in ipairs(A.grants) do
    if g.phase == PENDING or g.free + g.pinned > 0 or (g.phase == STARTED and awaited[g.no]) then
      kept[#kept + 1] = g
    elseif g.phase == STARTED then
      local spent = spent_grants(A)
      spent[#spent + 1], A.spent_changed = g, true
      if #spent > MAX_SPENT then table.remove(spent, 1) end
    end
  end
  A.grants = kept
end

function retire_grants(A)
  for i = 1, #A.grants do
    local g = A.grants[i]
    if g.free == 0 and g.pinned == 0 and g.phase ~= PENDING then return retire(A) end
  end
end

end

-- New credits and new holds stop at the soft bound of the ledger's backlog, everything at the hard one.
local function too_far_behind(verb, backlog)
  if (backlog < BACKLOG_SOFT and backlog < BACKLOG_HARD) or REPLAYS or verb == V_READ or verb == V_BALANCE or verb == V_HOLD or verb == V_FREEZE or verb == V_UNFREEZE then return false end
  if backlog >= BACKLOG_HARD then return true end
  local waits = verb == V_RESERVE or verb == V_CHARGE or verb == V_GRANT or verb == V_CREATE or verb == V_PLAN
  return waits and backlog >= BACKLOG_SOFT
end

local function decide(op, backlog)
  if too_far_behind(op.verb, backlog) then return pack('>Bs', REFUSED + 3, string.char(BACKPRESSURE)) end
  if op.verb == V_CREATE then return verbs[op.verb](op) end
  local briefly = usual[op.verb]
  local answered = briefly and briefly(op)
  if answered then return answered end
  local A = find_account(op)
  if not A then return pack('>B', A == nil and LOAD or NO_ACCOUNT) end
  A.bare_caps, A.passed = nil, nil -- those of a call that was refused, or only validated, are nobody's
  local h = op.dkey and A.holds[op.id]
  if h then h.dkey, h.pkey = op.dkey, op.pkey end
  apply_due(A, op)
  if A.dirty then retire_grants(A) end
  if renewal_due(A) then return renew(A) end
  local reply = (REPLAYS and replays[op.verb] or verbs[op.verb])(op, A)
  if A.dirty then retire_grants(A) end
  return reply
end

local function prepare(A)
  if not A.usual then A.packed = pack_account(A) end
  if A.spent_changed then
    local parts = {}
    for i, g in ipairs(A.spent) do parts[i] = pack_grant(g) end
    A.packed_spent = concat(parts)
  end
  return pack('>sI7I2', A.id, A.seq, #A.packed)
end

do

local function write_hold(A, h)
  if h.state ~= OPEN then
    if h.was_open then call('HDEL', A.key, 'h:' .. h.id) end
    call('SET', h.dkey, pack_hold(h), 'PX', KEEP_MS)
  end
  if h.clear_ops then call('DEL', h.pkey) end
  if h.new_ops then call('HSET', h.pkey, unpack(h.new_ops)) end
  if h.state ~= OPEN and h.totals then call('PEXPIRE', h.pkey, KEEP_MS) end
end

local function add_plan(A, add)
  if A.packed_plan ~= '' then
    add('l', A.packed_plan)
    add('b', A.packed_record)
  end
end

-- The fields of its hash, in one call.
local function write_all_fields(A)
  local list, size = { 's', A.packed }, 2
  local function add(name, value) list[size + 1], list[size + 2], size = name, value, size + 2 end
  if A.fresh then add('e', ERA) end
  if A.packed_spent then add('x', A.packed_spent) end
  if A.plan_changed or A.fresh then add_plan(A, add) end
  if A.counted then caps.add_fields(A, add) end
  if A.sent then add('c', A.sent) end
  if A.closing then add('z', A.closing) end
  for _, h in pairs(A.holds) do
    if h and h.dirty and h.state == OPEN then add('h:' .. h.id, pack_hold(h)) end
  end
  -- Lua unpacks a bounded number of values.
  local old = A.forgotten or {}
  for i = 1, #old, 1000 do call('HDEL', A.key, unpack(old, i, min(i + 999, #old))) end
  for i = 1, size, 1000 do call('HSET', A.key, unpack(list, i, min(i + 999, size))) end
end

-- The same for what is usual: an account that was there, and one hold.
local function write_fields(A)
  local id, h = next(A.holds)
  if not id or next(A.holds, id) or A.fresh or A.packed_spent or A.plan_changed or A.counted or A.sent or A.closing then return write_all_fields(A) end
  if not h or not h.dirty or h.state ~= OPEN then return call('HSET', A.key, 's', A.packed) end
  call('HSET', A.key, 's', A.packed, 'h:' .. id, pack_hold(h))
end

local function write_new_keys(A)
  for key, raw in pairs(A.new_keys) do call('SET', key, raw, 'PX', KEEP_MS) end
end

function write_account(A)
  if A.usual then return usual.write(A) end
  if A.fresh then call('DEL', A.key) end
  write_fields(A)
  for _, h in pairs(A.holds) do
    if h and h.dirty then write_hold(A, h) end
  end
  if A.new_keys then write_new_keys(A) end
  if A.reindexed and A.indexed > 0 then
    call('ZADD', KEYS[3], string.format('%.0f', A.indexed), A.id)
  elseif A.reindexed then
    call('ZREM', KEYS[3], A.id)
  end
end

end

-- Nothing is decided here, and nothing can fail but Redis itself. XADD goes first.
local function write_batch(next_n, changed, images, spent, plans, counted)
  local place = ARGV[1] .. '-' .. next_n
  if spent == '' and plans == '' and counted == '' then
    call('XADD', KEYS[2], place, 'e', concat(events), 'a', images)
  else
    call('XADD', KEYS[2], place, 'e', concat(events), 'a', images, 'x', spent, 'p', plans, 'u', counted)
  end
  for i = 1, #changed do write_account(changed[i]) end
  call('HSET', KEYS[1], 'n', next_n)
end

local function run()
  local epoch, open, n, ledger_n, clock, replid = unpack(call('HMGET', KEYS[1], 'epoch', 'open', 'n', 'ledger_n', 'clock', 'replid'))
  -- A restart, a promotion and a demotion with resync all change the replication id: time may have gone back.
  local info = call('INFO', 'replication')
  local same = info:find('role:master\r', 1, true) and info:find('master_replid:' .. ARGV[2] .. '\r', 1, true)
  local taken = open == '1' or (REPLAYS and open == '2')
  if epoch ~= ARGV[1] or not taken or replid ~= ARGV[2] or not same then
    return { 'FENCED', epoch or '', open or '' }
  end
  n, ledger_n = tonumber(n), tonumber(ledger_n)
  if clock then
    NOW = tonumber(clock) -- the test clock stands still (T3)
  else
    local t = call('TIME')
    NOW = tonumber(t[1]) * 1000000 + tonumber(t[2])
  end
  if ARGV[5] ~= '0' then
    for i = #KEYS - tonumber(ARGV[5]) + 1, #KEYS do asked_for[KEYS[i]] = true end
  end

  local replies, place, op = {}, 4, {}
  for i = 7, #ARGV do
    place = read_op(op, ARGV[i], place)
    replies[i - 6] = decide(op, n - ledger_n)
  end
  if #wanted > 0 then return { 'KEYS', wanted } end

  local changed, images, spent, plans, counted = {}, {}, {}, {}, {}
  for _, A in ipairs(order) do
    if A.dirty then
      changed[#changed + 1] = A
      images[#images + 1] = prepare(A)
      images[#images + 1] = A.packed
      if A.spent_changed then spent[#spent + 1] = pack('>sI2c0', A.id, #A.packed_spent, A.packed_spent) end
      if A.plan_changed then plans[#plans + 1] = pack('>sI2c0I2c0', A.id, #A.packed_plan, A.packed_plan, #A.packed_record, A.packed_record) end
      if A.counted then counted[#counted + 1] = caps.images(A) end
    end
  end
  local head = { 'OK', ARGV[1], n, ledger_n, replies }
  if #changed == 0 then return head end
  local next_n = string.format('%.0f', n + 1)
  head[3] = n + 1

  -- ================= From here on nothing is decided. =================
  local written, why = pcall(write_batch, next_n, changed, concat(images), concat(spent), concat(plans), concat(counted))
  if not written then
    -- Half-written: a recovery discards it. Where this is refused as well, the next entry is, which has the same number.
    pcall(call, 'HSET', KEYS[1], 'open', '0')
    return { 'BROKEN', tostring(type(why) == 'table' and why.err or why) }
  end
  return head
end

local function begin_and_run(keys, args)
  begin_batch(keys, args)
  return run()
end

-- What Redis calls, under a name that `program.rs` adds: the program's hash.
local function execute(keys, args)
  local ran, result = pcall(begin_and_run, keys, args)
  if ran then return result end
  return { 'BUG', tostring(type(result) == 'table' and result.err or result) }
end

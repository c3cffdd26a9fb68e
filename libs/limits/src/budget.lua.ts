/**
 * Budgets in Lua (kind 4); a part of meter.lua.ts. The twin is budget-counter.ts.
 *
 * A counter is a hash, in whole nano-dollars: s spent, h held, `@<request id>` one hold. Without s
 * it is not seeded, and nothing is admitted. Beside it, under `<key>:holds`, is a sorted set:
 * request id → when the hold expires, by the clock of Redis. An expired hold goes on counting: it is
 * shown as spent, may still be settled for an hour, and is then folded into s for good. While a sum
 * of the ledger is under way, m is the mark by which it is known that nothing was lost meanwhile.
 * The number after the limit is when the keys expire, 0 for never.
 */
export const BUDGET_LUA = `
local HOLD_MS = 60000
local FOLD_MS = 3600000
local KEPT_MS = 172800000
local MARK_MS = 60000

local function keep(control, key)
  if control.detail > 0 then
    redis.call('PEXPIREAT', key, exact(control.detail))
  else
    redis.call('PERSIST', key)
  end
end

local function until_span_ends(control)
  return math.max(1, control.detail - KEPT_MS - now)
end

local function read_budget(control, id)
  local stored = redis.call('HMGET', control.key, 's', 'h', '@' .. id)
  control.spent = stored[1] and tonumber(stored[1]) or nil
  control.held = tonumber(stored[2] or 0)
  control.hold = stored[3] and tonumber(stored[3]) or nil
end

-- Folds what has expired for an hour, and answers how much of the rest has expired. A counter that
-- is not seeded keeps all its holds: by them the ledger is told what it must not count again.
local function fold_expired(control)
  local expired = redis.call('ZRANGEBYSCORE', control.beside, '-inf', exact(now), 'WITHSCORES')
  if #expired == 0 then return 0 end
  local seeded = redis.call('HEXISTS', control.key, 's') == 1
  local recent, folded = 0, 0
  for first = 1, #expired, 2000 do
    local last = math.min(first + 1999, #expired)
    local fields, old_fields, old_ids = {}, {}, {}
    for i = first, last, 2 do fields[#fields + 1] = '@' .. expired[i] end
    local holds = redis.call('HMGET', control.key, unpack(fields))
    for n, field in ipairs(fields) do
      local hold = tonumber(holds[n] or 0)
      if seeded and tonumber(expired[first + 2 * n - 1]) <= now - FOLD_MS then
        folded = folded + hold
        old_fields[#old_fields + 1] = field
        old_ids[#old_ids + 1] = expired[first + 2 * n - 2]
      else
        recent = recent + hold
      end
    end
    if #old_ids > 0 then
      redis.call('HDEL', control.key, unpack(old_fields))
      redis.call('ZREM', control.beside, unpack(old_ids))
    end
  end
  if folded > 0 then
    redis.call('HINCRBY', control.key, 's', exact(folded))
    redis.call('HINCRBY', control.key, 'h', exact(-folded))
  end
  return recent
end

kinds[4] = {
  keys = 2,

  check = function(control, demand)
    read_budget(control, demand.id)
    -- Asked again after a lost answer: the new hold takes the place of its own old one.
    control.used = (control.spent or 0) + control.held - (control.hold or 0)
    control.room = control.limit - control.used
    if demand.least <= control.room then return 0 end
    if control.detail == 0 or demand.least > control.limit then return -1 end
    return until_span_ends(control)
  end,

  resets_in = function(control)
    return (control.used == 0 or control.detail == 0) and 0 or until_span_ends(control)
  end,

  take = function(control, demand)
    local held = control.held - (control.hold or 0) + demand.granted
    redis.call('HSET', control.key, 'h', exact(held), '@' .. demand.id, exact(demand.granted))
    redis.call('ZADD', control.beside, exact(now + HOLD_MS), demand.id)
    -- A set that is emptied is gone, and its expiry with it.
    if control.held == 0 then keep(control, control.beside) end
    control.used = control.used + demand.granted
  end,

  refuse = function(control, demand)
    if not control.hold then return end
    redis.call('HSET', control.key, 'h', exact(control.held - control.hold))
    redis.call('HDEL', control.key, '@' .. demand.id)
    redis.call('ZREM', control.beside, demand.id)
  end,

  settle = function(control, settlement)
    local expired = fold_expired(control)
    read_budget(control, settlement.id)
    -- The charge would look like all that was ever spent. The hold stays until the counter is seeded.
    if not control.spent then return nil end
    local spent, held = control.spent, control.held
    if control.hold then
      local charge = math.min(settlement.nanos, control.hold)
      spent, held = spent + charge, held - control.hold
      redis.call('HSET', control.key, 's', exact(spent), 'h', exact(held))
      redis.call('HDEL', control.key, '@' .. settlement.id)
      redis.call('ZREM', control.beside, settlement.id)
      -- The hold may have been among the expired.
      if expired > 0 then expired = fold_expired(control) end
    end
    return spent + expired, held - expired
  end,

  renew = function(control, grant)
    fold_expired(control)
    redis.call('ZADD', control.beside, 'XX', exact(now + HOLD_MS), grant.id)
  end,

  restore = function(control, grant)
    fold_expired(control)
    if redis.call('HSETNX', control.key, '@' .. grant.id, exact(grant.nanos)) == 1 then
      redis.call('HINCRBY', control.key, 'h', exact(grant.nanos))
      -- A sum that is under way may count this call already.
      redis.call('HDEL', control.key, 'm')
      keep(control, control.key)
    end
    redis.call('ZADD', control.beside, exact(now + HOLD_MS), grant.id)
    keep(control, control.beside)
  end,
}

-- As much in each budget, or nothing.
local function extend_holds(controls, id, nanos)
  local budgets = {}
  for _, control in ipairs(controls) do
    if control.kind == kinds[4] then
      budgets[#budgets + 1] = control
      fold_expired(control)
      read_budget(control, id)
      local room = control.hold and control.spent and control.limit - control.spent - control.held or 0
      nanos = math.min(nanos, math.max(0, room))
    end
  end
  if #budgets == 0 or nanos == 0 then return 0 end
  for _, control in ipairs(budgets) do
    redis.call('HSET', control.key, 'h', exact(control.held + nanos), '@' .. id, exact(control.hold + nanos))
  end
  return nanos
end

local function raise_budget(control, spent)
  local known = redis.call('HGET', control.key, 's')
  if known and tonumber(known) < spent then redis.call('HSET', control.key, 's', exact(spent)) end
  return 1
end

local function seed_budget(control, spent, mark)
  local known = redis.call('HMGET', control.key, 's', 'm')
  if known[1] then return 1 end
  if known[2] ~= mark then return 0 end
  redis.call('HDEL', control.key, 'm')
  redis.call('HSET', control.key, 's', exact(spent))
  keep(control, control.key)
  return 1
end

local function list_holds(control, mark)
  local ids = redis.call('ZRANGE', control.beside, 0, -1)
  if redis.call('HEXISTS', control.key, 's') == 1 then return '', ids end
  local is_new = redis.call('EXISTS', control.key) == 0
  redis.call('HSETNX', control.key, 'm', mark)
  if is_new then redis.call('PEXPIRE', control.key, MARK_MS) end
  return redis.call('HGET', control.key, 'm'), ids
end

local function show_budget(control)
  local expired = fold_expired(control)
  read_budget(control, '')
  if not control.spent then return -1, 0 end
  return control.spent + expired, control.held - expired
end
`;

/**
 * The sliding window in Lua, for requests (kind 1) and for tokens (kind 2); a part of meter.lua.ts.
 * The arithmetic is that of sliding-window.ts; the contract suite holds both to it.
 *
 * A window is a hash: h the newest bucket that anything was taken in, s the running sum, o what is
 * added to the clock so that it never goes back, n the newest bucket that was seen without taking,
 * z whether it was seeded after a loss, and for each bucket that is not empty its count under its number modulo 61. The usual call, in
 * the same bucket as the one before, reads four fields and increments two.
 *
 * Beside a token window, under `<key>:open`, is a sorted set of the calls whose tokens are only
 * estimated: request id → time of admission. Settling removes the call from it, and so corrects once.
 */
export const WINDOW_LUA = `
local SLOTS = 61
local OPEN_MS = 3600000

local function fresh_window(bucket_ms, stale)
  return { sum = 0, offset = 0, now = now, bucket = math.floor(now / bucket_ms), stale = stale }
end

local function open_window(control)
  local key, bucket_ms = control.key, control.detail
  local stored = redis.call('HMGET', key, 'h', 's', 'o', 'n')
  if not stored[1] then return fresh_window(bucket_ms, false) end
  local head, sum, offset = tonumber(stored[1]), tonumber(stored[2]), tonumber(stored[3])
  -- With nothing to remember, time may start anywhere.
  if sum == 0 then return fresh_window(bucket_ms, true) end
  local seen = tonumber(stored[4] or head)
  if seen < head then seen = head end
  local window = { head = head, sum = sum, offset = offset, now = now + offset }
  window.bucket = math.floor(window.now / bucket_ms)
  window.unsaved = window.bucket ~= seen
  if window.bucket < seen then
    -- The clock went back: the newest bucket is now, and time runs on from there.
    window.bucket = seen
    window.now = seen * bucket_ms
    window.offset = window.now - now
  end
  if window.bucket - head >= SLOTS then return fresh_window(bucket_ms, true) end
  if window.bucket > head then
    local slots, expired = {}, {}
    for bucket = head - SLOTS + 1, window.bucket - SLOTS do slots[#slots + 1] = bucket % SLOTS end
    local counts = redis.call('HMGET', key, unpack(slots))
    for i = 1, #slots do
      if counts[i] then
        window.sum = window.sum - counts[i]
        expired[#expired + 1] = slots[i]
      end
    end
    if window.sum == 0 then return fresh_window(bucket_ms, true) end
    window.expired = expired
  end
  return window
end

local function frees_in(control, amount, window)
  if amount > control.limit then return -1 end
  local counts, stored = {}, redis.call('HGETALL', control.key)
  for i = 1, #stored, 2 do counts[stored[i]] = tonumber(stored[i + 1]) end
  local excess = window.sum + amount - control.limit
  for bucket = window.bucket - SLOTS + 1, window.head do
    excess = excess - (counts[tostring(bucket % SLOTS)] or 0)
    if excess <= 0 then return (bucket + SLOTS) * control.detail - window.now end
  end
  return -1
end

local function take_amount(control, amount)
  local key, window = control.key, control.window
  local slot = window.bucket % SLOTS
  if window.head == window.bucket then
    if window.unsaved then redis.call('HSET', key, 'o', window.offset) end
    redis.call('HINCRBY', key, 's', amount)
    redis.call('HINCRBY', key, slot, amount)
  else
    if window.stale then
      redis.call('DEL', key)
    elseif window.expired and #window.expired > 0 then
      redis.call('HDEL', key, unpack(window.expired))
    end
    redis.call('HSET', key, 'h', window.bucket, 's', window.sum + amount, 'o', window.offset, slot, amount)
    redis.call('PEXPIRE', key, (SLOTS + 1) * control.detail)
    if control.beside then redis.call('ZREMRANGEBYSCORE', control.beside, '-inf', exact(now - OPEN_MS)) end
    window.head = window.bucket
  end
  window.sum = window.sum + amount
end

-- Nothing is taken, but time has passed: were that forgotten, a window that refuses everything
-- would start to wait anew whenever the clock goes back.
local function note_time(control)
  local window = control.window
  if window.stale then
    redis.call('DEL', control.key)
    window.stale = false
  elseif window.unsaved then
    redis.call('HSET', control.key, 'n', window.bucket, 'o', window.offset)
  end
end

local function make_window(unit)
  return {
    keys = unit == 'tokens' and 2 or 1,

    check = function(control, demand)
      local amount = demand[unit]
      control.window = open_window(control)
      control.used = control.window.sum
      if control.used + amount > control.limit then return frees_in(control, amount, control.window) end
      return 0
    end,

    resets_in = function(control)
      local window = control.window
      if control.used == 0 then return 0 end
      return (window.head + SLOTS) * control.detail - window.now
    end,

    take = function(control, demand)
      local amount = demand[unit]
      if amount > 0 then take_amount(control, amount) else note_time(control) end
      control.used = control.window.sum
      if unit == 'tokens' then
        redis.call('ZADD', control.beside, exact(now), demand.id)
        redis.call('PEXPIRE', control.beside, OPEN_MS)
      end
    end,

    refuse = function(control, demand)
      note_time(control)
      if unit == 'tokens' then redis.call('ZREM', control.beside, demand.id) end
    end,
  }
end

kinds[1] = make_window('requests')
kinds[2] = make_window('tokens')

-- What was estimated too high goes back to the bucket that it was taken in, if that still counts;
-- what was estimated too low is taken now.
local function give_back(control, bucket, amount)
  local window = control.window
  if not window.head or bucket > window.head or bucket <= window.bucket - SLOTS then return end
  local slot = bucket % SLOTS
  local count = tonumber(redis.call('HGET', control.key, slot) or 0)
  if amount < count then
    redis.call('HINCRBY', control.key, slot, -amount)
  else
    amount = count
    redis.call('HDEL', control.key, slot)
  end
  if amount > 0 then redis.call('HINCRBY', control.key, 's', -amount) end
end

kinds[2].settle = function(control, settlement)
  local since = redis.call('ZSCORE', control.beside, settlement.id)
  if not since then return end
  redis.call('ZREM', control.beside, settlement.id)
  local missing = settlement.tokens - settlement.estimated
  if missing == 0 or tonumber(since) <= now - OPEN_MS then return end
  control.window = open_window(control)
  if missing > 0 then
    take_amount(control, missing)
  else
    give_back(control, control.bucket, -missing)
    note_time(control)
  end
end

-- What was taken before the data was lost: numbers in pairs, how long ago and how much.
local function seed_window(control, takes)
  local window = open_window(control)
  control.window = window
  if window.head and redis.call('HEXISTS', control.key, 'z') == 1 then return note_time(control) end
  local head, total, counts = window.head, 0, {}
  for i = 1, #takes, 2 do
    local bucket = math.floor((window.now - takes[i]) / control.detail)
    if takes[i + 1] > 0 and bucket > window.bucket - SLOTS and bucket <= window.bucket then
      total = total + takes[i + 1]
      counts[bucket % SLOTS] = (counts[bucket % SLOTS] or 0) + takes[i + 1]
      if not head or bucket > head then head = bucket end
    end
  end
  if total == 0 then return note_time(control) end
  if window.stale then redis.call('DEL', control.key) end
  if window.expired and #window.expired > 0 then redis.call('HDEL', control.key, unpack(window.expired)) end
  redis.call('HSET', control.key, 'h', head, 's', window.sum + total, 'o', window.offset, 'n', window.bucket, 'z', 1)
  for slot, count in pairs(counts) do redis.call('HINCRBY', control.key, slot, count) end
  redis.call('PEXPIRE', control.key, (SLOTS + 1) * control.detail)
end
`;

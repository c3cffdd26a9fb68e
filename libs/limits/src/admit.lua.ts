/**
 * The admission script, as a text in TypeScript because the build copies nothing else. It decides a
 * batch of admissions, each all or nothing: first every control of one is checked, then every one
 * is taken.
 *
 * KEYS     the controls' keys, in the order of the admissions and, within one, of its controls
 * ARGV[1]  '' for the clock of Redis, or the time in milliseconds (tests move it)
 * ARGV[2…] one text an admission: `take kind amount limit bucketMs kind amount limit bucketMs …`;
 *          take is 1, or 0 to look without taking; kind is 1 for a sliding window. Another kind
 *          (a lease, a hold) is one more entry of `controls` with its own check and take, and every
 *          kind has these four numbers, so that it needs no other form of call.
 *
 * Answers a flat array of whole numbers. For each admission: 0 admitted, n refused by control n,
 * -1 failed (a key of another type, say: nothing is taken, the others of the batch go on); then for
 * each control what is used and in how many milliseconds it frees (-1 never).
 *
 * A window is a hash: h the newest bucket that anything was taken in, s the running sum, o what is
 * added to the clock so that it never goes back, n the newest bucket that a refusal was given in,
 * and for each bucket that is not empty its count under its number modulo 61. The usual call, in
 * the same bucket as the one before, reads four fields and increments two. The arithmetic is that
 * of sliding-window.ts; the contract suite holds both to it.
 */
export const ADMIT_LUA = `
local SLOTS = 61

local now
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(ARGV[1])
end

local function fresh_window(bucket_ms)
  return { sum = 0, offset = 0, now = now, bucket = math.floor(now / bucket_ms) }
end

local function open_window(key, bucket_ms)
  local stored = redis.call('HMGET', key, 'h', 's', 'o', 'n')
  if not stored[1] then return fresh_window(bucket_ms) end
  local head, offset = tonumber(stored[1]), tonumber(stored[3])
  local seen = tonumber(stored[4] or head)
  if seen < head then seen = head end
  local window = { head = head, sum = tonumber(stored[2]), offset = offset, now = now + offset }
  window.bucket = math.floor(window.now / bucket_ms)
  window.unsaved = window.bucket ~= seen
  if window.bucket < seen then
    -- The clock went back: the newest bucket is now, and time runs on from there.
    window.bucket = seen
    window.now = seen * bucket_ms
    window.offset = window.now - now
  end
  if window.bucket - head >= SLOTS then
    window = fresh_window(bucket_ms)
    window.stale = true
  elseif window.bucket > head then
    local slots, expired = {}, {}
    for bucket = head - SLOTS + 1, window.bucket - SLOTS do slots[#slots + 1] = bucket % SLOTS end
    local counts = redis.call('HMGET', key, unpack(slots))
    for i = 1, #slots do
      if counts[i] then
        window.sum = window.sum - counts[i]
        expired[#expired + 1] = slots[i]
      end
    end
    window.expired = expired
  end
  return window
end

local function frees_in(key, control, window)
  if control.amount > control.limit then return -1 end
  local counts, stored = {}, redis.call('HGETALL', key)
  for i = 1, #stored, 2 do counts[stored[i]] = tonumber(stored[i + 1]) end
  local excess = window.sum + control.amount - control.limit
  for bucket = window.bucket - SLOTS + 1, window.head do
    excess = excess - (counts[tostring(bucket % SLOTS)] or 0)
    if excess <= 0 then return (bucket + SLOTS) * control.bucket_ms - window.now end
  end
  return -1
end

local controls = {}

controls[1] = {
  check = function(key, control)
    local window = open_window(key, control.bucket_ms)
    control.window = window
    control.used = window.sum
    if window.sum + control.amount > control.limit then return frees_in(key, control, window) end
    return 0
  end,

  resets_in = function(control)
    local window = control.window
    if control.used == 0 then return 0 end
    return (window.head + SLOTS) * control.bucket_ms - window.now
  end,

  take = function(key, control)
    local window = control.window
    local slot = window.bucket % SLOTS
    if window.head ~= window.bucket then
      if window.stale then
        redis.call('DEL', key)
      elseif window.expired and #window.expired > 0 then
        redis.call('HDEL', key, unpack(window.expired))
      end
      redis.call('HSET', key, 'h', window.bucket, 's', window.sum + control.amount, 'o', window.offset, slot, control.amount)
      redis.call('PEXPIRE', key, (SLOTS + 1) * control.bucket_ms)
      window.head = window.bucket
    else
      if window.unsaved then redis.call('HSET', key, 'o', window.offset) end
      redis.call('HINCRBY', key, 's', control.amount)
      redis.call('HINCRBY', key, slot, control.amount)
    end
    control.used = window.sum + control.amount
  end,

  -- Nothing is taken, but time has passed: were that forgotten, a window that refuses everything
  -- would start to wait anew whenever the clock goes back.
  note_refusal = function(key, control)
    local window = control.window
    if window.unsaved and window.head then redis.call('HSET', key, 'n', window.bucket, 'o', window.offset) end
  end,
}

local function parse(text, first_key)
  local numbers = {}
  for number in string.gmatch(text, '%d+') do numbers[#numbers + 1] = tonumber(number) end
  local plan = { take = numbers[1] == 1 }
  for i = 2, #numbers, 4 do
    plan[#plan + 1] = {
      kind = controls[numbers[i]], key = KEYS[first_key + #plan],
      amount = numbers[i + 1], limit = numbers[i + 2], bucket_ms = numbers[i + 3],
    }
  end
  return plan
end

local function decide(plan)
  local refused, frees = 0, 0
  for i, control in ipairs(plan) do
    local wait = control.kind.check(control.key, control)
    -- Of those that refuse, the one that frees last is named: waiting for it is enough.
    if wait ~= 0 and frees ~= -1 and (wait == -1 or wait > frees) then refused, frees = i, wait end
  end
  if plan.take then
    for _, control in ipairs(plan) do
      if refused == 0 then control.kind.take(control.key, control) else control.kind.note_refusal(control.key, control) end
    end
  end
  return refused, frees
end

local answer, first_key = {}, 1
for i = 2, #ARGV do
  local plan = parse(ARGV[i], first_key)
  first_key = first_key + #plan
  local done, refused, frees = pcall(decide, plan)
  answer[#answer + 1] = done and refused or -1
  for n, control in ipairs(plan) do
    answer[#answer + 1] = done and control.used or 0
    answer[#answer + 1] = done and (n == refused and frees or control.kind.resets_in(control)) or 0
  end
end
return answer
`;

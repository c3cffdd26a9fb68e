import { BUDGET_LUA } from './budget.lua';
import { LEASE_LUA } from './lease.lua';
import { WINDOW_LUA } from './window.lua';

/**
 * The script of the meter, as a text in TypeScript because the build copies nothing else. It does a
 * batch of operations in the order in which they were asked, each all or nothing.
 *
 * KEYS     the keys of the operations, within one in the order of its controls; those of several that
 *          touch the same are said once
 * ARGV[1]  '' for the clock of Redis, or the time in milliseconds (tests move it)
 * ARGV[2…] one text an operation, of words, of which the first is the place of its first key, from 1:
 *            admit|peek <id> <requests> <tokens> <least> <most> <controls>
 *            settle <id> <tokens> <estimated> <nanos> <n> <n buckets, one a token window> <controls>
 *            extend <id> <nanos> <controls>
 *            renew <id> <controls>
 *            restore <id> <nanos> <controls>
 *            seed <nanos> <mark> <control>
 *            raise <nanos> <control>
 *            list <new mark> <control>
 *            read <controls>
 *            window <n> <n numbers: age, amount, age, amount, …> <control>
 *            =  what the text before asks once more, of the same keys; without a place
 *          and each control is `kind limit detail`: 1 a window of requests, 2 of tokens (the detail
 *          is the width of a bucket), 3 a lease (0), 4 a budget (when its keys expire; 0 never).
 *
 * Answers a flat array, of whole numbers but for what lists. For each operation first what became of it: -1 failed (a
 * key of another type, say: the others of the batch go on), else
 *   admit, peek  0 admitted or 1 refused, then for each control what is used and in how many
 *                milliseconds it frees (of a budget without an end, 0); where the control refused, -1
 *                for never, else -1 - milliseconds. Admitted, then the bucket of each
 *                token window, and, where there is a budget, the hold.
 *                Or 2 not seeded, then how many, and which controls, from 0
 *   settle       0, then for each budget what is spent and held; -1 and 0 where it is not seeded
 *   read         the same
 *   extend       0, then by how much
 *   seed, raise  0, then 1 when the counter is there, else 0
 *   list         0, then the mark, how many holds, and their request ids
 *   others       0
 */
export const METER_LUA = `
local now
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(ARGV[1])
end

local kinds = {}
local answer = {}

-- A number of Lua's would become 1e+15.
local function exact(number) return string.format('%.0f', number) end
${WINDOW_LUA}${LEASE_LUA}${BUDGET_LUA}
local function find_unseeded(controls)
  local unseeded = {}
  for n, control in ipairs(controls) do
    if control.kind == kinds[4] and not control.spent then unseeded[#unseeded + 1] = n - 1 end
  end
  return unseeded
end

local function decide(controls, demand, take)
  local refused = false
  demand.granted = demand.most
  for _, control in ipairs(controls) do
    control.wait = control.kind.check(control, demand)
    if control.wait ~= 0 then refused = true end
    if control.room and control.room < demand.granted then demand.granted = control.room end
  end
  if not take then return refused end
  local unseeded = find_unseeded(controls)
  if #unseeded > 0 then return refused, unseeded end
  for _, control in ipairs(controls) do
    -- What an earlier execution of the same admission took, nobody would ever give back: a client
    -- that lost its connection asks again, and hears only of the second time.
    if refused then control.kind.refuse(control, demand) else control.kind.take(control, demand) end
  end
  return refused
end

local function admit(words, controls, take)
  local demand = {
    id = words[2], requests = tonumber(words[3]), tokens = tonumber(words[4]),
    least = tonumber(words[5]), most = tonumber(words[6]),
  }
  local refused, unseeded = decide(controls, demand, take)
  if unseeded then return 2, #unseeded, unpack(unseeded) end
  local reply = { refused and 1 or 0 }
  for _, control in ipairs(controls) do
    reply[#reply + 1] = control.used
    reply[#reply + 1] = control.wait == 0 and control.kind.resets_in(control) or math.min(-1, -1 - control.wait)
  end
  if not refused then
    local has_budget = false
    for _, control in ipairs(controls) do
      if control.kind == kinds[2] then reply[#reply + 1] = control.window.bucket end
      if control.kind == kinds[4] then has_budget = true end
    end
    if has_budget then reply[#reply + 1] = demand.granted end
  end
  return unpack(reply)
end

local function settle(words, controls)
  local settlement = { id = words[2], tokens = tonumber(words[3]), estimated = tonumber(words[4]), nanos = tonumber(words[5]) }
  local reply, bucket = { 0 }, 7
  for _, control in ipairs(controls) do
    if control.kind == kinds[2] then
      control.bucket = tonumber(words[bucket])
      bucket = bucket + 1
    end
    local spent, held = control.kind.settle(control, settlement)
    if control.kind == kinds[4] then
      reply[#reply + 1] = spent or -1
      reply[#reply + 1] = held or 0
    end
  end
  return unpack(reply)
end

local function read(_, controls)
  local reply = { 0 }
  for _, control in ipairs(controls) do
    if control.kind == kinds[4] then
      reply[#reply + 1], reply[#reply + 2] = show_budget(control)
    end
  end
  return unpack(reply)
end

local function list(words, controls)
  local mark, ids = list_holds(controls[1], words[2])
  -- As a table: there may be more of them than a function can return.
  return 0, mark, #ids, ids
end

local function read_takes(words)
  local takes = {}
  for i = 3, 2 + tonumber(words[2]) do takes[#takes + 1] = tonumber(words[i]) end
  return takes
end

local function each(method, controls, grant)
  for _, control in ipairs(controls) do
    if control.kind[method] then control.kind[method](control, grant) end
  end
  return 0
end

-- Each with the number of words before its controls.
local operations = {
  admit = { 6, function(words, controls) return admit(words, controls, true) end },
  peek = { 6, function(words, controls) return admit(words, controls, false) end },
  settle = { 6, settle },
  extend = { 3, function(words, controls) return 0, extend_holds(controls, words[2], tonumber(words[3])) end },
  renew = { 2, function(words, controls) return each('renew', controls, { id = words[2] }) end },
  restore = { 3, function(words, controls) return each('restore', controls, { id = words[2], nanos = tonumber(words[3]) }) end },
  seed = { 3, function(words, controls) return 0, seed_budget(controls[1], tonumber(words[2]), words[3]) end },
  raise = { 2, function(words, controls) return 0, raise_budget(controls[1], tonumber(words[2])) end },
  list = { 2, list },
  read = { 1, read },
  window = { 2, function(words, controls) seed_window(controls[1], read_takes(words)) return 0 end },
}

local next_key = 1
local function read_controls(words, first)
  local controls = {}
  for i = first, #words, 3 do
    local kind = kinds[tonumber(words[i])]
    controls[#controls + 1] = {
      kind = kind, limit = tonumber(words[i + 1]), detail = tonumber(words[i + 2]),
      key = KEYS[next_key], beside = kind.keys == 2 and KEYS[next_key + 1] or nil,
    }
    next_key = next_key + kind.keys
  end
  return controls
end

local function add(done, ...)
  if not done then
    answer[#answer + 1] = -1
    return
  end
  for i = 1, select('#', ...) do
    local value = select(i, ...)
    if type(value) == 'table' then
      for _, item in ipairs(value) do answer[#answer + 1] = item end
    else
      answer[#answer + 1] = value
    end
  end
end

local words, own_key
for i = 2, #ARGV do
  if ARGV[i] == '=' then
    next_key = own_key
  else
    local next_word = string.gmatch(ARGV[i], '%S+')
    own_key = tonumber(next_word())
    next_key, words = own_key, {}
    for word in next_word do words[#words + 1] = word end
  end
  local operation = operations[words[1]]
  local first = operation[1] + 1
  if words[1] == 'settle' then first = first + tonumber(words[6]) end
  if words[1] == 'window' then first = first + tonumber(words[2]) end
  add(pcall(operation[2], words, read_controls(words, first)))
end
return answer
`;

/**
 * Concurrency in Lua (kind 3); a part of meter.lua.ts. The twin is lease-set.ts.
 *
 * A sorted set: request id → when the lease expires, by the clock of Redis. A lease that is not
 * renewed for 30 s is gone, so nothing can stick. No lease lives longer than that, even when the
 * clock goes back: what lies further ahead is brought down.
 */
export const LEASE_LUA = `
local LEASE_MS = 30000

local function put_lease(control, id)
  redis.call('ZADD', control.key, exact(now + LEASE_MS), id)
  redis.call('PEXPIRE', control.key, LEASE_MS)
end

local function shorten_leases(control)
  if control.last <= now + LEASE_MS then return end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', control.key, '(' .. exact(now + LEASE_MS), '+inf')) do
    redis.call('ZADD', control.key, exact(now + LEASE_MS), id)
  end
  redis.call('PEXPIRE', control.key, LEASE_MS)
end

kinds[3] = {
  keys = 1,

  check = function(control, demand)
    local newest = redis.call('ZRANGE', control.key, -1, -1, 'WITHSCORES')
    control.last = tonumber(newest[2] or 0)
    control.used = control.last > now and redis.call('ZCOUNT', control.key, '(' .. exact(now), '+inf') or 0
    if control.used < control.limit then return 0 end
    -- Asked again after a lost answer: its own lease does not stand in its way.
    local own = redis.call('ZSCORE', control.key, demand.id)
    if own and tonumber(own) > now and control.used == control.limit then return 0 end
    local first = redis.call('ZRANGEBYSCORE', control.key, '(' .. exact(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    return math.min(tonumber(first[2]) - now, LEASE_MS)
  end,

  resets_in = function(control)
    if control.used == 0 then return 0 end
    return math.min(control.last - now, LEASE_MS)
  end,

  take = function(control, demand)
    shorten_leases(control)
    if control.last > 0 then redis.call('ZREMRANGEBYSCORE', control.key, '-inf', exact(now)) end
    put_lease(control, demand.id)
    control.used = redis.call('ZCARD', control.key)
    control.last = now + LEASE_MS
  end,

  refuse = function(control, demand)
    shorten_leases(control)
    redis.call('ZREM', control.key, demand.id)
  end,

  settle = function(control, settlement)
    redis.call('ZREM', control.key, settlement.id)
  end,

  -- One that was missed for too long comes back: its call is still running, and is counted.
  renew = function(control, grant) put_lease(control, grant.id) end,
  restore = function(control, grant) put_lease(control, grant.id) end,
}
`;

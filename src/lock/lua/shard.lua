-- For the scripts that maintain a whole shard: KEYS are SHARD.

-- Trusts the store's past for two more intervals of lease renewal.
local function trust(lease)
  call('HSET', shard.meta, 'valid', now + math.floor(lease * 2 / 3))
end

-- The value for `instances` of an instance that has missed no window: not before the last window, wherever the clock
-- was then.
local function knows_since()
  return math.max(now - 1, (call('HGET', shard.meta, 'window') or 0) + 0)
end

-- Removes an instance without members, except for records that its audit may lack: the sweep hands those out. False if
-- it still has members.
local function forget_instance(incarnation)
  if call('EXISTS', tag .. 'instance:' .. incarnation) == 1 then
    return false
  end
  call('ZREM', shard.due, 'i:' .. incarnation)
  call('HDEL', shard.instances, incarnation)
  if call('HEXISTS', shard.written, incarnation) == 1 then
    call('ZADD', shard.due, now, 'a:' .. incarnation)
  end
  return true
end

local function answer_shard(flags, names)
  local _, first = unpack(call('ZRANGE', shard.due, 0, 0, 'WITHSCORES'))
  local at = (first or 0) + 0
  if window > 0 and at <= now then
    at = now + 1000
  end
  return answer('NONE', flags, {[LOCK.UNTIL] = at, [LOCK.OTHER] = 0, [LOCK.STATE] = 'free'}, names and {names = names})
end

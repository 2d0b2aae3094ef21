-- Sweep: lets happen what is due in the shard; correctness does not wait for it.
-- KEYS: SHARD; others are built from what `due` names. Arguments: 1 notAfter, 2 due members at most, 3 lease ms,
--   4 entries of `events` and 5 of `audit` to keep at most.
-- Reply: NONE; next is the shard's next deadline; flag more: call again at once.
-- Events: EXPIRED, GRACE_PERIOD_EXPIRED, RECOVERED; of dead instances' members (100 a call) GRACE_STARTED and LEAVE.
local _, most, lease, keep_events, keep_audit = unpack_values(ARGV[1])
--@include publish.lua
--@include settle.lua
--@include member.lua
--@include shard.lua

local function settle_due(resource)
  local l = read_lock(tag .. 'lock:' .. resource)
  settle(resource, l)
  if l[STATE] == 'free' then
    call('ZREM', KEYS[2], 'r:' .. resource)
  else
    call('ZADD', KEYS[2], deadline(l), 'r:' .. resource)
  end
end

-- A lease ended at `ended`: the instance's memberships end as if the server had closed them. True if some are left.
local function reap(incarnation, ended)
  local later = effective(ended, lease)
  if later > now then
    call('ZADD', KEYS[2], later, 'i:' .. incarnation)
    return false
  end
  local set = tag .. 'instance:' .. incarnation
  for _, entry in ipairs(call('SRANDMEMBER', set, 100)) do
    local resource, id = string.match(entry, '^(%S+) (.*)$')
    local l = read_lock(tag .. 'lock:' .. resource)
    settle(resource, l)
    local value = call('HGET', tag .. 'member:' .. resource, id)
    if value and select(2, split_member(value)) == incarnation then
      depart(resource, l, id, value, 'SERVER', '')
    else
      call('SREM', set, entry)
    end
  end
  return not forget_instance(incarnation)
end

local more = false
if window == 0 then
  local due = call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
  more = #due == most * 2
  local reaped = false
  for i = 1, #due, 2 do
    local name = string.sub(due[i], 3)
    if string.sub(due[i], 1, 2) == 'r:' then
      settle_due(name)
    elseif reaped then
      more = true
    else
      reaped = true
      more = reap(name, due[i + 1] + 0) or more
    end
  end
end
call('XTRIM', KEYS[3], 'MINID', '~', us - 60000000)
call('XTRIM', KEYS[3], 'MAXLEN', '~', keep_events)
call('XTRIM', KEYS[4], 'MAXLEN', '~', keep_audit)
return answer_shard(more and 16 or 0)

-- Included by what ends locks or lets happen what is due; needs publish.lua.
local tag = string.sub(KEYS[1], 1, -5)

-- ttl, idle, grace and claim window in ms, and what a lost connection does.
local function policy_of(l)
  local ttl, idle, grace, claim, disconnect = string.match(l[POLICY], '^(%S+) (%S+) (%S+) (%S+) (%S+)')
  return ttl + 0, idle + 0, grace + 0, claim + 0, disconnect
end

-- A deadline that lies in the last gap counts as the gap's end plus `length`.
local function effective(at, length)
  local gap = call('HMGET', KEYS[1], 'from', 'to')
  if gap[2] and at >= gap[1] + 0 and at <= gap[2] + 0 then
    return gap[2] + length
  end
  return at
end

-- The set of a user's locks in the resource's document, and the resource's name in it.
local function held_by(resource, user)
  local document, child = string.match(resource, '^(.*):(.*)$')
  return tag .. 'held:' .. document .. ':' .. user, child
end

-- `ending`: of a grant that ended by it.
local function tell(resource, l, cause, actor, ending)
  local lock = l[16] and '\159' .. l[16] or FREE
  publish(ending and 152 or 151, 0, resource, actor, cause, lock .. (ending or ''))
end

-- Writes a changed lock, tells it and puts down when it is due.
local function change(resource, l, cause, actor, ending)
  write_lock(tag .. 'lock:' .. resource, l)
  call('ZADD', KEYS[2], deadline(l), 'r:' .. resource)
  tell(resource, l, cause, actor, ending)
end

-- Remembers how the grant in `l` ended; gives the packed ENDING.
local function end_grant(resource, l, reason, revision, by)
  local ending = pack({
    l[USER], l[NAME], l[CLIENT], l[TOKEN], reason, l[DIRTY], revision or false, l[SINCE], now, by or '',
  })
  local key = tag .. 'ended:' .. resource
  call('LPUSH', key, ending)
  call('LTRIM', key, '0', '15')
  call('PEXPIRE', key, '86400000')
  return ending
end

-- The next rule: who has a lock that nobody holds any more. It is free.
local function pass_on(resource, l, cause, actor, ending)
  local key = tag .. 'lock:' .. resource
  call('DEL', key)
  call('ZREM', KEYS[2], 'r:' .. resource)
  for i, value in ipairs(read_lock(key)) do
    l[i] = value
  end
  tell(resource, l, cause, actor, ending)
end

-- Ends the lock in `l` for good.
local function finish(resource, l, reason, actor, revision)
  local ending = end_grant(resource, l, reason, revision)
  call('HDEL', held_by(resource, l[USER]))
  pass_on(resource, l, reason, actor, ending)
end

local function start_grace(resource, l, actor)
  local _, _, grace = policy_of(l)
  l[STATE], l[UNTIL], l[IDLE], l[TOLD] = 'grace', now + grace, 0, now
  change(resource, l, 'GRACE_STARTED', actor)
end

-- Lets happen what is due. Nothing is settled inside a window.
local function settle(resource, l)
  local at = deadline(l)
  if window > 0 or at == 0 or at > now then
    return
  elseif l[STATE] == 'held' and l[EXPIRES] <= now then
    return finish(resource, l, 'EXPIRED', '')
  end
  local _, idle, grace = policy_of(l)
  local field, length, reason = UNTIL, grace, 'GRACE_PERIOD_EXPIRED'
  if l[STATE] == 'held' then
    field, length, reason = IDLE, idle, 'EXPIRED'
  end
  local later = effective(at, length)
  if later <= now then
    return finish(resource, l, reason, '')
  end
  l[field], l[TOLD] = later, now
  change(resource, l, 'RECOVERED', '')
end

-- Sweep: settles what is due in the shard. Correctness does not depend on it.
-- KEYS: SHARD; others are built from the names in `due`. Arguments: 1 notAfter, 2 most due members, 3 lease ms, 4
--   most entries of `events` and 5 of `audit` to keep.
-- Reply: NONE; next is the shard's next deadline; flags more: call again at once, and unreadable: a resource that was
--   due could not be settled; names: an instance that has died, and the id in the stream `audit` up to which its own
--   audit is known to be on disk. The caller records the changes after that id, and then calls recorded.lua. If it
--   does not, a later sweep returns the same names again.
-- After the clock was set back, a deadline that is further away than its whole period is set to now plus the period.
-- One call handles about `most` entries of `due`.
-- Events: EXPIRED, GRACE_PERIOD_EXPIRED, RESERVATION_EXPIRED, TAKEN_BY_ADMIN, RECOVERED; TIMEOUT and GONE of waiters;
--   GRACE_STARTED and LEAVE of dead instances' members (100 a call).
local _, most, lease, keep_events, keep_audit = unpack_values(ARGV[1])

local unreadable = false

local function cannot(what, resource, problem)
  unreadable = true
  redis.log(redis.LOG_WARNING, 'wslock: cannot ' .. what .. ' ' .. resource .. ': '
    .. (type(problem) == 'table' and problem.err or tostring(problem)))
end

-- Where the scan of `due` continues after the clock was set back.
local back = call('HGET', shard.meta, 'back')

-- The clock was set back: a deadline that is further away than its whole period is set to now plus the period.
local function pull_in(resource, l)
  local ttl, idle, grace, claim = policy_of(l)
  local changed = l[LOCK.LAST_EVENT] > now
  local lengths = {[LOCK.EXPIRES] = ttl, [LOCK.IDLE] = idle, [LOCK.UNTIL] = l[LOCK.STATE] == 'grace' and grace or claim}
  for field, length in pairs(lengths) do
    if l[field] > now + length then
      l[field], changed = now + length, true
    end
  end
  if changed then
    l[LOCK.LAST_EVENT] = now
    change(resource, l, 'RECOVERED', '')
  end
  if l[LOCK.QUEUED] > 0 or l[LOCK.TAKEOVER] ~= '' then
    waiters_of(resource, l).pull_in()
  end
end

local function read_settled(resource)
  local l = read_lock(tag .. 'lock:' .. resource)
  if back and l[LOCK.POLICY] ~= '' then
    pull_in(resource, l)
  end
  settle(resource, l)
  return l
end

local function settle_due(resource)
  local at = deadline(read_settled(resource))
  if at == 0 then
    call('ZREM', shard.due, 'r:' .. resource)
  else
    call('ZADD', shard.due, at, 'r:' .. resource)
  end
end

-- The same, but a resource that cannot be read (foreign or damaged) is put off for a minute, so that the others are
-- settled.
local function try_settle_due(resource)
  local ok, problem = pcall(settle_due, resource)
  if not ok then
    call('ZADD', shard.due, now + 60000, 'r:' .. resource)
    cannot('settle', resource, problem)
  end
end

local function reap_member(set, entry, incarnation, resource, id)
  local l = read_settled(resource)
  local value = call('HGET', tag .. 'member:' .. resource, id)
  if value and select(2, split_member(value)) == incarnation then
    depart(resource, l, id, value, 'SERVER', '')
  else
    call('SREM', set, entry)
  end
end

-- A scan finds everything that stays in `due` while it runs, even if scores change. True if some are left.
local function pull_in_some()
  if not back then
    return false
  end
  local cursor, found = unpack(call('ZSCAN', shard.due, back, 'COUNT', most))
  if cursor == '0' then
    call('HDEL', shard.meta, 'back')
  else
    call('HSET', shard.meta, 'back', cursor)
  end
  for i = 1, #found, 2 do
    local name, at = found[i], found[i + 1] + 0
    if string.sub(name, 1, 2) == 'r:' then
      try_settle_due(string.sub(name, 3))
    elseif at > now + lease then
      call('ZADD', shard.due, now + lease, name)
    end
  end
  return cursor ~= '0'
end

-- A lease ended at `ended`: the instance's members leave as if the server had closed them. True if some are left.
local function reap(incarnation, ended)
  local later = effective(ended, lease)
  if later > now then
    call('ZADD', shard.due, later, 'i:' .. incarnation)
    return false
  end
  local set = tag .. 'instance:' .. incarnation
  for _, entry in ipairs(call('SRANDMEMBER', set, 100)) do
    local resource, id = string.match(entry, '^(%S+) (.*)$')
    local ok, problem = pcall(reap_member, set, entry, incarnation, resource, id)
    if not ok then -- removed without an event, so that the others can leave
      redis.pcall('HDEL', tag .. 'member:' .. resource, id)
      redis.pcall('ZREM', tag .. 'room:' .. resource, id)
      call('SREM', set, entry)
      cannot('reap ' .. id .. ' from', resource, problem)
    end
  end
  return not forget_instance(incarnation)
end

-- The records that a dead instance's audit may lack, for the caller to complete within one lease from now.
local function hand_out(incarnation)
  local written = call('HGET', shard.written, incarnation)
  if not written or call('ZSCORE', shard.due, 'i:' .. incarnation) then
    call('ZREM', shard.due, 'a:' .. incarnation)
    return nil
  end
  call('ZADD', shard.due, now + lease, 'a:' .. incarnation)
  return {incarnation, written .. '-0'}
end

-- Removes what the audits of all instances have, and what exceeds the cap. `audit_cut` then says up to where something
-- may be lost that nobody had recorded.
local function trim_audit()
  local first
  need(may_trim)
  for _, written in ipairs(call('HVALS', shard.written)) do
    first = math.min(written + 0, first or tick)
  end
  if first then
    call('XTRIM', shard.audit, 'MINID', '~', first)
  end
  if call('XTRIM', shard.audit, 'MAXLEN', '~', keep_audit) > 0 then
    local oldest = unpack(call('XRANGE', shard.audit, '-', '+', 'COUNT', 1))
    call('HSET', shard.meta, 'audit_cut', oldest and string.match(unpack(oldest), '^%d+') or tick)
  end
end

local more, dead = false, nil
if window == 0 then
  local due = call('ZRANGEBYSCORE', shard.due, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
  if #due > 0 or back then
    need_all()
  end
  more = pull_in_some() or #due == most * 2
  local reaped = false
  for i = 1, #due, 2 do
    local name = string.sub(due[i], 3)
    local what = string.sub(due[i], 1, 2)
    if what == 'r:' then
      try_settle_due(name)
    elseif what == 'a:' and not dead then
      dead = hand_out(name)
    elseif what == 'a:' or reaped then
      more = true
    else
      reaped = true
      more = reap(name, due[i + 1] + 0) or more
    end
  end
end
call('XTRIM', shard.events, 'MINID', '~', us - 60000000)
call('XTRIM', shard.events, 'MAXLEN', '~', keep_events)
trim_audit()
return answer_shard((more and FLAG.MORE or 0) + (unreadable and FLAG.UNREADABLE or 0), dead)

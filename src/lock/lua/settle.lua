-- ttl, idle, grace and claim window in ms, and the `disconnect` setting.
local function policy_of(l)
  local ttl, idle, grace, claim, disconnect = match(l[LOCK.POLICY], '^(%S+) (%S+) (%S+) (%S+) (%S+)')
  return ttl + 0, idle + 0, grace + 0, claim + 0, disconnect
end

-- A deadline inside the last gap counts from the gap's end: with `length`, or if `left` is true with the rest that was
-- left when the gap began, at most `length`.
local function effective(at, length, left)
  local from, to = unpack(call('HMGET', shard.meta, 'from', 'to'))
  if to and at >= from + 0 and at <= to + 0 then
    return to + (left and math.min(at - from, length) or length)
  end
  return at
end

-- The set of a user's locks in the resource's document, and the resource's name in it.
local function held_by(resource, user)
  local document, child = match(resource, '^(.*):(.*)$')
  return tag .. 'held:' .. document .. ':' .. user, child
end

-- `ending`: of the grant that this change ended. `takeover`: the packed TAKEOVER that caused it.
local function tell(resource, l, cause, actor, ending, takeover)
  local last = takeover and EVENT_LOCK.TAKEOVER or ending and EVENT_LOCK.ENDED or EVENT_LOCK.LOCK
  local lock = l[LOCK.PACKED]
  publish(last, KIND.LOCK, resource, actor, cause, lock and ARRAY.LOCK or FREE, lock or '',
    takeover and (ending or NO_ENDING) .. takeover or ending)
end

-- Writes a lock, or deletes it if it is free and nobody wants it, and sets when it is due.
local function store(resource, l)
  local key, at = tag .. 'lock:' .. resource, deadline(l)
  if l[LOCK.STATE] == 'free' and l[LOCK.QUEUED] == 0 and l[LOCK.TAKEOVER] == '' then
    call('DEL', key)
    l[LOCK.PACKED] = false
  else
    write_lock(key, l)
  end
  if at > 0 then
    call('ZADD', shard.due, at, 'r:' .. resource)
  else
    try('ZREM', shard.due, 'r:' .. resource) -- without the right the sweep does it
  end
end

-- Writes a changed lock and publishes it.
local function change(resource, l, cause, actor, ending, takeover)
  store(resource, l)
  tell(resource, l, cause, actor, ending, takeover)
end

-- Stores how the grant in `l` ended; returns the packed ENDING. `request`: the id of the request or takeover for which
-- it was given up.
local function end_grant(resource, l, reason, revision, by, request)
  local user, name, client = l[LOCK.USER], l[LOCK.NAME], l[LOCK.CLIENT]
  by, request = by or '', request or ''
  local ending = struct_pack('>BBI2c0BI2c0BI2c0BI8BI2c0Bc0BI8BI8BI2c0BI2c0', 155, 218, #user, user, 218, #name, name,
    218, #client, client, 207, l[LOCK.TOKEN], 218, #reason, reason, l[LOCK.DIRTY],
    revision and pack(revision) or '\194', 207, l[LOCK.SINCE], 207, now, 218, #by, by, 218, #request, request)
  local key = tag .. 'ended:' .. resource
  if call('LPUSH', key, ending) > 16 then
    try('LTRIM', key, '0', '15') -- without the right, the next ending does it
  end
  call('PEXPIRE', key, '86400000')
  return ending
end

-- The waiters of the lock, and a pending takeover: functions on this lock, made only if there are some.
local function waiters_of(resource, l)
  --@include waiters.lua
end

-- Passes on a lock that nobody holds any more: to a pending takeover, else to the head of the queue, else it is free.
local function pass_on(resource, l, cause, actor, ending, decision)
  if l[LOCK.QUEUED] > 0 or l[LOCK.TAKEOVER] ~= '' then
    return waiters_of(resource, l).pass_on(cause, actor, ending, decision)
  end
  for i = 1, 8 do
    l[i] = 0
  end
  l[LOCK.STATE], l[LOCK.USER], l[LOCK.NAME], l[LOCK.CLIENT], l[LOCK.PROMPT], l[LOCK.PAGE] = 'free', '', '', '', 0, ''
  change(resource, l, cause, actor, ending)
end

-- Ends the lock in `l` for good.
local function finish(resource, l, reason, actor, revision, by, request, decision)
  local ending = end_grant(resource, l, reason, revision, by, request)
  call('HDEL', held_by(resource, l[LOCK.USER]))
  pass_on(resource, l, reason, actor, ending, decision)
end

-- The owner of a held lock has lost its connection. A pending takeover gets the lock then, but inside a window nothing
-- is granted. `plain`: grace, whatever the type says. `ago`: ms since the connection ended.
local function lose_owner(resource, l, actor, plain, ago)
  local _, _, grace, _, disconnect = policy_of(l)
  if window == 0 and l[LOCK.TAKEOVER] ~= '' or (l[LOCK.TAKEOVER] == '' and not plain and disconnect == 'release') then
    return finish(resource, l, 'DISCONNECT', actor)
  end
  l[LOCK.STATE], l[LOCK.IDLE], l[LOCK.LAST_EVENT] = 'grace', 0, now
  l[LOCK.UNTIL] = now + math.max(grace - (ago or 0), 1)
  l[LOCK.PROMPT] = not plain and disconnect == 'prompt' and 1 or 0
  change(resource, l, 'GRACE_STARTED', actor)
end

-- Settles what is due, in the order of the deadlines. Nothing is settled inside a window.
local function settle(resource, l)
  local at = deadline(l)
  while window == 0 and at > 0 and at <= now do
    need_all()
    if at == l[LOCK.OTHER] then
      waiters_of(resource, l).settle(at)
    else
      local ttl, idle, grace, claim = policy_of(l)
      local field, length, reason = LOCK.UNTIL, grace, 'GRACE_PERIOD_EXPIRED'
      if l[LOCK.STATE] == 'held' and l[LOCK.EXPIRES] <= now then
        field, length, reason = LOCK.EXPIRES, ttl, 'EXPIRED'
      elseif l[LOCK.STATE] == 'held' then
        field, length, reason = LOCK.IDLE, idle, 'EXPIRED'
      elseif l[LOCK.STATE] == 'reserved' then
        length = claim
      end
      local later = effective(l[field], length, field == LOCK.EXPIRES)
      if later > now then
        l[field], l[LOCK.LAST_EVENT] = later, now
        change(resource, l, 'RECOVERED', '')
      elseif l[LOCK.STATE] == 'reserved' then
        waiters_of(resource, l).decline('CLAIM_EXPIRED', '')
      else
        finish(resource, l, reason, '')
      end
    end
    at = deadline(l)
  end
end

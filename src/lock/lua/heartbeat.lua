-- Heartbeat: the owner is there. Renews its lock, or resumes it from grace; under a new token if it named none or is on
-- another page.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 ttl ms, 10 idle release ms or -1, 11 token or 0, 12 active (0, 1), 13 least ms between
--   two events of a renewal, 14 dirty (0, 1) or -1: not given.
-- Reply: RENEWED (flag resumed) · LOST (lost: STALE_TOKEN or NOT_HELD) · NOT_JOINED · RECOVERING (inside a window: it
--   needs a new token; the token is above the store's and its grant is not known to have ended, or it is below one that
--   was seen).
-- Events: what was due; RENEWED if one is due, or dirty changed; RESUMED.
local _, token, active, tell_after, dirty
_, resource, session, user, client, name, made, policy, ttl, idle, token, active, tell_after, dirty =
  unpack_values(ARGV[1])
local l = read_lock(KEYS[KEY.LOCK])
local at = deadline(l)
local member = call('HGET', KEYS[KEY.MEMBER], client .. ':' .. user)
local joined = member and sub(member, 1, #session + 1) == session .. ' '
local right = l[LOCK.USER] == user and l[LOCK.CLIENT] == client and (token == 0 or token == l[LOCK.TOKEN])
-- A higher token has been seen: the lock is decided when the window closes.
local below = window > 0 and right and l[LOCK.TOKEN] > 0
  and (call('HGET', tag .. 'seen', resource) or 0) + 0 > l[LOCK.TOKEN]
if joined and right and l[LOCK.STATE] == 'held' and (window > 0 or at > now) and not below then
  local told = now >= l[LOCK.LAST_EVENT] + tell_after or (dirty >= 0 and dirty ~= l[LOCK.DIRTY])
  l[LOCK.EXPIRES], l[LOCK.DIRTY] = now + ttl, dirty >= 0 and dirty or l[LOCK.DIRTY]
  if idle <= 0 then
    l[LOCK.IDLE] = 0
  elseif active == 1 or l[LOCK.IDLE] == 0 then
    l[LOCK.IDLE] = now + idle
  end
  if told then
    l[LOCK.LAST_EVENT] = now
  end
  if told then
    need(may_renew)
  end
  if deadline(l) < at then -- before the lock: no entry is later than the lock's deadline
    call('ZADD', shard.due, deadline(l), 'r:' .. resource)
  end
  if l[LOCK.POLICY] == policy then -- only items of a fixed length have changed
    l[LOCK.PACKED] = struct_pack('>c18BI8BI8BI8BI8Bc0', l[LOCK.PACKED], 207, l[LOCK.EXPIRES],
      207, l[LOCK.IDLE], 207, l[LOCK.UNTIL], 207, l[LOCK.LAST_EVENT], l[LOCK.DIRTY], sub(l[LOCK.PACKED], 56))
    call('SET', KEYS[KEY.LOCK], l[LOCK.PACKED])
  else
    l[LOCK.POLICY] = policy
    write_lock(KEYS[KEY.LOCK], l)
  end
  if told then
    publish(EVENT_LOCK.LOCK, KIND.LOCK, resource, session, 'RENEWED', ARRAY.LOCK, l[LOCK.PACKED])
  end
  return answer('RENEWED', 0, l)
end
page = page_of(member)
settle(resource, l)
if not joined then
  return answer('NOT_JOINED', 0, l)
elseif below or (window > 0 and token > l[LOCK.TOKEN] and not recall(user, token)) then
  return answer('RECOVERING', 0, l) -- the instance that knows the later grant, or this one, may not have reported yet
elseif l[LOCK.STATE] == 'reserved' or l[LOCK.USER] ~= user or l[LOCK.CLIENT] ~= client then
  return answer('LOST', 0, l, {lost = forgotten(token, 'NOT_HELD')})
elseif token ~= 0 and token ~= l[LOCK.TOKEN] then
  return answer('LOST', 0, l, {lost = forgotten(token, 'STALE_TOKEN')})
end
need_for(l, may_change)
if l[LOCK.STATE] == 'held' then
  -- Something else was due, for example a waiter's deadline.
  if active == 0 and idle > 0 and l[LOCK.IDLE] > 0 then
    idle = l[LOCK.IDLE] - now
  end
  local told = now >= l[LOCK.LAST_EVENT] + tell_after or (dirty >= 0 and dirty ~= l[LOCK.DIRTY])
  l[LOCK.DIRTY] = dirty >= 0 and dirty or l[LOCK.DIRTY]
  take(l, told and 'RENEWED')
  return answer('RENEWED', 0, l)
end
-- It is in grace, and is resumed.
local fresh = token == 0 or not keeps_token(l)
if fresh and window > 0 then
  return answer('RECOVERING', 0, l)
end
local ending = fresh and end_grant(resource, l, 'MOVED') or nil
l[LOCK.DIRTY] = dirty >= 0 and dirty or l[LOCK.DIRTY]
take(l, 'RESUMED', fresh, ending)
return answer('RENEWED', FLAG.RESUMED, l)

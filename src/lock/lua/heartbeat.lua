-- Heartbeat: the owner is there; renews its lock, or goes on with it from grace, under a new token where it named none
-- or is on another page.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 ttl ms, 10 idle release ms or -1, 11 token or 0, 12 active (0, 1), 13 least ms
--   between two events of a renewal, 14 dirty (0, 1) or -1: not said.
-- Reply: RENEWED (flag resumed) · LOST (lost: STALE_TOKEN or NOT_HELD) · NOT_JOINED · RECOVERING (inside a
--   window: a new token is wanted; the token is above the store's and not known to be over, or below one that was
--   seen).
-- Events: what was due; RENEWED if it is time to tell it, or dirty changed; RESUMED.
local _, resource, session, user, client, name, made, policy, ttl, idle, token, active, tell_after, dirty =
  unpack_values(ARGV[1])
local l = read_lock(KEYS[5])
local at = deadline(l)
local member = call('HGET', KEYS[6], client .. ':' .. user)
local joined = member and string.sub(member, 1, #session + 1) == session .. ' '
local right = l[USER] == user and l[CLIENT] == client and (token == 0 or token == l[TOKEN])
-- Somebody has seen a higher token: what becomes of the lock is decided when the window closes.
local below = window > 0 and right and l[TOKEN] > 0
  and (call('HGET', string.sub(KEYS[1], 1, -5) .. 'seen', resource) or 0) + 0 > l[TOKEN]
if joined and right and l[STATE] == 'held' and (window > 0 or at > now) and not below then
  local told = now >= l[TOLD] + tell_after or (dirty >= 0 and dirty ~= l[DIRTY])
  l[EXPIRES], l[DIRTY] = now + ttl, dirty >= 0 and dirty or l[DIRTY]
  if idle <= 0 then
    l[IDLE] = 0
  elseif active == 1 or l[IDLE] == 0 then
    l[IDLE] = now + idle
  end
  if told then
    l[TOLD] = now
  end
  if l[POLICY] == policy then -- only items of a fixed length are others
    l[19] = struct_pack('>c18BI8BI8BI8BI8B', l[19], 207, l[EXPIRES], 207, l[IDLE], 207, l[UNTIL], 207, l[TOLD],
      l[DIRTY]) .. string.sub(l[19], 56)
    call('SET', KEYS[5], l[19])
  else
    l[POLICY] = policy
    write_lock(KEYS[5], l)
  end
  if deadline(l) < at then
    call('ZADD', KEYS[2], deadline(l), 'r:' .. resource)
  end
  if told then
    --@include publish.lua
    publish(151, 0, resource, session, 'RENEWED', '\220\0\18' .. l[19])
  end
  return answer('RENEWED', 0, l)
end
--@include publish.lua
--@include page.lua
--@include grant.lua
--@include settle.lua
--@include recall.lua
--@include resume.lua
settle(resource, l)
if not joined then
  return answer('NOT_JOINED', 0, l)
elseif below or (window > 0 and token > l[TOKEN] and not recall(user, token)) then
  return answer('RECOVERING', 0, l) -- who knows of the later grant, or of this one, may not have reported yet
elseif l[STATE] == 'reserved' or l[USER] ~= user or l[CLIENT] ~= client then
  return answer('LOST', 0, l, nil, nil, forgotten(token, 'NOT_HELD'))
elseif token ~= 0 and token ~= l[TOKEN] then
  return answer('LOST', 0, l, nil, nil, forgotten(token, 'STALE_TOKEN'))
elseif l[STATE] == 'held' then
  -- Something else was due: of those who wait, say.
  if active == 0 and idle > 0 and l[IDLE] > 0 then
    idle = l[IDLE] - now
  end
  local told = now >= l[TOLD] + tell_after or (dirty >= 0 and dirty ~= l[DIRTY])
  l[DIRTY] = dirty >= 0 and dirty or l[DIRTY]
  take(l, told and 'RENEWED')
  return answer('RENEWED', 0, l)
end
-- It is in grace, and goes on.
local fresh = token == 0 or not keeps_token(l)
if fresh and window > 0 then
  return answer('RECOVERING', 0, l)
end
local ending = fresh and end_grant(resource, l, 'MOVED') or nil
l[DIRTY] = dirty >= 0 and dirty or l[DIRTY]
take(l, 'RESUMED', fresh, ending)
return answer('RENEWED', 1, l)

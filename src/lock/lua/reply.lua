-- Reply: the holder answers a request, or a takeover. A repeat of an answer that gave the lock up is answered again.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 ttl ms, 10 idle release ms or -1, 11 requestId, 12 APPROVE, DENY or IGNORE, 13
--   revision, or false, 14 TAKEOVER or REQUEST: what is answered.
-- Reply: REPLIED (flag resumed: it has the lock again) · NOT_HOLDER · UNKNOWN · RECOVERING · NOT_JOINED.
-- Events: what was due; RESUMED where it comes from grace; DENIED; TRANSFERRED, before it APPROVED where somebody
--   else has the lock before the asker: an administrator, or who was approved earlier.
local _, resource, session, user, client, name, made, policy, ttl, idle, request, action, revision, what =
  unpack_values(ARGV[1])
--@include publish.lua
--@include settle.lua
--@include in_room.lua
--@include page.lua
--@include grant.lua
--@include judge.lua
local places, target, w, t = places_of(resource, l), nil, nil, nil
if what == 'TAKEOVER' then
  t = places.takeover()
  t = t and t[1] == request and t
else
  target, w = places.find(request)
end
if t then
  target = t[4] .. ':' .. t[2]
end
local has = l[STATE] == 'held' or l[STATE] == 'grace'
local known = has and (t or w)
if not known or l[USER] ~= user or l[CLIENT] ~= client then
  for _, packed in ipairs(call('LRANGE', KEYS[7], '0', '15')) do
    local ending = unpack_values(packed)
    if ending[11] == request and ending[1] == user and ending[5] == 'TRANSFERRED' and action == 'APPROVE' then
      return answer('REPLIED', 0, l)
    end
  end
  return answer(known and 'NOT_HOLDER' or 'UNKNOWN', 0, l)
elseif action == 'APPROVE' and call('HEXISTS', KEYS[6], target) == 0 then
  return answer('UNKNOWN', 0, l)
end
local flags = 0
if l[STATE] == 'grace' then
  flags = apply(keeps_token(l) and 'resume' or 'retoken', l)
end
if action == 'APPROVE' and t then
  finish(resource, l, 'TRANSFERRED', session, revision, t[3], request)
elseif action == 'APPROVE' then
  places.approve(target, w, session, revision)
elseif action == 'DENY' and t and t[9] == 0 then
  places.deny_takeover(t, session)
elseif action == 'DENY' and w then
  places.deny(target, w, session)
end
return answer('REPLIED', action ~= 'APPROVE' and flags or 0, l)

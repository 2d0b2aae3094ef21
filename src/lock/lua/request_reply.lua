-- Request reply: the holder answers a request, or a takeover. A repeat of an answer that gave the lock up is answered
-- again.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 ttl ms, 10 idle release ms or -1, 11 requestId, 12 APPROVE, DENY or IGNORE, 13
--   revision, or false, 14 TAKEOVER or REQUEST: which of the two is answered.
-- Reply: REPLIED (flag resumed: it has the lock again) · NOT_HOLDER · UNKNOWN_REQUEST · RECOVERING · NOT_JOINED.
-- Events: what was due; RESUMED from grace; DENIED; TRANSFERRED. APPROVED comes before TRANSFERRED if somebody else
--   gets the lock before the asker: an administrator, or an asker who was approved earlier.
local _, request, action, revision, what
_, resource, session, user, client, name, made, policy, ttl, idle, request, action, revision, what =
  unpack_values(ARGV[1])
--@include in_room.lua
need_all()
page = page_of(member)
local waiters, target, w, t = waiters_of(resource, l), nil, nil, nil
if what == 'TAKEOVER' then
  t = waiters.takeover()
  t = t and t[TAKEOVER.REQUEST] == request and t
else
  target, w = waiters.find(request)
end
if t then
  target = t[TAKEOVER.CLIENT] .. ':' .. t[TAKEOVER.USER]
end
local has = l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace'
local known = has and (t or w)
if not known or l[LOCK.USER] ~= user or l[LOCK.CLIENT] ~= client then
  for _, packed in ipairs(call('LRANGE', KEYS[KEY.ENDED], '0', '15')) do
    local ending = unpack_values(packed)
    local same = ending[ENDING.REQUEST] == request and ending[ENDING.USER] == user
    if same and ending[ENDING.REASON] == 'TRANSFERRED' and action == 'APPROVE' then
      return answer('REPLIED', 0, l)
    end
  end
  return answer(known and 'NOT_HOLDER' or 'UNKNOWN_REQUEST', 0, l)
elseif action == 'APPROVE' and call('HEXISTS', KEYS[KEY.MEMBER], target) == 0 then
  return answer('UNKNOWN_REQUEST', 0, l)
end
local flags = 0
if l[LOCK.STATE] == 'grace' then
  flags = apply(keeps_token(l) and 'resume' or 'retoken', l)
end
if action == 'APPROVE' and t then
  finish(resource, l, 'TRANSFERRED', session, revision, t[TAKEOVER.NAME], request)
elseif action == 'APPROVE' then
  waiters.approve(target, w, session, revision)
elseif action == 'DENY' and t and t[TAKEOVER.DENIED] == 0 then
  waiters.deny_takeover(t, session)
elseif action == 'DENY' and w then
  waiters.deny(target, w, session)
end
return answer('REPLIED', action ~= 'APPROVE' and flags or 0, l)

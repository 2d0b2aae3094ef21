-- Takeover: an administrator wants the lock, at once or when its holder has had time to save.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 ttl ms, 10 idle release ms or -1, 11 least ms between two events of a renewal,
--   12 requestId, 13 reason, 14 ms that the holder has (0: none), 15 urgent (0, 1), 16 its origin.
-- Reply: GRANTED (flags, previous) · PENDING (the lock's takeover) · TAKEOVER_IN_PROGRESS · RECOVERING · NOT_JOINED.
-- Events: what was due; ACQUIRED, RENEWED, RESUMED, MOVED or TAKEN_BY_ADMIN; of a pending takeover REQUESTED, or
--   CANCELLED if an urgent one replaces it; QUEUED of the user who had the lock reserved.
local _, tell_after, request, reason, length, urgent, origin
_, resource, session, user, client, name, made, policy, ttl, idle, tell_after, request, reason, length, urgent, origin =
  unpack_values(ARGV[1])
--@include in_room.lua
need_all()
page = page_of(member)
local has = l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace'
if l[LOCK.STATE] == 'free' or l[LOCK.USER] == user then
  local verdict = judge(l, -1, true, HOW.TAKE_OWN, 0)
  local flags, previous = apply(verdict, l, tell_after)
  return answer('GRANTED', flags, l, {previous = previous})
end
local waiters = waiters_of(resource, l)
local pending = waiters.takeover()
if pending and urgent == 0 then
  return answer('TAKEOVER_IN_PROGRESS', 0, l)
elseif pending then
  waiters.cancel_takeover(pending, 'OVERTAKEN', session)
end
local t = {request, user, name, client, reason, now + length, urgent, length, 0, made, '', origin}
if l[LOCK.STATE] == 'held' and length > 0 and urgent == 0 then
  waiters.ask_for(t, session)
  return answer('PENDING', 0, l)
end
local ending
if has then
  ending = end_grant(resource, l, 'TAKEN_BY_ADMIN', nil, name, request)
  call('HDEL', held_by(resource, l[LOCK.USER]))
else
  waiters.back_to_head()
end
l[LOCK.POLICY] = policy
waiters.give(t, session, ending, urgent == 1 and 'URGENT' or 'IMMEDIATE')
return answer('GRANTED', 0, l, {previous = ending or call('LINDEX', KEYS[KEY.ENDED], '0')})

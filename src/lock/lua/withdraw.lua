-- Withdraw: the caller gives its place or request up, or an administrator cancels a takeover.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 what: QUEUE, REQUEST or TAKEOVER,
--   7 requestId, '' for QUEUE.
-- Reply: WITHDRAWN · NOT_QUEUED · UNKNOWN_REQUEST · RECOVERING · NOT_JOINED.
-- Events: what was due; LEFT, CANCELLED; RESERVATION_EXPIRED if it had the turn.
local _, resource, session, user, client, what, request = unpack_values(ARGV[1])
--@include in_room.lua
need_all()
local waiters = waiters_of(resource, l)
if what == 'QUEUE' then
  return answer(waiters.withdraw(id, WAITS.QUEUE, 'LEFT', session) and 'WITHDRAWN' or 'NOT_QUEUED', 0, l)
elseif what == 'REQUEST' then
  local found = waiters.find(request)
  local own = found and string.match(found, '^[^:]*:(.*)$') == user
  own = own and waiters.withdraw(found, WAITS.REQUEST, 'CANCELLED', session)
  return answer(own and 'WITHDRAWN' or 'UNKNOWN_REQUEST', 0, l)
end
local t = waiters.takeover()
if not t or t[TAKEOVER.REQUEST] ~= request or t[TAKEOVER.USER] ~= user then
  return answer('UNKNOWN_REQUEST', 0, l)
end
waiters.cancel_takeover(t, 'CANCELLED', session)
return answer('WITHDRAWN', 0, l)

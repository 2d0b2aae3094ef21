-- Withdraw: the caller does not want to wait any more, or an administrator gives a takeover up.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 what: QUEUE, REQUEST or TAKEOVER,
--   7 requestId, '' for QUEUE.
-- Reply: WITHDRAWN · NOT_QUEUED · UNKNOWN · RECOVERING · NOT_JOINED.
-- Events: what was due; LEFT, CANCELLED; RESERVATION_EXPIRED where it was its turn.
local _, resource, session, user, client, what, request = unpack_values(ARGV[1])
--@include publish.lua
--@include settle.lua
--@include in_room.lua
local places = places_of(resource, l)
if what == 'QUEUE' then
  return answer(places.withdraw(id, 1, 'LEFT', session) and 'WITHDRAWN' or 'NOT_QUEUED', 0, l)
elseif what == 'REQUEST' then
  local found = places.find(request)
  local own = found and string.match(found, '^[^:]*:(.*)$') == user
  return answer(own and places.withdraw(found, 2, 'CANCELLED', session) and 'WITHDRAWN' or 'UNKNOWN', 0, l)
end
local t = places.takeover()
if not t or t[1] ~= request or t[2] ~= user then
  return answer('UNKNOWN', 0, l)
end
places.cancel_takeover(t, 'CANCELLED', session)
return answer('WITHDRAWN', 0, l)

-- Leave: a session leaves the room on purpose; its lock ends.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId.
-- Reply: NONE · NOT_JOINED · RECOVERING (inside a window in which the caller's instance has not reported).
-- Events: what was due; CANCELLED of its takeover; LEFT, RESERVATION_EXPIRED; RELEASED or TAKEN_BY_ADMIN; LEAVE.
local _, resource, session, user, client = unpack_values(ARGV[1])
local id = client .. ':' .. user
local l = read_lock(KEYS[KEY.LOCK])
settle(resource, l)
if not may_depart() then
  return answer('RECOVERING', 0, l)
end
local member = call('HGET', KEYS[KEY.MEMBER], id)
if not member or sub(member, 1, #session + 1) ~= session .. ' ' then
  return answer('NOT_JOINED', 0, l)
end
depart(resource, l, id, member, 'LEAVE', session)
return answer('NONE', 0, l)

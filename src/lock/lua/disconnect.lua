-- Disconnect: a session's connection has ended. One call a room, repeated until it succeeds. It changes nothing if the
-- session is no longer in the room, or another has its place.
-- KEYS: ROOM. Arguments: 1 notAfter (0 unless the session continues), 2 resource, 3 session, 4 userId, 5 clientId, 6
--   LEFT (on purpose) or TERMINATED (by an operator): the lock ends; LOST (the `disconnect` stored with the lock
--   decides); SERVER (plain grace); STRAY: its instance does not know the session, and a lock that it holds is not
--   valid; 7 ms since the connection ended.
-- Reply: NONE · RECOVERING (inside a window: the caller's instance has not reported; STRAY: another may still report
--   the lock).
-- Events: what was due; CANCELLED of its takeover; ABSENT, or LEFT and RESERVATION_EXPIRED; GRACE_STARTED,
--   DISCONNECT, SESSION_TERMINATED (also if a turn ends this way), STORE_LOST or TAKEN_BY_ADMIN; LEAVE.
local _, resource, session, user, client, how, ago = unpack_values(ARGV[1])
local id = client .. ':' .. user
local l = read_lock(KEYS[KEY.LOCK])
settle(resource, l)
if not may_depart() or (how == 'STRAY' and window > 0) then
  return answer('RECOVERING', 0, l)
end
local member = call('HGET', KEYS[KEY.MEMBER], id)
if member and sub(member, 1, #session + 1) == session .. ' ' then
  depart(resource, l, id, member, how, session, ago)
end
return answer('NONE', 0, l)

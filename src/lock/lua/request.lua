-- Request: the caller asks the holder for the lock. It gets a place in the queue with a message; the request ends after
-- a time.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 requestId, 10 message, 11 ms until it ends, 12 most places in the queue, or -1.
-- Reply: REQUESTED (waiting: the request, which may be an older one of the same user) · OWN (it has the lock, or its
--   turn) · QUEUE_FULL · RECOVERING · NOT_JOINED.
-- Events: what was due; REQUESTED; RESERVED if the lock is free.
local _, resource, session, user, client, name, made, policy, request, message, length, most = unpack_values(ARGV[1])
--@include in_room.lua
need_all()
if l[LOCK.STATE] ~= 'free' and l[LOCK.USER] == user then
  return answer('OWN', 0, l)
end
local waiters = waiters_of(resource, l)
local found = waiters.find(request, user)
if not found then
  if l[LOCK.STATE] == 'free' then
    l[LOCK.POLICY] = policy
  end
  local _, _, grace = string.match(policy, '^(%S+) (%S+) (%S+)')
  if not waiters.add(id, name, WAITS.REQUEST, most, request, message, length, grace + 0, made, session) then
    return answer('QUEUE_FULL', 0, l)
  end
  waiters.serve(session)
end
return answer('REQUESTED', 0, l, {place = waiters.reply(found or id)})

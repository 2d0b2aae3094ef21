-- Release: the owner releases the lock, or the beneficiary declines it. A repeat under the token of a released grant is
-- answered again. Also ends a lock whose owner was told that it is lost.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 token or 0, 7 revision, or
--   false, 8 why it ends: RELEASED, STORE_LOST.
-- Reply: RELEASED · NOT_HOLDER · NOT_JOINED · RECOVERING.
-- Events: what was due; RELEASED, STORE_LOST or TAKEN_BY_ADMIN; LEFT and RESERVATION_EXPIRED.
local _, resource, session, user, client, token, revision, why = unpack_values(ARGV[1])
--@include in_room.lua
need_for(l, may_release)
local mine = l[LOCK.USER] == user and l[LOCK.CLIENT] == client
local turn = l[LOCK.STATE] == 'reserved' and (mine or (l[LOCK.USER] == user and l[LOCK.CLIENT] == ''))
if turn and why == 'RELEASED' then
  waiters_of(resource, l).decline('LEFT', session)
  return answer('RELEASED', 0, l)
elseif l[LOCK.STATE] == 'reserved' or not mine or (token ~= 0 and token ~= l[LOCK.TOKEN]) then
  local _, reason = recall(user, token)
  return answer(reason == why and 'RELEASED' or 'NOT_HOLDER', 0, l)
end
finish(resource, l, why, session, revision)
return answer('RELEASED', 0, l)

-- Acquire: the caller, who is in the room, wants to edit; or it claims a lock that is reserved for it, or whose owner's
-- connection has ended.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 ttl ms, 10 idle release ms or -1, 11 most locks of a user in a document or -1, 12 how:
--   0 acquire, 1 takeOwn, 2 claim, 13 least ms between two events of a renewal, 14 most places in the queue, -1: no
--   limit, 0: no queue.
-- Reply: GRANTED (flags, previous) · QUEUED (waiting) · HELD · HELD_BY_YOU · GRACE · RESERVED · RECOVERING ·
--   TAB_LIMIT (limit, names) · QUEUE_FULL · NOT_JOINED.
-- Events: what was due; ACQUIRED, CLAIMED, RESUMED, MOVED or RENEWED; QUEUED; LEFT and RESERVATION_EXPIRED if the tab
--   limit ends a turn.
local _, limit, how, tell_after, most
_, resource, session, user, client, name, made, policy, ttl, idle, limit, how, tell_after, most =
  unpack_values(ARGV[1])
local l = read_lock(KEYS[KEY.LOCK])
local member = call('HGET', KEYS[KEY.MEMBER], client .. ':' .. user)
local joined = member and sub(member, 1, #session + 1) == session .. ' '
page = page_of(member)
if joined and not l[LOCK.PACKED] and window == 0 and (limit < 0 or call('HLEN', KEYS[KEY.HELD]) < limit) then
  -- The common case.
  need(may_grant)
  return answer('GRANTED', 0, l, {previous = take(l, 'ACQUIRED', true)})
end
settle(resource, l)
if not joined then
  return answer('NOT_JOINED', 0, l)
end
local verdict, names = judge(l, limit, true, how, most)
if applies[verdict] or verdict == 'TAB_LIMIT' then
  need_for(l, may_change)
end
if verdict == 'TAB_LIMIT' then
  pass_turn(l)
elseif verdict == 'QUEUED' then
  need_all()
  local outcome, place = queue(l, most)
  return answer(outcome, 0, l, {place = place})
end
if not applies[verdict] then
  return answer(verdict, 0, l, {limit = names and limit, names = names})
end
local flags, previous = apply(verdict, l, tell_after)
return answer('GRANTED', flags, l, {previous = previous})

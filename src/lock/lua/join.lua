-- Join: a session enters the room, in place of an older session of its tab if there is one, and tries to get the lock
-- if it wants to edit.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 session, 4 userId, 5 clientId, 6 username, 7 the server made the
--   clientId (0, 1), 8 POLICY, 9 ttl ms, 10 idle release ms or -1, 11 most locks of a user in a document or -1, 12
--   tryLock (0, 1), 13 least ms between two events of a renewal, 14 token or 0, 15 limit of viewers or -1, 16 members
--   to list (0: none), 17 most places in the queue, -1: no limit, 0: no queue, 18 the page, or ''.
-- Reply: as acquire if the lock was tried, else NONE; flag joined; lost; members; waiting (all places). VIEWERS_FULL
--   (limit): nothing has changed.
-- Events: what was due; JOIN, unless this session was in the room already; BACK and RESERVED of waiters; then as
--   acquire, or GRACE_STARTED or TAKEN_BY_ADMIN if the lock's own tab comes back as viewer.
local _, tab_limit, try, tell_after, token, limit, listed, most
_, resource, session, user, client, name, made, policy, ttl, idle, tab_limit, try, tell_after, token, limit, listed,
  most, page = unpack_values(ARGV[1])
local id = client .. ':' .. user
local l = read_lock(KEYS[KEY.LOCK])
settle(resource, l)
local member = call('HGET', KEYS[KEY.MEMBER], id)
local again = member and sub(member, 1, #session + 1) == session .. ' '
local verdict, names = 'NONE', nil
if try == 1 then
  verdict, names = judge(l, tab_limit, again, HOW.ACQUIRE, most, token)
end
local has = l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace'
local own_tab = has and l[LOCK.USER] == user and l[LOCK.CLIENT] == client
local mine = own_tab or (l[LOCK.USER] == user and l[LOCK.STATE] == 'grace' and made == 1 and l[LOCK.MADE] == 1)
if not applies[verdict] and not member and not mine and limit >= 0
  and call('ZCARD', tag .. 'room:' .. resource) + 1 - (l[LOCK.STATE] == 'held' and 1 or 0) > limit then
  return answer('VIEWERS_FULL', 0, l, {limit = limit})
end
local lost
if token ~= 0 and not (mine and token == l[LOCK.TOKEN]) then
  -- Inside a window a token that the store does not know may still be reported, but not one below the store's own.
  local over = window == 0 or token < l[LOCK.TOKEN]
  lost = recall(user, token) or over and forgotten(token, 'NOT_HELD') or nil
end
if verdict == 'QUEUED' then
  need_all()
elseif (applies[verdict] and verdict ~= 'grant') or (own_tab and not again) then
  need_for(l, may_change)
else
  need_for(l, verdict == 'grant' and may_enter_and_take or not again and may_enter or may_nothing)
end
if not again then
  enter(resource, id, session, ARGV[2], now, page, name, session, member)
end
local flags, previous = 0, nil
if applies[verdict] then
  flags, previous = apply(verdict, l, tell_after)
  verdict = 'GRANTED'
elseif own_tab and not again and l[LOCK.STATE] == 'held' then
  lose_owner(resource, l, session, true)
elseif l[LOCK.QUEUED] > 0 then
  local waiters = waiters_of(resource, l)
  waiters.arrive(id, session)
  waiters.serve(session)
end
if verdict == 'TAB_LIMIT' then
  pass_turn(l)
elseif verdict == 'QUEUED' then
  verdict = queue(l, most)
end
local place
if l[LOCK.QUEUED] > 0 or l[LOCK.STATE] == 'reserved' then
  place = waiters_of(resource, l).reply(id, true)
end
local members, count = list_members(resource, l, listed)
return answer(verdict, flags + FLAG.JOINED, l, {
  limit = names and tab_limit, previous = previous, lost = lost, names = names, members = members, count = count,
  place = place,
})

-- Operate: an operator releases a lock, or reserves it for a user, whoever has it.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 RELEASE or TAKEOVER, 4 actor, 5 reason, 6 address, 7 the
--   operator's Unix uid or -1, 8 POLICY, 9 userId ('' for RELEASE).
-- Reply: RELEASED (previous) · RESERVED (previous; flag joined: the user is in the room) · NOT_HOLDER: there is no
--   lock or turn to release · RECOVERING.
-- Events: what was due; CANCELLED of a takeover, QUEUED of the user who had the lock reserved (TAKEOVER); the
--   OPERATION; ADMIN_RELEASED of a turn; ADMIN_RELEASED, TAKEN_BY_ADMIN or RESERVED of the lock.
local _, resource, what, operator, reason, address, uid, policy, user = unpack_values(ARGV[1])
local l = read_lock(KEYS[KEY.LOCK])
settle(resource, l)
if window > 0 then
  return answer('RECOVERING', 0, l)
elseif what == 'RELEASE' and l[LOCK.STATE] == 'free' then
  return answer('NOT_HOLDER', 0, l)
end
need_all()
local waiters, ending = waiters_of(resource, l), nil

local function end_it(cause)
  if l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace' then
    ending = end_grant(resource, l, cause, nil, operator)
    call('HDEL', held_by(resource, l[LOCK.USER]))
  end
end

-- The OPERATION names the user whose turn it was, or will be; the ending names the user who had the lock.
local function tell_operation(cause, whose, name)
  local by = pack({operator, reason, address, uid})
  publish(EVENT_OPERATION.NAME, KIND.OPERATION, resource, '', cause, by .. (ending or NO_ENDING) .. pack(whose, name))
end

-- The name of the user in the room, or nil.
local function name_in_room()
  for _, id in ipairs(call('HKEYS', KEYS[KEY.MEMBER])) do
    if string.match(id, '^[^:]*:(.*)$') == user then
      return string.match(call('HGET', KEYS[KEY.MEMBER], id), '^%S+ %S+ %S+ (.*)$')
    end
  end
  return nil
end

if what == 'RELEASE' then
  local turn = l[LOCK.STATE] == 'reserved'
  end_it('ADMIN_RELEASED')
  tell_operation('ADMIN_RELEASED', turn and l[LOCK.USER] or '', turn and l[LOCK.NAME] or '')
  if turn then
    waiters.decline('ADMIN_RELEASED', '', 'ADMIN_RELEASED')
  else
    waiters.pass_on('ADMIN_RELEASED', '', ending)
  end
  return answer('RELEASED', 0, l, {previous = ending})
end
local cause = l[LOCK.STATE] == 'free' and 'RESERVED' or 'TAKEN_BY_ADMIN'
local name, pending = name_in_room(), waiters.takeover()
if pending then
  waiters.cancel_takeover(pending, 'OVERTAKEN', '')
end
end_it('TAKEN_BY_ADMIN')
if l[LOCK.STATE] == 'reserved' then
  waiters.back_to_head()
end
l[LOCK.POLICY] = policy
tell_operation('TAKEN_BY_ADMIN', user, name or user)
waiters.reserve_for(user, name or user, cause, ending)
return answer('RESERVED', name and FLAG.JOINED or 0, l, {previous = ending})

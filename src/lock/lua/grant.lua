-- Included by what gives a lock to somebody; needs publish.lua, and of the including script the caller: resource,
-- session, user, client, name, made, policy, ttl, idle, page.

-- Gives the lock to the caller, or leaves it there, and tells it. `cause` false: not told. `fresh`: it is a grant,
-- whose tick is the token. `ending`: the packed ENDING of the grant in whose place it comes. Gives the last ENDING
-- before a lock that was free.
local function take(l, cause, fresh, ending)
  local previous
  if l[STATE] == 'free' then
    previous = call('LINDEX', KEYS[7], '0')
    call('HSET', KEYS[8], string.match(resource, '^.*:(.*)$'), '')
  end
  if fresh then
    l[TOKEN], l[SINCE] = us > tick and us or tick + 1, now
  end
  l[STATE], l[USER], l[NAME], l[CLIENT], l[MADE], l[POLICY] = 'held', user, name, client, made, policy
  l[EXPIRES], l[IDLE], l[UNTIL], l[PROMPT], l[PAGE] = now + ttl, idle > 0 and now + idle or 0, 0, 0, page
  if cause then
    l[TOLD] = now
  end
  write_lock(KEYS[5], l)
  call('ZADD', KEYS[2], deadline(l), 'r:' .. resource)
  if cause then
    publish(ending and 152 or 151, 0, resource, session, cause, '\220\0\18' .. l[19] .. (ending or ''))
  end
  return previous
end

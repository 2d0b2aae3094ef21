-- Included by what gives a lock to somebody; needs publish.lua.

-- Gives the lock, or keeps it, to the caller and tells it. `cause` false: not told. `fresh`: it is a grant, whose
-- tick is the token. `ending`: the packed ENDING of the grant in whose place it comes.
local function take(l, caller, cause, fresh, ending)
  if fresh then
    l[TOKEN], l[SINCE], l[DIRTY] = us > tick and us or tick + 1, now, 0
  end
  l[STATE], l[USER], l[NAME], l[CLIENT], l[MADE] = 'held', caller.user, caller.name, caller.client, caller.made
  l[POLICY], l[DIRTY] = caller.policy, caller.dirty or l[DIRTY]
  l[EXPIRES], l[IDLE], l[UNTIL] = now + caller.ttl, caller.idle > 0 and now + caller.idle or 0, 0
  if cause then
    l[TOLD] = now
  end
  write_lock(KEYS[5], l)
  call('ZADD', KEYS[2], deadline(l), 'r:' .. caller.resource)
  if cause then
    publish(ending and 152 or 151, 0, caller.resource, caller.session, cause, '\159' .. l[16] .. (ending or ''))
  end
end

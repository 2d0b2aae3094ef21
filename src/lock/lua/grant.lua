-- The caller and its terms, set by every script that grants, renews or resumes a lock.
local resource, session, user, client, name, made, policy, ttl, idle, page

-- Whether the caller, the owner's tab on another connection, keeps the token of the lock: on the same page, or from
-- grace if one of the two pages has no id.
local function keeps_token(l)
  if page == '' or l[LOCK.PAGE] == '' then
    return l[LOCK.STATE] == 'grace'
  end
  return page == l[LOCK.PAGE]
end

-- Grants the lock to the caller, or renews it, and publishes that. `cause` false: no event. `fresh`: it is a new grant,
-- whose tick is the token. `ending`: the packed ENDING of the grant that it replaces. Returns the last ENDING if the
-- lock was free.
local function take(l, cause, fresh, ending)
  local previous
  local was_free = l[LOCK.STATE] == 'free'
  if was_free then
    previous = call('LINDEX', KEYS[KEY.ENDED], '0')
  end
  if fresh then
    l[LOCK.TOKEN], l[LOCK.SINCE] = us > tick and us or tick + 1, now
  end
  l[LOCK.STATE], l[LOCK.USER], l[LOCK.NAME], l[LOCK.CLIENT], l[LOCK.MADE] = 'held', user, name, client, made
  l[LOCK.POLICY], l[LOCK.PROMPT], l[LOCK.PAGE] = policy, 0, page
  l[LOCK.EXPIRES], l[LOCK.IDLE], l[LOCK.UNTIL] = now + ttl, idle > 0 and now + idle or 0, 0
  if cause then
    l[LOCK.LAST_EVENT] = now
  end
  pack_lock(l)
  -- First: without the lock, the sweep removes it. (Redis prints a number with %.17g, which costs as much as a check.)
  call('ZADD', shard.due, format('%d', deadline(l)), 'r:' .. resource)
  if cause then -- before the lock: its rights are then known
    publish(ending and EVENT_LOCK.ENDED or EVENT_LOCK.LOCK, KIND.LOCK, resource, session, cause,
      ARRAY.LOCK, l[LOCK.PACKED], ending)
  end
  if was_free then
    call('HSET', KEYS[KEY.HELD], match(resource, '^.*:(.*)$'), '')
  end
  call('SET', KEYS[KEY.LOCK], l[LOCK.PACKED])
  return previous
end

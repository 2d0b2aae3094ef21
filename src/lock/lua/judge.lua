-- The caller's locks on the document's other children. Settles what is due among them, and removes children from the
-- set that the user has no lock of (a store that lost some of its past).
local function held_elsewhere()
  local document, own = match(resource, '^(.*):(.*)$')
  local names = {}
  for _, child in ipairs(call('HKEYS', KEYS[KEY.HELD])) do
    if child ~= own then
      local other = document .. ':' .. child
      local l = read_lock(tag .. 'lock:' .. other)
      settle(other, l)
      if l[LOCK.USER] == user and l[LOCK.STATE] ~= 'reserved' then
        names[#names + 1] = other
      else
        need_all()
        call('HDEL', KEYS[KEY.HELD], child)
      end
    end
  end
  return names
end

-- Whether the caller may claim a lock in grace under `prompt`: not if a takeover is pending, and only the first waiter
-- if anybody waits.
local function may_claim(l)
  local first = l[LOCK.QUEUED] > 0 and waiters_of(resource, l).first()
  return l[LOCK.TAKEOVER] == '' and (not first or first == client .. ':' .. user)
end

-- A user at the tab limit loses its turn.
local function pass_turn(l)
  if l[LOCK.STATE] == 'reserved' and l[LOCK.USER] == user then
    waiters_of(resource, l).decline('LEFT', session)
  end
end

-- A higher token has been seen: the lock is decided when the window closes.
local function is_below_seen(l)
  return (call('HGET', tag .. 'seen', resource) or 0) + 0 > l[LOCK.TOKEN]
end

-- What the caller may do: grant, renew, resume, retoken, move, claim (from an owner in grace), or wait (QUEUED); else
-- the outcome that says why not, with names. `limit`: most locks of a user in a document; `connected`: its session was
-- in the room before this call; `how`: HOW; `most`: places in the queue, 0: there is none.
local function judge(l, limit, connected, how, most, token)
  local state, same_user = l[LOCK.STATE], l[LOCK.USER] == user
  local has = state == 'held' or state == 'grace'
  local verdict = 'grant'
  if has then
    verdict = state == 'grace' and 'GRACE' or 'HELD'
    if same_user and l[LOCK.CLIENT] == client then
      if connected and state == 'held' then
        -- It names no token. It may have given the lock up, and the store may have lost that.
        local doubtful = window > 0 and (call('HGET', shard.meta, 'lost') == '1' or is_below_seen(l))
        return doubtful and 'RECOVERING' or 'renew'
      elseif token == l[LOCK.TOKEN] and keeps_token(l) then
        return window > 0 and is_below_seen(l) and 'RECOVERING' or 'resume'
      end
      verdict = 'retoken'
    elseif how == HOW.CLAIM then
      verdict = state == 'grace' and l[LOCK.PROMPT] == 1 and may_claim(l) and 'claim' or verdict
    elseif same_user and state == 'grace' and made == 1 and l[LOCK.MADE] == 1 then
      verdict = 'retoken'
    elseif same_user then
      verdict = how == HOW.TAKE_OWN and 'move' or 'HELD_BY_YOU'
    end
  elseif state == 'reserved' and not same_user then
    verdict = 'RESERVED'
  end
  if window > 0 then
    return 'RECOVERING'
  end
  if limit >= 0 and verdict ~= 'retoken' and verdict ~= 'move'
    and call('HLEN', KEYS[KEY.HELD]) - (same_user and has and 1 or 0) >= limit then
    local names = held_elsewhere()
    if #names >= limit then
      return 'TAB_LIMIT', names
    end
  end
  if how ~= HOW.CLAIM and most ~= 0 and (verdict == 'HELD' or verdict == 'GRACE' or verdict == 'RESERVED') then
    return 'QUEUED'
  end
  return verdict
end

local applies = {grant = true, renew = true, resume = true, retoken = true, move = true, claim = true}

-- Executes what judge returned: flags, packed previous. `tell_after`: ms between two events of a renewal.
local function apply(verdict, l, tell_after)
  if verdict == 'grant' or verdict == 'claim' then
    local cause, ending = l[LOCK.STATE] == 'free' and 'ACQUIRED' or 'CLAIMED', nil
    if verdict == 'claim' then
      ending = end_grant(resource, l, 'CLAIMED', nil, name)
      call('HDEL', held_by(resource, l[LOCK.USER]))
    end
    if l[LOCK.QUEUED] > 0 or l[LOCK.STATE] == 'reserved' then
      waiters_of(resource, l).taken(client .. ':' .. user)
    end
    l[LOCK.STATE], l[LOCK.DIRTY] = 'free', 0
    return 0, take(l, cause, true, ending)
  elseif verdict == 'renew' then
    take(l, l[LOCK.LAST_EVENT] + tell_after <= now and 'RENEWED')
    return 0
  elseif verdict == 'resume' then
    take(l, 'RESUMED')
    return FLAG.RESUMED
  end
  if l[LOCK.QUEUED] > 0 then -- this tab may have waited for the other tab's lock
    waiters_of(resource, l).taken(client .. ':' .. user)
  end
  local ending = end_grant(resource, l, 'MOVED')
  l[LOCK.DIRTY] = 0
  if verdict == 'retoken' then
    take(l, 'RESUMED', true, ending)
    return FLAG.RESUMED
  end
  take(l, 'MOVED', true, ending)
  return 0, ending
end

-- Gives the caller a place in the queue, which has at most `most`. Returns the outcome, and the place for the reply.
local function queue(l, most)
  local _, _, grace = string.match(policy, '^(%S+) (%S+) (%S+)')
  local waiters, id = waiters_of(resource, l), client .. ':' .. user
  if not waiters.add(id, name, WAITS.QUEUE, most, '', '', 0, grace + 0, made, session) then
    return 'QUEUE_FULL'
  end
  return 'QUEUED', waiters.reply(id)
end

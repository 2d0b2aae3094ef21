-- Included by acquire and join; needs settle.lua and grant.lua, and the caller as that does.

-- The caller's locks on the document's other children, when all that is due among them has been settled and what
-- the set of them lists without being there (a store that lost some of its past) has been taken out of it.
local function held_elsewhere()
  local document, own = string.match(resource, '^(.*):(.*)$')
  local names = {}
  for _, child in ipairs(call('HKEYS', KEYS[8])) do
    if child ~= own then
      local other = document .. ':' .. child
      local l = read_lock(tag .. 'lock:' .. other)
      settle(other, l)
      if l[USER] == user then
        names[#names + 1] = other
      else
        call('HDEL', KEYS[8], child)
      end
    end
  end
  return names
end

-- What the caller may do: grant, renew, resume, retoken or move; else the outcome that says why not, with names.
-- `limit`: of locks a user and document; `connected`: its session was in the room before this call.
local function judge(l, limit, connected, take_own, token)
  local state, same_user = l[STATE], l[USER] == user
  local verdict = 'grant'
  if state ~= 'free' then
    verdict = state == 'grace' and 'GRACE' or 'HELD'
    if same_user and l[CLIENT] == client then
      if connected and state == 'held' then
        return 'renew'
      elseif token == l[TOKEN] then
        return 'resume'
      end
      verdict = 'retoken'
    elseif same_user and state == 'grace' and made == 1 and l[MADE] == 1 then
      verdict = 'retoken'
    elseif same_user then
      verdict = take_own == 1 and 'move' or 'HELD_BY_YOU'
    end
  end
  if window > 0 then
    return 'RECOVERING'
  end
  if limit >= 0 and verdict ~= 'retoken' and verdict ~= 'move'
    and call('HLEN', KEYS[8]) - (same_user and 1 or 0) >= limit then
    local names = held_elsewhere()
    if #names >= limit then
      return 'TAB_LIMIT', names
    end
  end
  return verdict
end

local applies = {grant = true, renew = true, resume = true, retoken = true, move = true}

-- Carries out what judge allowed: flags, packed previous. `tell_after`: ms between two events of a renewal.
local function apply(verdict, l, tell_after)
  if verdict == 'grant' then
    return 0, take(l, 'ACQUIRED', true)
  elseif verdict == 'renew' then
    take(l, l[TOLD] + tell_after <= now and 'RENEWED')
    return 0
  elseif verdict == 'resume' then
    take(l, 'RESUMED')
    return 1
  end
  local ending = end_grant(resource, l, 'MOVED')
  l[DIRTY] = 0
  if verdict == 'retoken' then
    take(l, 'RESUMED', true, ending)
    return 1
  end
  take(l, 'MOVED', true, ending)
  return 2, ending
end

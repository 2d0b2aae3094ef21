-- Included by acquire and join; needs settle.lua and grant.lua.

-- The caller's locks on the document's other children, when all that is due among them has been settled.
local function held_elsewhere(caller)
  local document, own = string.match(caller.resource, '^(.*):(.*)$')
  local names = {}
  for _, child in ipairs(call('SMEMBERS', KEYS[8])) do
    if child ~= own then
      local resource = document .. ':' .. child
      local l = read_lock(tag .. 'lock:' .. resource)
      settle(resource, l)
      if l[USER] == caller.user then
        names[#names + 1] = resource
      end
    end
  end
  return names
end

-- What the caller (resource, session, user, client, name, made, policy, ttl, idle, limit, take_own, tell, token; and
-- `connected`: its session was in the room before this call) may do: grant, renew, resume, retoken or move; else
-- the outcome that says why not, with names.
local function judge(l, caller)
  local state, same_user = l[STATE], l[USER] == caller.user
  local verdict = 'grant'
  if state ~= 'free' then
    verdict = state == 'grace' and 'GRACE' or 'HELD'
    if same_user and l[CLIENT] == caller.client then
      if caller.connected and state == 'held' then
        return 'renew'
      elseif caller.token == l[TOKEN] then
        return 'resume'
      end
      verdict = 'retoken'
    elseif same_user and state == 'grace' and caller.made == 1 and l[MADE] == 1 then
      verdict = 'retoken'
    elseif same_user then
      verdict = caller.take_own and 'move' or 'HELD_BY_YOU'
    end
  end
  if window > 0 then
    return 'RECOVERING'
  end
  if caller.limit >= 0 and verdict ~= 'retoken' and verdict ~= 'move'
    and call('SCARD', KEYS[8]) - (same_user and 1 or 0) >= caller.limit then
    local names = held_elsewhere(caller)
    if #names >= caller.limit then
      return 'TAB_LIMIT', names
    end
  end
  return verdict
end

local applies = {grant = true, renew = true, resume = true, retoken = true, move = true}

-- Carries out what judge allowed: flags, packed previous.
local function apply(verdict, l, caller)
  if verdict == 'grant' then
    local previous = call('LINDEX', KEYS[7], '0')
    call('SADD', KEYS[8], string.match(caller.resource, '[^:]*$'))
    take(l, caller, 'ACQUIRED', true)
    return 0, previous
  elseif verdict == 'renew' then
    take(l, caller, l[TOLD] + caller.tell <= now and 'RENEWED')
    return 0
  elseif verdict == 'resume' then
    take(l, caller, 'RESUMED')
    return 1
  end
  local ending = end_grant(caller.resource, l, 'MOVED')
  if verdict == 'retoken' then
    take(l, caller, 'RESUMED', true, ending)
    return 1
  end
  take(l, caller, 'MOVED', true, ending)
  return 2, ending
end

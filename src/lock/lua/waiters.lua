-- Included by settle.lua into its own function, which runs only if somebody waits, a lock is reserved or a takeover is
-- pending: `resource` and its lock `l` are given. WAITER and TAKEOVER: README.md.
local queue_key, waiter_key = tag .. 'queue:' .. resource, tag .. 'waiter:' .. resource
local member_key = tag .. 'member:' .. resource
local waiters = {}

local function waiter_of(id)
  local packed = call('HGET', waiter_key, id)
  return packed and cmsgpack.unpack(packed)
end

local function put_waiter(id, w)
  call('HSET', waiter_key, id, pack(w))
end

-- The queue in order: ids, WAITERs.
local function all_waiters()
  local ids = call('ZRANGE', queue_key, 0, -1)
  local packed = #ids > 0 and call('HMGET', waiter_key, unpack(ids)) or {}
  local list = {}
  for i = 1, #ids do
    list[i] = packed[i] and cmsgpack.unpack(packed[i]) or nil
  end
  return ids, list
end

local function takeover_of()
  return l[LOCK.TAKEOVER] ~= '' and cmsgpack.unpack(l[LOCK.TAKEOVER]) or nil
end

local function is_here(id)
  return call('HEXISTS', member_key, id) == 1
end

-- The tick of the next event: a new token, or a place behind all others.
local function next_tick()
  return us > tick and us or tick + 1
end

-- The user for whom the lock is reserved, or nil.
local function beneficiary()
  return l[LOCK.STATE] == 'reserved' and l[LOCK.CLIENT] .. ':' .. l[LOCK.USER] or nil
end

-- The first waiter in the room.
local function first()
  for _, id in ipairs(call('ZRANGE', queue_key, 0, -1)) do
    if is_here(id) then
      return id
    end
  end
  return nil
end

-- Stores in the lock how many wait and when the next of them is due: at once if nobody has the lock and it is wanted,
-- which can be so after a window.
local function count()
  local ids, list = all_waiters()
  local earliest, t = 0, takeover_of()
  local wanted = t ~= nil
  local function due_at(at)
    if at > 0 and (earliest == 0 or at < earliest) then
      earliest = at
    end
  end
  for i = 1, #ids do
    due_at(list[i][WAITER.ENDS])
    due_at(list[i][WAITER.UNTIL])
    wanted = wanted or (list[i][WAITER.UNTIL] == 0 and is_here(ids[i]))
  end
  if l[LOCK.STATE] == 'free' and wanted then
    due_at(1) -- always past, wherever the clock is set
  elseif t then
    due_at(t[TAKEOVER.FORCE_AT])
  end
  l[LOCK.QUEUED], l[LOCK.OTHER] = #ids, earliest
end

-- The median time that holders had this resource; -1: unknown.
local function median()
  local took = {}
  for _, packed in ipairs(call('LRANGE', tag .. 'ended:' .. resource, 0, 15)) do
    local ending = cmsgpack.unpack(packed)
    took[#took + 1] = math.max(0, ending[ENDING.ENDED] - ending[ENDING.SINCE])
  end
  table.sort(took)
  return took[math.ceil(#took / 2)] or -1
end

-- Publishes a place. `there`: it still exists.
local function tell_waiter(cause, id, w, there, actor)
  count()
  store(resource, l)
  publish(EVENT_WAITER.MEDIAN, KIND.WAITER, resource, actor, cause,
    pack(id, w, there and 1 or 0, l[LOCK.QUEUED], median()))
end

local function remove(id)
  call('ZREM', queue_key, id)
  call('HDEL', waiter_key, id)
end

-- Removes the queue part of a place and keeps its request, or the reverse.
local function drop(id, w, kind, cause, actor)
  if w[WAITER.KIND] == kind then
    remove(id)
    tell_waiter(cause, id, w, false, actor)
    return
  end
  local left = {unpack(w)}
  left[WAITER.KIND] = WAITS.BOTH - kind
  if kind == WAITS.REQUEST then
    left[WAITER.REQUEST], left[WAITER.MESSAGE], left[WAITER.ENDS] = '', '', 0
  end
  put_waiter(id, left)
  if kind == WAITS.REQUEST then -- the event has the request as it was
    local told = {unpack(w)}
    told[WAITER.KIND] = WAITS.QUEUE
    tell_waiter(cause, id, told, true, actor)
  else
    tell_waiter(cause, id, left, true, actor)
  end
end

local function reserve(id, w, cause, actor, ending)
  local client, user = string.match(id, '^([^:]*):(.*)$')
  local _, _, _, claim = policy_of(l)
  call('ZREM', queue_key, id)
  for i = 1, 8 do
    l[i] = 0
  end
  l[LOCK.STATE], l[LOCK.USER], l[LOCK.NAME], l[LOCK.CLIENT] = 'reserved', user, w[WAITER.NAME], client
  l[LOCK.MADE], l[LOCK.PROMPT] = w[WAITER.MADE], 0
  l[LOCK.UNTIL], l[LOCK.LAST_EVENT], l[LOCK.PAGE] = now + claim, now, ''
  count()
  change(resource, l, cause, actor, ending)
end

-- Grants the lock to the administrator of the takeover.
local function give_to_admin(t, cause, actor, ending, decision)
  local ttl, idle = policy_of(l)
  t[TAKEOVER.ENDED] = decision
  l[LOCK.STATE], l[LOCK.TAKEOVER], l[LOCK.PROMPT] = 'held', '', 0
  l[LOCK.USER], l[LOCK.NAME] = t[TAKEOVER.USER], t[TAKEOVER.NAME]
  l[LOCK.CLIENT], l[LOCK.MADE] = t[TAKEOVER.CLIENT], t[TAKEOVER.MADE]
  l[LOCK.TOKEN], l[LOCK.SINCE], l[LOCK.LAST_EVENT], l[LOCK.DIRTY], l[LOCK.UNTIL] = next_tick(), now, now, 0, 0
  l[LOCK.EXPIRES], l[LOCK.IDLE] = now + ttl, idle > 0 and now + idle or 0
  l[LOCK.PAGE] = page_of(call('HGET', member_key, t[TAKEOVER.CLIENT] .. ':' .. t[TAKEOVER.USER]))
  remove(t[TAKEOVER.CLIENT] .. ':' .. t[TAKEOVER.USER])
  local key, child = held_by(resource, t[TAKEOVER.USER])
  call('HSET', key, child, '')
  count()
  change(resource, l, cause == 'TRANSFERRED' and cause or 'TAKEN_BY_ADMIN', actor, ending, pack(t))
end

local function tell_takeover(cause, t, actor)
  store(resource, l)
  publish(EVENT_TAKEOVER.TOKEN, KIND.TAKEOVER, resource, actor, cause, pack(t, l[LOCK.TOKEN]))
end

-- ---- what the scripts call ----

local decisions = {TRANSFERRED = 'APPROVED', RELEASED = 'HOLDER_RELEASED'}

-- Inside a window nothing is granted: the lock is free, and is due when the window closes.
function waiters.pass_on(cause, actor, ending, decision)
  local t = takeover_of()
  if window == 0 then
    if t and is_here(t[TAKEOVER.CLIENT] .. ':' .. t[TAKEOVER.USER]) then
      return give_to_admin(t, cause, actor, ending, decision or decisions[cause] or 'HOLDER_GONE')
    end
    l[LOCK.TAKEOVER] = ''
    local id = first()
    if id then
      return reserve(id, waiter_of(id), cause, actor, ending)
    end
  end
  for i = 1, 8 do
    l[i] = 0
  end
  l[LOCK.STATE], l[LOCK.USER], l[LOCK.NAME], l[LOCK.CLIENT], l[LOCK.PROMPT], l[LOCK.PAGE] = 'free', '', '', '', 0, ''
  count()
  change(resource, l, cause, actor, ending)
end

-- The beneficiary does not take the lock. `why`: the lock's cause.
function waiters.decline(cause, actor, why)
  local id = beneficiary()
  local w = waiter_of(id)
  if not w and l[LOCK.CLIENT] == '' then -- an operator's: it has no WAITER
    w = {l[LOCK.NAME], 0, WAITS.QUEUE, '', '', 0, 0, 0, 0, 0, now}
  end
  if w then
    call('HDEL', waiter_key, id)
    tell_waiter(cause, id, w, false, actor)
  end
  waiters.pass_on(why or 'RESERVATION_EXPIRED', actor)
end

-- An operator reserves it for this user, on any tab.
function waiters.reserve_for(user, name, cause, ending)
  reserve(':' .. user, {name, 0, WAITS.QUEUE, '', '', 0, 0, 0, 0, 0}, cause, '', ending)
end

-- Whether the lock is reserved for the user of this tab, on any tab.
local function is_users_turn(id)
  return l[LOCK.STATE] == 'reserved' and l[LOCK.CLIENT] == '' and string.match(id, '^[^:]*:(.*)$') == l[LOCK.USER]
end

-- This tab has got the lock: its place ends, and so does the beneficiary's.
function waiters.taken(id)
  if l[LOCK.STATE] == 'reserved' then
    call('HDEL', waiter_key, beneficiary())
  end
  remove(id)
  count()
end

-- Another gets the reserved lock: the beneficiary is the head of the queue again, and its request counts as approved.
function waiters.back_to_head()
  local id = beneficiary()
  local w = waiter_of(id)
  if w then
    local _, least = unpack(call('ZRANGE', queue_key, 0, 0, 'WITHSCORES'))
    w[WAITER.ORDER] = math.min(w[WAITER.ORDER], (least or w[WAITER.ORDER]) - 1)
    w[WAITER.ENDS], w[WAITER.UNTIL] = 0, is_here(id) and 0 or now + w[WAITER.GRACE]
    put_waiter(id, w)
    call('ZADD', queue_key, w[WAITER.ORDER], id)
    tell_waiter('QUEUED', id, w, true, '')
  end
end

waiters.first = first

-- The position of this tab, from 1; nil: none.
function waiters.position(id)
  local rank = call('ZRANK', queue_key, id)
  return rank and rank + 1
end

-- Items 16 to 18 of the reply. `id`: the tab whose place is asked for. `listed`: with all places.
function waiters.reply(id, listed)
  local w = id and waiter_of(id)
  local all = {}
  if listed then
    local ids, list = all_waiters()
    ids[#ids + 1] = beneficiary()
    list[#ids] = list[#ids] or waiter_of(ids[#ids] or '')
    for i = 1, #ids do
      if list[i] then
        all[#all + 1] = ids[i]
        all[#all + 1] = list[i]
      end
    end
  end
  return pack(w and {waiters.position(id) or 0, w[WAITER.REQUEST], w[WAITER.ENDS]} or false, median(), all)
end

-- Adds a place, or adds `kind` to an existing one. `most`: places at most, -1: no limit. False: the queue is full.
function waiters.add(id, name, kind, most, request, message, length, grace, made, actor)
  local w = waiter_of(id)
  if not w then
    if most >= 0 and l[LOCK.QUEUED] >= most then
      return false
    end
    w = {name, next_tick(), kind, '', '', 0, 0, 0, grace, made, now}
  elseif w[WAITER.KIND] == kind or w[WAITER.KIND] == WAITS.BOTH then
    return true
  else
    w[WAITER.KIND] = WAITS.BOTH
  end
  if kind == WAITS.REQUEST then
    w[WAITER.REQUEST], w[WAITER.MESSAGE], w[WAITER.ENDS], w[WAITER.LENGTH] = request, message, now + length, length
  end
  put_waiter(id, w)
  call('ZADD', queue_key, w[WAITER.ORDER], id)
  tell_waiter(kind == WAITS.REQUEST and 'REQUESTED' or 'QUEUED', id, w, true, actor)
  return true
end

-- The place with this request, or the place of this user with any request.
function waiters.find(request, user)
  for _, id in ipairs(call('HKEYS', waiter_key)) do
    local w = waiter_of(id)
    local own = user and string.match(id, '^[^:]*:(.*)$') == user
    if w[WAITER.KIND] ~= WAITS.QUEUE and (own or w[WAITER.REQUEST] == request) then
      return id, w
    end
  end
  return nil
end

-- A connection ends. `on_purpose`: its place ends too. `why`: the lock's cause if its turn ends.
function waiters.depart(id, on_purpose, actor, why)
  local t = takeover_of()
  if t and t[TAKEOVER.CLIENT] .. ':' .. t[TAKEOVER.USER] == id then
    waiters.cancel_takeover(t, 'ADMIN_GONE', actor)
  end
  local w = waiter_of(id)
  if beneficiary() == id then
    if on_purpose then
      waiters.decline('LEFT', actor, why)
    end
  elseif not w then
    return
  elseif on_purpose then
    remove(id)
    tell_waiter('LEFT', id, w, false, actor)
  else
    w[WAITER.UNTIL] = now + w[WAITER.GRACE]
    put_waiter(id, w)
    tell_waiter('ABSENT', id, w, true, actor)
  end
end

-- A connection of this tab is in the room (again).
function waiters.arrive(id, actor)
  local w = waiter_of(id)
  if w and w[WAITER.UNTIL] > 0 then
    w[WAITER.UNTIL] = 0
    put_waiter(id, w)
    tell_waiter('BACK', id, w, true, actor)
  end
end

-- Passes on a free lock if somebody in the room waits for it. False: nothing happened.
function waiters.serve(actor)
  if l[LOCK.STATE] == 'free' and window == 0 and (l[LOCK.TAKEOVER] ~= '' or first()) then
    waiters.pass_on('RESERVED', actor)
    return true
  end
  return false
end

-- Ends a place of this kind, or the turn, because its tab no longer wants it. False: it has none of that kind.
function waiters.withdraw(id, kind, cause, actor)
  local w = waiter_of(id)
  if beneficiary() == id or (not w and kind == WAITS.QUEUE and is_users_turn(id)) then
    waiters.decline(cause, actor)
  elseif not w or (w[WAITER.KIND] ~= kind and w[WAITER.KIND] ~= WAITS.BOTH) then
    return false
  else
    drop(id, w, kind, cause, actor)
  end
  return true
end

function waiters.deny(id, w, actor)
  drop(id, w, WAITS.REQUEST, 'DENIED', actor)
end

-- The holder gives the lock up for this request.
function waiters.approve(id, w, actor, revision)
  w[WAITER.ORDER], w[WAITER.KIND], w[WAITER.ENDS] = next_tick() - 9000000000000000, WAITS.REQUEST, 0
  put_waiter(id, w)
  call('ZADD', queue_key, w[WAITER.ORDER], id)
  if l[LOCK.TAKEOVER] ~= '' or first() ~= id then -- it still waits
    tell_waiter('APPROVED', id, w, true, actor)
  else
    count()
  end
  local t = takeover_of()
  local by = t and t[TAKEOVER.NAME] or w[WAITER.NAME]
  local ending = end_grant(resource, l, 'TRANSFERRED', revision, by, w[WAITER.REQUEST])
  call('HDEL', held_by(resource, l[LOCK.USER]))
  waiters.pass_on('TRANSFERRED', actor, ending, 'HOLDER_RELEASED')
end

function waiters.takeover()
  return takeover_of()
end

-- A takeover is pending from now on.
function waiters.ask_for(t, actor)
  l[LOCK.TAKEOVER] = pack(t)
  count()
  tell_takeover('REQUESTED', t, actor)
end

function waiters.deny_takeover(t, actor)
  t[TAKEOVER.DENIED] = 1
  l[LOCK.TAKEOVER] = pack(t)
  tell_takeover('DENIED', t, actor)
end

function waiters.cancel_takeover(t, outcome, actor)
  l[LOCK.TAKEOVER] = ''
  count()
  t[TAKEOVER.ENDED] = outcome
  tell_takeover('CANCELLED', t, actor)
end

-- Grants the lock at once to the administrator of the takeover `t`. `ending`: how the previous holder's grant ended.
function waiters.give(t, actor, ending, decision)
  give_to_admin(t, 'TAKEN_BY_ADMIN', actor, ending, decision)
end

-- Settles what is due at `at`, the earliest deadline.
function waiters.settle(at)
  local t = takeover_of()
  if waiters.serve('') then
    return
  elseif t and t[TAKEOVER.FORCE_AT] == at then
    local later = effective(at, t[TAKEOVER.LENGTH])
    if later <= now and not is_here(t[TAKEOVER.CLIENT] .. ':' .. t[TAKEOVER.USER]) then
      return waiters.cancel_takeover(t, 'ADMIN_GONE', '')
    elseif later <= now then
      local ending = end_grant(resource, l, 'TAKEN_BY_ADMIN', nil, t[TAKEOVER.NAME], t[TAKEOVER.REQUEST])
      call('HDEL', held_by(resource, l[LOCK.USER]))
      return waiters.pass_on('TAKEN_BY_ADMIN', '', ending, t[TAKEOVER.DENIED] == 1 and 'DENIED' or 'TIMED_OUT')
    end
    t[TAKEOVER.FORCE_AT] = later
    l[LOCK.TAKEOVER] = pack(t)
    count()
    return tell_takeover('RECOVERED', t, '')
  end
  local ids, list = all_waiters()
  for i = 1, #ids do
    local id, w = ids[i], list[i]
    local field = w[WAITER.UNTIL] == at and 8 or w[WAITER.ENDS] == at and 6
    if field then
      local later = effective(at, field == 8 and w[WAITER.GRACE] or w[WAITER.LENGTH])
      if later > now then
        w[field] = later
        put_waiter(id, w)
        return tell_waiter('RECOVERED', id, w, true, '')
      elseif field == 8 then
        remove(id)
        return tell_waiter('GONE', id, w, false, '')
      end
      return drop(id, w, WAITS.REQUEST, 'TIMEOUT', '')
    end
  end
  count() -- nothing is due any more
  store(resource, l)
end

-- The clock was set back: a deadline that is further away than its whole period is set to now plus the period.
function waiters.pull_in()
  local ids, list = all_waiters()
  for i = 1, #ids do
    local w = list[i]
    local ends, absent = w and w[WAITER.ENDS] > now + w[WAITER.LENGTH], w and w[WAITER.UNTIL] > now + w[WAITER.GRACE]
    if ends or absent then
      w[WAITER.ENDS] = ends and now + w[WAITER.LENGTH] or w[WAITER.ENDS]
      w[WAITER.UNTIL] = absent and now + w[WAITER.GRACE] or w[WAITER.UNTIL]
      put_waiter(ids[i], w)
      tell_waiter('RECOVERED', ids[i], w, true, '')
    end
  end
  local t = takeover_of()
  if t and t[TAKEOVER.FORCE_AT] > now + t[TAKEOVER.LENGTH] then
    t[TAKEOVER.FORCE_AT] = now + t[TAKEOVER.LENGTH]
    l[LOCK.TAKEOVER] = pack(t)
    count()
    tell_takeover('RECOVERED', t, '')
  end
end

-- Restores a place that an instance reports and the store has lost.
function waiters.restore(id, w, policy)
  local turn = beneficiary() == id
  if w[WAITER.KIND] == WAITS.QUEUE then -- left from the event of a request that has ended
    w[WAITER.REQUEST], w[WAITER.MESSAGE], w[WAITER.ENDS] = '', '', 0
  end
  w[WAITER.ENDS] = math.min(w[WAITER.ENDS], now + w[WAITER.LENGTH])
  local owner = l[LOCK.STATE] ~= 'free' and not turn and l[LOCK.CLIENT] .. ':' .. l[LOCK.USER] == id
  if turn or is_here(id) then
    w[WAITER.UNTIL] = 0
  else
    w[WAITER.UNTIL] = math.min(w[WAITER.UNTIL] > 0 and w[WAITER.UNTIL] or now + w[WAITER.GRACE], now + w[WAITER.GRACE])
  end
  if owner or call('HSETNX', waiter_key, id, pack(w)) == 0 then
    return
  end
  if not turn then
    call('ZADD', queue_key, w[WAITER.ORDER], id)
  end
  if l[LOCK.STATE] == 'free' and l[LOCK.QUEUED] == 0 and l[LOCK.TAKEOVER] == '' then
    l[LOCK.POLICY] = policy
  end
  tell_waiter('RECOVERED', id, w, true, '')
end

-- Restores the turn that an instance reports.
function waiters.restore_turn(id)
  local w = waiter_of(id)
  call('ZREM', queue_key, id)
  if w then
    w[WAITER.UNTIL] = 0
    put_waiter(id, w)
  end
  count()
end

-- Restores the owner that an instance reports: it has no place, and nobody has the turn.
function waiters.restore_owner(id)
  if beneficiary() and beneficiary() ~= id then
    waiters.back_to_head()
  end
  remove(id)
end

waiters.recount = count

return waiters

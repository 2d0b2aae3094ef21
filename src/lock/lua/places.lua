-- Included by settle.lua into a function of its own, which only runs where somebody waits, a lock is reserved or a
-- takeover is pending: `resource` and its lock `l` are given. WAITER and TAKEOVER: README.md.
local queue_key, waiter_key = tag .. 'queue:' .. resource, tag .. 'waiter:' .. resource
local member_key = tag .. 'member:' .. resource
local QUEUES, REQUESTS, BOTH = 1, 2, 3
local places = {}

local function waiter_of(id)
  local packed = call('HGET', waiter_key, id)
  return packed and cmsgpack.unpack(packed)
end

local function put_waiter(id, w)
  call('HSET', waiter_key, id, pack(w))
end

-- In order, those in the queue: ids, WAITERs.
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
  return l[TAKEOVER] ~= '' and cmsgpack.unpack(l[TAKEOVER]) or nil
end

local function is_here(id)
  return call('HEXISTS', member_key, id) == 1
end

local function page_of(id)
  local member = call('HGET', member_key, id)
  --@include page.lua
  return page
end

-- What the next event's tick will be: a new token, or a place behind all others.
local function next_tick()
  return us > tick and us or tick + 1
end

-- The one that the lock is reserved for, if it is.
local function beneficiary()
  return l[STATE] == 'reserved' and l[CLIENT] .. ':' .. l[USER] or nil
end

-- The first who is here.
local function first()
  for _, id in ipairs(call('ZRANGE', queue_key, 0, -1)) do
    if is_here(id) then
      return id
    end
  end
  return nil
end

-- Notes in the lock how many wait and when the next of them is due: at once where nobody has the lock and it is wanted,
-- which is what a window leaves behind.
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
    due_at(list[i][6])
    due_at(list[i][8])
    wanted = wanted or (list[i][8] == 0 and is_here(ids[i]))
  end
  if l[STATE] == 'free' and wanted then
    due_at(1) -- since ever, wherever the clock is set
  elseif t then
    due_at(t[6])
  end
  l[QUEUED], l[OTHER] = #ids, earliest
end

-- What holders of this resource took, in the middle; -1: nobody knows.
local function median()
  local took = {}
  for _, packed in ipairs(call('LRANGE', tag .. 'ended:' .. resource, 0, 15)) do
    local ending = cmsgpack.unpack(packed)
    took[#took + 1] = math.max(0, ending[9] - ending[8])
  end
  table.sort(took)
  return took[math.ceil(#took / 2)] or -1
end

-- Tells of a place; `there`: it still stands.
local function tell_place(cause, id, w, there, actor)
  count()
  store(resource, l)
  publish(155, 3, resource, actor, cause, pack(id, w, there and 1 or 0, l[QUEUED], median()))
end

local function remove(id)
  call('ZREM', queue_key, id)
  call('HDEL', waiter_key, id)
end

-- Takes the waiting out of a place and leaves its request, or the other way round.
local function drop(id, w, kind, cause, actor)
  if w[3] == kind then
    remove(id)
    tell_place(cause, id, w, false, actor)
    return
  end
  local left = {unpack(w)}
  left[3] = BOTH - kind
  if kind == REQUESTS then
    left[4], left[5], left[6] = '', '', 0
  end
  put_waiter(id, left)
  if kind == REQUESTS then -- the request is told as it was
    local told = {unpack(w)}
    told[3] = QUEUES
    tell_place(cause, id, told, true, actor)
  else
    tell_place(cause, id, left, true, actor)
  end
end

local function reserve(id, w, cause, actor, ending)
  local client, user = string.match(id, '^([^:]*):(.*)$')
  local _, _, _, claim = policy_of(l)
  call('ZREM', queue_key, id)
  for i = 1, 8 do
    l[i] = 0
  end
  l[STATE], l[USER], l[NAME], l[CLIENT], l[MADE], l[PROMPT] = 'reserved', user, w[1], client, w[10], 0
  l[UNTIL], l[TOLD], l[PAGE] = now + claim, now, ''
  count()
  change(resource, l, cause, actor, ending)
end

-- The lock goes to the administrator who wants it.
local function give_to_admin(t, cause, actor, ending, decision)
  local ttl, idle = policy_of(l)
  t[11] = decision
  l[STATE], l[USER], l[NAME], l[CLIENT], l[MADE], l[TAKEOVER], l[PROMPT] = 'held', t[2], t[3], t[4], t[10], '', 0
  l[TOKEN], l[SINCE], l[TOLD], l[DIRTY], l[UNTIL] = next_tick(), now, now, 0, 0
  l[EXPIRES], l[IDLE] = now + ttl, idle > 0 and now + idle or 0
  l[PAGE] = page_of(t[4] .. ':' .. t[2])
  remove(t[4] .. ':' .. t[2])
  local key, child = held_by(resource, t[2])
  call('HSET', key, child, '')
  count()
  change(resource, l, cause == 'TRANSFERRED' and cause or 'TAKEN_BY_ADMIN', actor, ending, pack(t))
end

local function tell_takeover(cause, t, actor)
  store(resource, l)
  publish(152, 4, resource, actor, cause, pack(t, l[TOKEN]))
end

-- ---- what the scripts call ----

local decisions = {TRANSFERRED = 'APPROVED', RELEASED = 'HOLDER_RELEASED'}

-- Inside a window nobody is given anything: the lock is free, and what is due then.
function places.pass_on(cause, actor, ending, decision)
  local t = takeover_of()
  if window == 0 then
    if t and is_here(t[4] .. ':' .. t[2]) then
      return give_to_admin(t, cause, actor, ending, decision or decisions[cause] or 'HOLDER_GONE')
    end
    l[TAKEOVER] = ''
    local id = first()
    if id then
      return reserve(id, waiter_of(id), cause, actor, ending)
    end
  end
  for i = 1, 8 do
    l[i] = 0
  end
  l[STATE], l[USER], l[NAME], l[CLIENT], l[PROMPT], l[PAGE] = 'free', '', '', '', 0, ''
  count()
  change(resource, l, cause, actor, ending)
end

-- The one it is reserved for does not take it. `why`: the lock's cause.
function places.decline(cause, actor, why)
  local id = beneficiary()
  local w = waiter_of(id)
  if not w and l[CLIENT] == '' then -- it never waited
    w = {l[NAME], 0, QUEUES, '', '', 0, 0, 0, 0, 0, now}
  end
  if w then
    call('HDEL', waiter_key, id)
    tell_place(cause, id, w, false, actor)
  end
  places.pass_on(why or 'RESERVATION_EXPIRED', actor)
end

-- An operator gives it to this user, on whatever tab.
function places.reserve_for(user, name, cause, ending)
  reserve(':' .. user, {name, 0, QUEUES, '', '', 0, 0, 0, 0, 0}, cause, '', ending)
end

-- Whether it is the turn of the user of this tab, on whatever tab.
local function is_users_turn(id)
  return l[STATE] == 'reserved' and l[CLIENT] == '' and string.match(id, '^[^:]*:(.*)$') == l[USER]
end

-- Somebody has got the lock: it waits no more, and who had it reserved is served.
function places.taken(id)
  if l[STATE] == 'reserved' then
    call('HDEL', waiter_key, beneficiary())
  end
  remove(id)
  count()
end

-- Somebody else got what is reserved: its beneficiary is the head of the queue again, its request as good as approved.
function places.back_to_head()
  local id = beneficiary()
  local w = waiter_of(id)
  if w then
    local least = call('ZRANGE', queue_key, 0, 0, 'WITHSCORES')[2]
    w[2] = math.min(w[2], (least or w[2]) - 1)
    w[6], w[8] = 0, is_here(id) and 0 or now + w[9]
    put_waiter(id, w)
    call('ZADD', queue_key, w[2], id)
    tell_place('QUEUED', id, w, true, '')
  end
end

places.first = first

-- Where this one stands, from 1; nil: nowhere.
function places.position(id)
  local rank = call('ZRANK', queue_key, id)
  return rank and rank + 1
end

-- Items 16 to 18 of the reply. `id`: whose place is asked for. `listed`: all of them are.
function places.reply(id, listed)
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
  return pack(w and {places.position(id) or 0, w[4], w[6]} or false, median(), all)
end

-- A new place, or more in one that is there. `most`: places at most, -1: no limit. False: full.
function places.add(id, name, kind, most, request, message, length, grace, made, actor)
  local w = waiter_of(id)
  if not w then
    if most >= 0 and l[QUEUED] >= most then
      return false
    end
    w = {name, next_tick(), kind, '', '', 0, 0, 0, grace, made, now}
  elseif w[3] == kind or w[3] == BOTH then
    return true
  else
    w[3] = BOTH
  end
  if kind == REQUESTS then
    w[4], w[5], w[6], w[7] = request, message, now + length, length
  end
  put_waiter(id, w)
  call('ZADD', queue_key, w[2], id)
  tell_place(kind == REQUESTS and 'REQUESTED' or 'QUEUED', id, w, true, actor)
  return true
end

-- The place with this request, or that of this user with any request.
function places.find(request, user)
  for _, id in ipairs(call('HKEYS', waiter_key)) do
    local w = waiter_of(id)
    if w[3] ~= QUEUES and (w[4] == request or (user and string.match(id, '^[^:]*:(.*)$') == user)) then
      return id, w
    end
  end
  return nil
end

-- A connection goes. `on_purpose`: its place goes with it. `why`: the lock's cause where its turn goes.
function places.depart(id, on_purpose, actor, why)
  local t = takeover_of()
  if t and t[4] .. ':' .. t[2] == id then
    places.cancel_takeover(t, 'ADMIN_GONE', actor)
  end
  local w = waiter_of(id)
  if beneficiary() == id then
    if on_purpose then
      places.decline('LEFT', actor, why)
    end
  elseif not w then
    return
  elseif on_purpose then
    remove(id)
    tell_place('LEFT', id, w, false, actor)
  else
    w[8] = now + w[9]
    put_waiter(id, w)
    tell_place('ABSENT', id, w, true, actor)
  end
end

-- A connection of this tab is in the room (again).
function places.arrive(id, actor)
  local w = waiter_of(id)
  if w and w[8] > 0 then
    w[8] = 0
    put_waiter(id, w)
    tell_place('BACK', id, w, true, actor)
  end
end

-- Nobody has the lock: does anybody wait for it who is here?
function places.serve(actor)
  if l[STATE] == 'free' and window == 0 and (l[TAKEOVER] ~= '' or first()) then
    places.pass_on('RESERVED', actor)
    return true
  end
  return false
end

-- The place of who does not want to wait any more, or its turn. False: it has none of that kind.
function places.withdraw(id, kind, cause, actor)
  local w = waiter_of(id)
  if beneficiary() == id or (not w and kind == QUEUES and is_users_turn(id)) then
    places.decline(cause, actor)
  elseif not w or (w[3] ~= kind and w[3] ~= BOTH) then
    return false
  else
    drop(id, w, kind, cause, actor)
  end
  return true
end

function places.deny(id, w, actor)
  drop(id, w, REQUESTS, 'DENIED', actor)
end

-- The holder gives the lock up for this request.
function places.approve(id, w, actor, revision)
  w[2], w[3], w[6] = next_tick() - 9000000000000000, REQUESTS, 0
  put_waiter(id, w)
  call('ZADD', queue_key, w[2], id)
  if l[TAKEOVER] ~= '' or first() ~= id then -- it has to wait on
    tell_place('APPROVED', id, w, true, actor)
  else
    count()
  end
  local t = takeover_of()
  local ending = end_grant(resource, l, 'TRANSFERRED', revision, t and t[3] or w[1], w[4])
  call('HDEL', held_by(resource, l[USER]))
  places.pass_on('TRANSFERRED', actor, ending, 'HOLDER_RELEASED')
end

function places.takeover()
  return takeover_of()
end

-- A takeover waits from now on.
function places.ask_for(t, actor)
  l[TAKEOVER] = pack(t)
  count()
  tell_takeover('REQUESTED', t, actor)
end

function places.deny_takeover(t, actor)
  t[9] = 1
  l[TAKEOVER] = pack(t)
  tell_takeover('DENIED', t, actor)
end

function places.cancel_takeover(t, outcome, actor)
  l[TAKEOVER] = ''
  count()
  t[11] = outcome
  tell_takeover('CANCELLED', t, actor)
end

-- Gives the lock to an administrator at once; `ending` of who had it.
function places.give(t, actor, ending, decision)
  give_to_admin(t, 'TAKEN_BY_ADMIN', actor, ending, decision)
end

-- Lets happen what is due at `at`, which is the earliest.
function places.settle(at)
  local t = takeover_of()
  if places.serve('') then
    return
  elseif t and t[6] == at then
    local later = effective(at, t[8])
    if later <= now and not is_here(t[4] .. ':' .. t[2]) then
      return places.cancel_takeover(t, 'ADMIN_GONE', '')
    elseif later <= now then
      local ending = end_grant(resource, l, 'TAKEN_BY_ADMIN', nil, t[3], t[1])
      call('HDEL', held_by(resource, l[USER]))
      return places.pass_on('TAKEN_BY_ADMIN', '', ending, t[9] == 1 and 'DENIED' or 'TIMED_OUT')
    end
    t[6] = later
    l[TAKEOVER] = pack(t)
    count()
    return tell_takeover('RECOVERED', t, '')
  end
  local ids, list = all_waiters()
  for i = 1, #ids do
    local id, w = ids[i], list[i]
    local field = w[8] == at and 8 or w[6] == at and 6
    if field then
      local later = effective(at, field == 8 and w[9] or w[7])
      if later > now then
        w[field] = later
        put_waiter(id, w)
        return tell_place('RECOVERED', id, w, true, '')
      elseif field == 8 then
        remove(id)
        return tell_place('GONE', id, w, false, '')
      end
      return drop(id, w, REQUESTS, 'TIMEOUT', '')
    end
  end
  count() -- nothing is due after all
  store(resource, l)
end

-- The clock was set back: what is further ahead than its own length counts from now.
function places.pull_in()
  local ids, list = all_waiters()
  for i = 1, #ids do
    local w = list[i]
    local ends, absent = w and w[6] > now + w[7], w and w[8] > now + w[9]
    if ends or absent then
      w[6], w[8] = ends and now + w[7] or w[6], absent and now + w[9] or w[8]
      put_waiter(ids[i], w)
      tell_place('RECOVERED', ids[i], w, true, '')
    end
  end
  local t = takeover_of()
  if t and t[6] > now + t[8] then
    t[6] = now + t[8]
    l[TAKEOVER] = pack(t)
    count()
    tell_takeover('RECOVERED', t, '')
  end
end

-- A place that an instance remembers, after the store lost it.
function places.restore(id, w, policy)
  local turn = beneficiary() == id
  if w[3] == QUEUES then -- what was told of a request that is over
    w[4], w[5], w[6] = '', '', 0
  end
  w[6] = math.min(w[6], now + w[7])
  local owner = l[STATE] ~= 'free' and not turn and l[CLIENT] .. ':' .. l[USER] == id
  if turn or is_here(id) then
    w[8] = 0
  else
    w[8] = math.min(w[8] > 0 and w[8] or now + w[9], now + w[9])
  end
  if owner or call('HSETNX', waiter_key, id, pack(w)) == 0 then
    return
  end
  if not turn then
    call('ZADD', queue_key, w[2], id)
  end
  if l[STATE] == 'free' and l[QUEUED] == 0 and l[TAKEOVER] == '' then
    l[POLICY] = policy
  end
  tell_place('RECOVERED', id, w, true, '')
end

-- An instance remembers whose turn it is.
function places.restore_turn(id)
  local w = waiter_of(id)
  call('ZREM', queue_key, id)
  if w then
    w[8] = 0
    put_waiter(id, w)
  end
  count()
end

-- An instance remembers who has the lock: it does not wait, and it is nobody's turn.
function places.restore_owner(id)
  if beneficiary() and beneficiary() ~= id then
    places.back_to_head()
  end
  remove(id)
end

places.recount = count

return places

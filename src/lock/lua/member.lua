-- session, incarnation, joined ms, page
local function split_member(value)
  return match(value, '^(%S+) (%S+) (%d+)/?(%S*)')
end

local function tell_member(kind, resource, actor, id, value, old_session, old_instance)
  local count = call('ZCARD', tag .. 'room:' .. resource)
  publish(EVENT_MEMBER.COUNT, kind, resource, actor, id, pack(value, old_session or '', old_instance or '', count))
end

-- Enters a session into the room, in place of `old` (the previous value of the member) if there is one.
local function enter(resource, id, session, instance, joined, page, name, actor, old)
  local old_session, old_instance
  if old then
    old_session, old_instance = split_member(old)
    call('SREM', tag .. 'instance:' .. old_instance, resource .. ' ' .. id)
  end
  local value = session .. ' ' .. instance .. ' ' .. joined .. (page ~= '' and '/' .. page or '') .. ' ' .. name
  call('HSET', tag .. 'member:' .. resource, id, value)
  call('ZADD', tag .. 'room:' .. resource, joined, id)
  call('SADD', tag .. 'instance:' .. instance, resource .. ' ' .. id)
  tell_member(KIND.JOIN, resource, actor, id, value, old_session, old_instance)
end

-- The store may have a lock again whose end it has lost. Inside a window a member departs only once its instance has
-- reported, with the grants that have ended: else such a lock would end a second time.
local function may_depart()
  return window == 0 or (call('HGET', shard.instances, ARGV[2]) or 0) + 0 == window
end

-- Removes a member. `how`: LEAVE, LEFT (on purpose) and TERMINATED (by an operator): the lock ends; LOST (the type's
-- `disconnect` decides), SERVER (plain grace); STRAY: its own instance does not know it, so a lock that it holds is not
-- valid. `ago`: ms since its connection ended.
local function depart(resource, l, id, value, how, actor, ago)
  local client, user = match(id, '^([^:]*):(.*)$')
  local reason = ({LEAVE = 'RELEASED', LEFT = 'DISCONNECT', TERMINATED = 'SESSION_TERMINATED'})[how]
  need_for(l, l[LOCK.USER] == user and l[LOCK.CLIENT] == client and may_change or may_leave)
  if l[LOCK.QUEUED] > 0 or l[LOCK.TAKEOVER] ~= '' or l[LOCK.STATE] == 'reserved' then
    waiters_of(resource, l).depart(id, reason ~= nil, actor, how == 'TERMINATED' and reason)
  end
  if l[LOCK.USER] == user and l[LOCK.CLIENT] == client and (l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace') then
    if reason then
      finish(resource, l, reason, actor)
    elseif l[LOCK.STATE] == 'held' and how == 'STRAY' then
      finish(resource, l, 'STORE_LOST', actor)
    elseif l[LOCK.STATE] == 'held' then
      lose_owner(resource, l, actor, how == 'SERVER', ago)
    end
  end
  local _, instance = split_member(value)
  call('HDEL', tag .. 'member:' .. resource, id)
  call('ZREM', tag .. 'room:' .. resource, id)
  call('SREM', tag .. 'instance:' .. instance, resource .. ' ' .. id)
  tell_member(KIND.LEAVE, resource, actor, id, value)
end

-- The members for a reply: the newest, newest first, with the holder among them (`listed` 0: none); and how many there
-- are in all. Where the store has lost one of the two keys of a member, it is no member.
local function list_members(resource, l, listed)
  local room = tag .. 'room:' .. resource
  local count = call('ZCARD', room)
  if listed == 0 then
    return {}, count
  end
  local ids = call('ZREVRANGE', room, 0, listed - 1)
  if count > #ids and l[LOCK.STATE] == 'held' then
    local holder, found = l[LOCK.CLIENT] .. ':' .. l[LOCK.USER], false
    for i = 1, #ids do
      found = found or ids[i] == holder
    end
    if not found then
      ids[#ids] = holder
    end
  end
  local list = {}
  for first = 1, #ids, 1000 do -- more than 8,000 do not fit on the stack
    local values = call('HMGET', tag .. 'member:' .. resource, unpack(ids, first, math.min(first + 999, #ids)))
    for i = 1, #values do
      local id = ids[first + i - 1]
      if values[i] then
        list[#list + 1] = id
        list[#list + 1] = values[i]
      else
        count = count - call('ZREM', room, id)
      end
    end
  end
  return list, count
end

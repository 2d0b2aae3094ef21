local SEEN_AT_ONCE = '1000'

-- A higher token than the lock's was seen, and nobody has that token. If an instance has reported the lock in this
-- window, it continues under a new token, else it ends. Without a lock the token is kept for later windows.
local function confirm_token(resource, highest)
  local l = read_lock(tag .. 'lock:' .. resource)
  local owned = l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace'
  if owned and l[LOCK.TOKEN] >= highest then
    return
  elseif not owned or l[LOCK.LAST_EVENT] < window or l[LOCK.LAST_EVENT] > now then
    if owned or highest > highest_known(resource) then -- the ending of an owned lock has a lower one
      call('SET', tag .. 'highest:' .. resource, string.format('%.0f', highest), 'PX', '86400000')
    end
    return owned and finish(resource, l, 'STORE_LOST', '')
  end
  local ending = end_grant(resource, l, 'MOVED')
  l[LOCK.TOKEN], l[LOCK.SINCE], l[LOCK.LAST_EVENT] = us > tick and us or tick + 1, now, now
  change(resource, l, 'RECOVERED', '', ending)
end

-- False: there are more of these locks than one call handles.
local function confirm_tokens()
  local key = tag .. 'seen'
  local some = call('HRANDFIELD', key, SEEN_AT_ONCE, 'WITHVALUES')
  if #some > 0 then
    need_all()
  end
  for i = 1, #some, 2 do
    call('HDEL', key, some[i])
    local ok, problem = pcall(confirm_token, some[i], some[i + 1] + 0)
    if not ok then -- what cannot be read does not stop the others
      redis.log(redis.LOG_WARNING, 'wslock: cannot confirm ' .. some[i] .. ': '
        .. (type(problem) == 'table' and problem.err or tostring(problem)))
    end
  end
  return call('EXISTS', key) == 0
end

-- When the lease of an instance ends, 0: it has none. It is never further ahead than its length: if it is, the clock
-- was set back, and it counts from now.
local function lease_end(incarnation, lease)
  local at = (call('ZSCORE', shard.due, 'i:' .. incarnation) or 0) + 0
  if at > now + lease then
    at = now + lease
    call('ZADD', shard.due, at, 'i:' .. incarnation)
  end
  return at
end

-- Restarts the open window: its age means nothing after the clock was set.
local function begin_anew()
  window = now
  call('HSET', shard.meta, 'valid', -window, 'window', window)
end

-- The clock was set forward: instances that are silent have been so for no longer, and their editors may believe in
-- their locks for as long as before.
local function extend_leases(lease)
  if call('HGET', shard.meta, 'lost') == '1' then
    for _, incarnation in ipairs(call('HKEYS', shard.instances)) do
      call('ZADD', shard.due, 'XX', 'GT', now + lease, 'i:' .. incarnation)
    end
  end
end

-- Closes the window when every instance that may still have something to report has reported in it, `incarnation`
-- among them, or it has been open for as long as anyone could need. That is every live one, and where the store may
-- have lost writes also one that is silent, for as long as its editors may believe in their locks: its lease and the
-- longest grace. The gap ends here. Others of a private server are dead. `renewed`: when an instance last renewed its
-- lease before this call, or `now` if the clock was not set since. Where that, and the opening, were two intervals of
-- renewal ago, the clock may have been set forward: the window's age proves nothing.
local function try_close(incarnation, private, lease, longest_grace, renewed)
  local age = now - window
  if age < -1000 then -- the clock was set back
    return begin_anew()
  elseif now - math.max(window, renewed) > lease * 2 / 3 then
    extend_leases(lease)
    return begin_anew()
  elseif age < lease + longest_grace then
    local waiting = {}
    local all = call('HGETALL', shard.instances)
    for i = 1, #all, 2 do
      waiting[all[i]] = all[i + 1] + 0 ~= window
    end
    if waiting[incarnation] ~= false or (private == 0 and age < 3000) then
      return
    end
    local believed, missing = call('HGET', shard.meta, 'lost') == '1' and longest_grace or 0, false
    for instance, waits in pairs(private == 0 and waiting or {}) do
      missing = (waits and lease_end(instance, lease) + believed > now) or missing
    end
    if missing then
      return
    end
  end
  if not confirm_tokens() then
    return
  end
  window = 0
  call('HSET', shard.meta, 'to', now)
  trust(lease)
end

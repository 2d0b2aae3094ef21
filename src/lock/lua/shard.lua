-- Included by what looks after a whole shard; KEYS are SHARD.

-- The store's past can be trusted for two intervals of lease renewal more.
local function trust(lease)
  call('HSET', KEYS[1], 'valid', now + math.floor(lease * 2 / 3))
end

-- Since when an instance that is told nothing of the past has known all, for `instances`: no window that is over is
-- younger, wherever the clock was then.
local function knows_since()
  return math.max(now - 1, (call('HGET', KEYS[1], 'window') or 0) + 0)
end

-- When the lease of an instance ends, 0: it has none. It is never further ahead than its length: where it is, the clock
-- was set back, and it counts from now.
local function lease_end(incarnation, lease)
  local at = (call('ZSCORE', KEYS[2], 'i:' .. incarnation) or 0) + 0
  if at > now + lease then
    at = now + lease
    call('ZADD', KEYS[2], at, 'i:' .. incarnation)
  end
  return at
end

-- Closes the window when every instance that may still have something to report has reported in it, `incarnation`
-- among them, or it has been open for as long as anyone could need. That is every live one, and where the store may
-- have lost writes also one that is silent, for as long as its editors may believe in their locks: its lease and the
-- longest grace. The gap ends here. Others of a private server are dead.
local function try_close(incarnation, private, lease, longest_grace)
  local age = now - window
  if window == 0 then
    return
  elseif age < -1000 then -- the clock was set back: it begins anew
    window = now
    call('HSET', KEYS[1], 'valid', -window, 'window', window)
    return
  elseif age < lease + longest_grace then
    local waiting = {}
    local all = call('HGETALL', KEYS[5])
    for i = 1, #all, 2 do
      waiting[all[i]] = all[i + 1] + 0 ~= window
    end
    if waiting[incarnation] ~= false or (private == 0 and age < 3000) then
      return
    end
    local believed = call('HGET', KEYS[1], 'lost') == '1' and longest_grace or 0
    for instance, waits in pairs(waiting) do
      if waits and private == 0 and lease_end(instance, lease) + believed > now then
        return
      end
    end
  end
  window = 0
  call('HSET', KEYS[1], 'to', now)
  call('UNLINK', string.sub(KEYS[1], 1, -5) .. 'seen')
  trust(lease)
end

-- Takes an instance without members out of the books, but for what its audit may lack: that is handed out by the
-- sweep. False if it has members still.
local function forget_instance(incarnation)
  if call('EXISTS', string.sub(KEYS[1], 1, -5) .. 'instance:' .. incarnation) == 1 then
    return false
  end
  call('ZREM', KEYS[2], 'i:' .. incarnation)
  call('HDEL', KEYS[5], incarnation)
  if call('HEXISTS', KEYS[6], incarnation) == 1 then
    call('ZADD', KEYS[2], now, 'a:' .. incarnation)
  end
  return true
end

local function answer_shard(flags, names)
  local first = call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  local at = (first[2] or 0) + 0
  if window > 0 and at <= now then
    at = now + 1000
  end
  return answer('NONE', flags, {0, 0, 0, 0, at, 0, 0, 0, 0, 'free', '', '', '', '', '', 0}, nil, nil, nil, names)
end

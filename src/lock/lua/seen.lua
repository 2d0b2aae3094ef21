-- Raises the shard's clock to a tick that an instance has seen. False: it is more than a day ahead, and is not
-- believed.
local function raise_clock(seen)
  if seen > tick and seen > us + 86400000000 then
    return false
  elseif seen > tick then
    tick = seen
    call('HSET', shard.meta, 'tick', tick)
  end
  return true
end

local function is_owned(l)
  return l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace'
end

-- Stores a token of the resource that was reported in this window. A lock below the highest is not confirmed. It is
-- decided when all have reported: the holder of the later grant may be among them.
local function note_token(resource, token)
  local key = tag .. 'seen'
  if token > (call('HGET', key, resource) or 0) + 0 then
    call('HSET', key, resource, string.format('%.0f', token))
  end
end

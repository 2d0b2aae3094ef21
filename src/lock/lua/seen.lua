-- Included by what an instance reports of the past; needs settle.lua.

-- Raises the shard's clock to a tick that an instance has seen. False: it is more than a day ahead, and not believed.
local function raise_clock(seen)
  if seen > tick and seen > us + 86400000000 then
    return false
  elseif seen > tick then
    tick = seen
    call('HSET', KEYS[1], 'tick', tick)
  end
  return true
end

-- The highest token of the resource that anybody has told of in this window, `token` among them.
local function highest_token(resource, token)
  local key = tag .. 'seen'
  local known = (call('HGET', key, resource) or 0) + 0
  if token > known then
    call('HSET', key, resource, string.format('%.0f', token))
    return token
  end
  return known
end


-- Endings: inside a recovery window an instance reports grants that have ended lately, since the store may have lost
-- these endings. A lock under such a token gets the reported ending. A lock under a lower token is not confirmed under
-- it.
-- KEYS: SHARD; others are built from the resources. Arguments: 1 notAfter, 2 the highest tick that the instance has
--   seen in the shard; then for each grant the resource and its ENDING.
-- Reply: NONE · AHEAD.
-- Events: the reason of the ending, or RECOVERED if a lock has a new token.
local arg = {unpack_values(ARGV[1])}

-- Inserts an ENDING into the resource's list, newest first. Where the list has that grant as STORE_LOST, because a
-- report of a later grant came first, its reason is known now.
local function remember(resource, token, packed, reason)
  local key, older = tag .. 'ended:' .. resource, nil
  local list = call('LRANGE', key, '0', '15')
  for i, other in ipairs(list) do
    local known = unpack_values(other)
    if known[ENDING.TOKEN] == token then
      if known[ENDING.REASON] == 'STORE_LOST' and reason ~= 'STORE_LOST' then
        list[i] = packed
        call('DEL', key)
        call('RPUSH', key, unpack(list))
        call('PEXPIRE', key, '86400000')
      end
      return
    end
    older = older or (known[ENDING.TOKEN] < token and other)
  end
  if older then
    call('LINSERT', key, 'BEFORE', older, packed)
  else
    call('RPUSH', key, packed)
  end
  call('LTRIM', key, '0', '15')
  call('PEXPIRE', key, '86400000')
end

local function learn(resource, packed)
  local ending = unpack_values(packed)
  local token, reason = ending[ENDING.TOKEN], ending[ENDING.REASON]
  local l = read_lock(tag .. 'lock:' .. resource)
  remember(resource, token, packed, reason)
  if is_owned(l) and l[LOCK.TOKEN] == token then
    call('HDEL', held_by(resource, l[LOCK.USER]))
    pass_on(resource, l, reason, '', packed)
  end
  note_token(resource, token)
end

local _, highest = unpack(arg, 1, 2)
local last = window > 0 and #arg or 0
need_all()
for i = 3, last, 2 do -- no later grant may get such a token
  highest = math.max(highest, unpack_values(arg[i + 1])[ENDING.TOKEN])
end
if not raise_clock(highest) then
  return refuse('AHEAD', tick)
end
for i = 3, last, 2 do
  learn(arg[i], arg[i + 1])
end
return answer_shard(0)

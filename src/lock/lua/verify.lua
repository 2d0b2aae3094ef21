-- Verify: whether a fencing token is the token of the lock now, for an application that is about to save.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 token.
-- Reply: NONE: it is · LOST (lost: how its grant ended; if that is not remembered NOT_HELD, or STALE_TOKEN if a later
--   one was given; previous: the latest ended grant, if it came after this one) · RECOVERING: the answer is unknown.
-- Events: what was due.
local _, resource, token = unpack_values(ARGV[1])
local l = read_lock(KEYS[KEY.LOCK])
if window == 0 and deadline(l) > 0 and deadline(l) <= now then
  settle(resource, l)
end
if window > 0 then
  return answer('RECOVERING', 0, l)
elseif l[LOCK.TOKEN] == token and (l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace') then
  return answer('NONE', 0, l)
end
local lost, latest
for _, packed in ipairs(call('LRANGE', KEYS[KEY.ENDED], '0', '15')) do
  local ended = unpack_values(packed)[ENDING.TOKEN]
  if ended == token then
    lost = packed
  elseif not latest and ended > token then
    latest = packed
  end
end
if not lost then
  local reason = (latest or l[LOCK.TOKEN] > token) and 'STALE_TOKEN' or 'NOT_HELD'
  lost = pack({'', '', '', token, reason, 0, false, 0, 0, ''})
end
return answer('LOST', 0, l, {previous = latest, lost = lost})

-- Lease: an instance says that it lives, for as long as `lease` from when it sent this; or gives its lease up.
-- Closes a recovery window that may be closed.
-- KEYS: SHARD. Arguments: 1 notAfter, 2 incarnation, 3 lease ms (0: gives it up), 4 store ms when it was sent, a lower
--   bound (0: unknown), 5 shards, 6 private server (0, 1), 7 longest grace of any type, ms.
-- Reply: NONE; flag late: there was no lease to renew, or it had run out: report every session before serving
--   any. SHARDS.
-- Events: none.
local _, incarnation, lease, sent, shards, private, longest_grace = unpack_values(ARGV[1])
--@include shard.lua
local id = 'i:' .. incarnation
local found = call('HGET', KEYS[1], 'shards')
if found and found + 0 ~= shards then
  return pack({'SHARDS', 'NONE', found + 0, now, window})
end
call('HSET', KEYS[1], 'shards', shards)
if lease == 0 then
  if not forget_instance(incarnation) then
    call('ZADD', KEYS[2], now, id)
  end
  return answer_shard(0)
end
local last = call('ZSCORE', KEYS[2], id)
call('ZADD', KEYS[2], (sent > 0 and sent < now and sent or now) + lease, id)
call('HSETNX', KEYS[5], incarnation, 0)
call('HSET', KEYS[1], 'renewed', now)
try_close(incarnation, private, lease, longest_grace)
if window == 0 then
  trust(lease)
end
return answer_shard((not last or last + 0 <= now) and 8 or 0)

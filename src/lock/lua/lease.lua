-- Lease: an instance renews its lease, which then ends `lease` after this call was sent; or it gives its lease up.
-- Closes a recovery window that may be closed.
-- KEYS: SHARD. Arguments: 1 notAfter, 2 lease ms (0: gives it up), 3 store ms when it was sent, a lower bound (0:
--   unknown), 4 shards, 5 private server (0, 1), 6 longest grace of any type, ms, 7 the tick up to which its own
--   changes are on disk in its audit, 0: none yet, -1: all that it ever made (only if it gives the lease up), 8 the
--   step of the store's clock that it has noticed since its last renewal, ms, negative if the clock was set back, 0:
--   none. A step opens a recovery window.
-- Reply: NONE; flag late: there was no lease to renew, or it had ended, or a recovery window has closed without a
--   report of this instance, which must then report every session before it serves any. SHARDS.
-- Events: STORE_LOST or RECOVERED, when a window closes, of locks of which a higher token was seen.
local _, lease, sent, shards, private, longest_grace, written, step = unpack_values(ARGV[1])
local incarnation = ARGV[2]
local id = 'i:' .. incarnation
local shards_found, last_window, renewed = unpack(call('HMGET', shard.meta, 'shards', 'window', 'renewed'))
if shards_found and shards_found + 0 ~= shards then
  return refuse('SHARDS', shards_found + 0)
end
if lease == 0 then
  need_all()
end
call('HSET', shard.meta, 'shards', shards)
if written > 0 then
  call('HSET', shard.written, incarnation, written)
elseif written == 0 then
  call('HSETNX', shard.written, incarnation, tick)
else
  call('HDEL', shard.written, incarnation)
end
if lease == 0 then
  if not forget_instance(incarnation) then
    call('ZADD', shard.due, now, id)
  end
  return answer_shard(0)
end
local back = step < 0 or (renewed or 0) + 0 > now + 2000
if window == 0 and (back or step > 0) then
  if step > 0 then -- a renewal may have been the first call after the step: the gap begins before it
    call('HSET', shard.meta, 'renewed', math.min((renewed or now) + 0, now - step))
  end
  open_window(0)
end
if back then -- the sweep shortens deadlines that are too far ahead
  call('HSET', shard.meta, 'back', '0')
end
call('ZREM', shard.due, 'a:' .. incarnation) -- it counted as dead
local last = call('ZSCORE', shard.due, id)
call('ZADD', shard.due, (sent > 0 and sent < now and sent or now) + lease, id)
call('HSETNX', shard.instances, incarnation, window > 0 and 0 or knows_since())
call('HSET', shard.meta, 'renewed', now)
if window > 0 then
  if step > 0 and call('HGET', shard.meta, 'lost') == '1' then
    extend_leases(lease)
    if now - window > lease then -- opened before the step, which every instance tells
      begin_anew()
    end
  end
  -- The caller has renewed before, and by its own clock it is as late as by the store's: nobody set the clock.
  local unset = last and step == 0 and sent > 0 and now - sent < lease / 3
  try_close(incarnation, private, lease, longest_grace, unset and now or (renewed or 0) + 0)
end
local late = not last or last + 0 <= now
if window == 0 then
  trust(lease)
  late = late or call('HGET', shard.instances, incarnation) + 0 < (last_window or 0) + 0
end
return answer_shard(late and FLAG.LATE or 0)

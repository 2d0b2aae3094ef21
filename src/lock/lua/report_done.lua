-- Report done: an instance has reported all that it has in this shard. Closes a recovery window that may be closed.
-- KEYS: SHARD. Arguments: 1 notAfter, 2 lease ms, 3 private server (0, 1), 4 longest grace of any type, ms, 5 the
--   window in which it has reported (item 5 of an earlier reply), 6 the time, in store ms, of the last answer that it
--   got from the store before the window, 0: unknown. Then two arguments for each other instance that it knows and
--   whose clients may still rely on their locks: the incarnation, and the store ms at which its last known lease ends.
-- Reply: NONE; window is 0 if it is closed now, another number if it must report again.
-- Events: STORE_LOST or RECOVERED, when a window closes, of locks of which a higher token was seen.
local arg = {unpack_values(ARGV[1])}
local lease, private, longest_grace, reported, contact = unpack(arg, 2, 6)
local incarnation = ARGV[2]
if window == 0 or window == reported then
  call('HSET', shard.instances, incarnation, reported > 0 and reported or knows_since())
end
if window > 0 and window == reported then
  local lost = call('HGET', shard.meta, 'lost') == '1'
  for i = 7, lost and #arg or 0, 2 do
    if arg[i + 1] + longest_grace > now then
      call('HSETNX', shard.instances, arg[i], 0)
      call('ZADD', shard.due, 'GT', math.min(arg[i + 1], now + lease), 'i:' .. arg[i])
    end
  end
  if contact > 0 and contact < call('HGET', shard.meta, 'from') + 0 then
    call('HSET', shard.meta, 'from', contact)
  end
end
if window > 0 then
  try_close(incarnation, private, lease, longest_grace, (call('HGET', shard.meta, 'renewed') or 0) + 0)
end
return answer_shard(0)

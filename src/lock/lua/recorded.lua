-- Recorded: the caller's audit has every change of a dead instance, as sweep.lua asked for: the store forgets the
-- instance. Not if it is alive again, or has been handed to nobody.
-- KEYS: SHARD. Arguments: 1 notAfter, 2 the instance's incarnation.
-- Reply: NONE.
-- Events: none.
local _, recorded = unpack_values(ARGV[1])
need_all()
if call('ZREM', shard.due, 'a:' .. recorded) == 1 then
  call('HDEL', shard.written, recorded)
end
return answer_shard(0)

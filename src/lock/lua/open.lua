-- Open: the first call of an instance to a shard. Lays `meta` out where it is new, or of an older schema that can be
-- read; refuses another layout.
-- KEYS: SHARD. Arguments: 1 notAfter, 2 shards, 3 schema, 4 the oldest schema that can be read.
-- Reply: NONE, rev being where the stream stands; SHARDS or SCHEMA with the number found.
-- Events: none.
local _, shards, schema, oldest = unpack_values(ARGV[1])
--@include shard.lua
local found = call('HMGET', KEYS[1], 'shards', 'schema')
if found[1] and found[1] + 0 ~= shards then
  return pack({'SHARDS', 'NONE', found[1] + 0, now, window})
elseif found[2] and (found[2] + 0 > schema or found[2] + 0 < oldest) then
  return pack({'SCHEMA', 'NONE', found[2] + 0, now, window})
end
call('HSET', KEYS[1], 'shards', shards, 'schema', schema)
return answer_shard(0)

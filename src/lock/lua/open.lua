-- Open: the first call of an instance to a shard. Creates `meta` if it is new, upgrades an older schema that it can
-- read, and refuses another layout.
-- KEYS: SHARD. Arguments: 1 notAfter, 2 shards, 3 schema, 4 the oldest schema that can be read.
-- Reply: NONE, with the stream's last tick as rev; SHARDS or SCHEMA with the number found.
-- Events: none.
local _, shards, schema, oldest = unpack_values(ARGV[1])
local shards_found, schema_found = unpack(call('HMGET', shard.meta, 'shards', 'schema'))
if shards_found and shards_found + 0 ~= shards then
  return refuse('SHARDS', shards_found + 0)
elseif schema_found and (schema_found + 0 > schema or schema_found + 0 < oldest) then
  return refuse('SCHEMA', schema_found + 0)
end
call('HSET', shard.meta, 'shards', shards, 'schema', schema)
return answer_shard(0)

-- Rights: which of the commands that this program needs the caller may not run here. Beside those of the scripts,
-- those that it sends as they are.
-- KEYS: SHARD. Arguments: 1 notAfter.
-- Reply: NONE; names: the commands that are missing.
-- Events: none.
--@include shard.lua
local needed = {
  {'ping'}, {'info'}, {'time'}, {'script', 'load', ''}, {'evalsha', '', 1, KEYS[1]}, {'xread', 'streams', KEYS[1], 0},
}
for name in string.gmatch([[
  del exists get hdel hexists hget hgetall hkeys hlen hmget hset hsetnx hvals lindex lpush lrange ltrim pexpire sadd set
  srandmember srem sscan xadd xrange xtrim zadd zcard zrange zrangebyscore zrank zrem zrevrange zscore
]], '%a+') do
  table.insert(needed, {name, KEYS[1]})
end
local missing = {}
for _, command in ipairs(needed) do
  local known, allowed = pcall(redis.acl_check_cmd, unpack(command)) -- unknown: the server has it under no such name
  if not known or not allowed then
    table.insert(missing, command[1] == 'script' and 'script|load' or command[1])
  end
end
return answer_shard(0, missing)

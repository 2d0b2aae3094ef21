--@alone
-- Rights: which of the commands that this program needs the caller may not run on its keys: those of the scripts, and
-- those that it sends as they are. Runs none of them itself, and so has no prelude.
-- KEYS: 1 a key of any shard. Arguments: none.
-- Reply: an array of the names of those that are missing.
-- Events: none.
local needed = {
  {'ping'}, {'info'}, {'time'}, {'script', 'load', ''}, {'evalsha', '', 1, KEYS[1]}, {'xread', 'streams', KEYS[1], 0},
}
for name in string.gmatch([[
  del exists get hdel hexists hget hgetall hkeys hlen hmget hrandfield hset hsetnx hvals lindex linsert lpush lrange
  ltrim pexpire rpush sadd set srandmember srem sscan xadd xrange xtrim zadd zcard zmscore zrange zrangebyscore zrank
  zrem zrevrange zscan zscore
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
return missing

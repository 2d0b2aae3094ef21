--@alone
-- Rights: the commands that this program needs and that the caller may not run on its keys: those of the scripts, and
-- those that it sends itself. Runs none of them, and so has no prelude.
-- KEYS: 1 a key of any shard; in a Cluster none, so that any node answers. Arguments: 1 that key, 2 'wait' if the
-- caller waits for replicas, else ''.
-- Reply: an array of the names of the missing ones, sorted.
-- Events: none.
local key = ARGV[1]
local needed = {
  {'ping'}, {'info'}, {'time'}, {'function', 'load', ''}, {'fcall', '', 1, key}, {'xread', 'streams', key, 0},
}
if ARGV[2] == 'wait' then
  table.insert(needed, {'wait', '1', '1'})
end
for _, check in pairs(checks_on(key)) do
  table.insert(needed, check)
end
local missing = {}
for _, command in ipairs(needed) do
  local known, allowed = pcall(redis.acl_check_cmd, unpack(command)) -- false: the server has no command of that name
  if not known or not allowed then
    table.insert(missing, command[1] == 'function' and 'function|load' or command[1])
  end
end
table.sort(missing)
return missing

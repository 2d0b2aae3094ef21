-- Included by prelude.lua. A right may be withdrawn at any time, and Lua does not roll back. So a call checks, before
-- its first write, the caller's rights to all commands that may follow that write. A call that is refused has changed
-- nothing. A check costs half of a write, so frequent calls check only the commands that they may run.

-- The commands of the scripts, by the number of arguments after the key: servers refuse to check a command with too few
-- or too many.
local COMMANDS = {
  [[del exists get hgetall hkeys hlen hrandfield hvals srandmember zcard]],
  [[hdel hexists hget hmget lindex lpush pexpire rpush sadd set srem sscan zmscore zrank zrem zscan zscore]],
  [[hset hsetnx lrange ltrim xrange xtrim zadd zrange zrangebyscore zrevrange]],
  [[linsert xadd]],
}

-- What to check for each command, by its name, on this key.
local function checks_on(key)
  local checks = {}
  for more, names in ipairs(COMMANDS) do
    for name in string.gmatch(names, '%a+') do
      checks[name] = {name, key, unpack({'0', '0', '0'}, 1, more - 1)}
    end
  end
  return checks
end

-- The call that has checked all of them.
local checked = 0

-- Ends the call if the caller lacks a right to one of all commands.
local function need_all()
  if checked == call_number then
    return
  end
  local checks = shard.checks or checks_on(shard.meta)
  shard.checks = checks
  for name, check in pairs(checks) do
    if not may(unpack(check)) then
      error({err = 'NORIGHT no right to ' .. name})
    end
  end
  checked = call_number
end

-- What may follow the first write of a call if nobody waits for the lock and nothing is due. A command that is left out
-- is the first write, or was run before it.
local function may_grant(key) -- after ZADD, HSET of the tick, and XADD
  return may('set', key, '0')
end

local function may_renew(key) -- after SET
  return may('hset', key, '0', '0') and may('xadd', key, '0', '0', '0')
end

local function may_release(key) -- after LPUSH
  return may('pexpire', key, '0') and may('hdel', key, '0') and may('del', key) and may('hset', key, '0', '0')
    and may('xadd', key, '0', '0', '0')
end

local function may_leave(key) -- after HDEL
  return may('zrem', key, '0') and may('srem', key, '0') and may('zcard', key) and may('hset', key, '0', '0')
    and may('xadd', key, '0', '0', '0')
end

local function may_enter(key)
  return may('srem', key, '0') and may('hset', key, '0', '0') and may('zadd', key, '0', '0') and may('sadd', key, '0')
    and may('zcard', key) and may('xadd', key, '0', '0', '0') and may('zrevrange', key, '0', '0')
end

local function may_enter_and_take(key)
  return may('lindex', key, '0') and may('set', key, '0') and may_enter(key)
end

local function may_change(key) -- any change of a lock and a member
  return may('lpush', key, '0') and may('pexpire', key, '0') and may('hdel', key, '0') and may('del', key)
    and may('zrem', key, '0') and may_enter_and_take(key)
end

local function may_nothing()
  return true
end

local function may_trim(key) -- after XTRIM
  return may('xrange', key, '0', '0') and may('hset', key, '0', '0')
end

-- Ends the call if the caller lacks a right. `may_run` is one of the functions above.
local function need(may_run)
  if not may_run(shard.meta) then
    need_all()
  end
end

-- The same before a call changes this lock. With waiters or a takeover, any command may follow.
local function need_for(l, may_run)
  if l[LOCK.QUEUED] > 0 or l[LOCK.OTHER] > 0 or l[LOCK.TAKEOVER] ~= '' or l[LOCK.STATE] == 'reserved' then
    need_all()
  elseif checked ~= call_number then
    need(may_run)
  end
end

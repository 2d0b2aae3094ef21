#!lua
-- Put in front of every script. The line above makes the server look at what it lacks before the script runs (memory,
-- the right to write, replicas): a script that it refuses has changed nothing, since Lua does not roll back. Reads
-- the clock and `meta`, refuses what comes too late, opens a recovery window where the store's past is in doubt, and
-- reads, writes and answers with a lock. Keys, arguments, reply, events and includes: README.md beside this file.
-- KEYS[1..4]: meta, due, events, audit. ARGV: the arguments, the caller's incarnation. Redis spends more on handing
-- values to Lua and back than on the work. Hence: all arguments in one, and one reply, both packed; values unpacked
-- onto the stack, not into tables; packing by `struct`, all at once (207: an integer of 8 bytes, 218: text of up to
-- 65535, 205: an integer of 2 bytes); and a function at top level only where every script needs it, since making it
-- costs each call.
local call, pack, unpack_values, struct_pack = redis.call, cmsgpack.pack, cmsgpack.unpack, struct.pack
local clock = call('TIME')
local us = clock[1] * 1000000 + clock[2]
local now = (us - us % 1000) / 1000
local meta = call('HMGET', KEYS[1], 'replid', 'tick', 'valid')
local tick = (meta[2] or 0) + 0 -- the shard's clock: the id of its last event
local valid = (meta[3] or now) + 0
local window = valid < 0 and -valid or 0 -- when the open recovery window was opened, 0: none
local _, not_after = cmsgpack.unpack_one(ARGV[1])
if not_after > 0 and now > not_after then
  return pack({'LATE', 'NONE', tick, now, window})
end
local replication = call('INFO', 'replication')
local same_store = string.find(replication, 'master_replid:' .. (meta[1] or ' '), 1, true)
if not same_store or (window == 0 and now > valid) then
  local lost = same_store and 0 or 1
  --@include window.lua
end

-- A lock is an array: the LOCK and, as item 19, the packed form of that (false: free, and nobody waits).
local TOKEN, SINCE, EXPIRES, IDLE, UNTIL, TOLD, DIRTY, MADE, QUEUED = 1, 2, 3, 4, 5, 6, 7, 8, 9
local STATE, USER, NAME, CLIENT, POLICY, TAKEOVER, OTHER, PROMPT, PAGE = 10, 11, 12, 13, 14, 15, 16, 17, 18
local FREE = '\154\0\0\0\0\0\0\0\0\0\164free'
local events, event_count = '', 0

local function read_lock(key)
  local packed = call('GET', key)
  if not packed then
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 'free', '', '', '', '', '', 0, 0, '', false}
  end
  local l = {unpack_values(packed)}
  if not l[PAGE] then -- of before there were pages
    l[PAGE], packed = '', packed .. '\218\0\0'
  end
  l[19] = packed
  return l
end

-- The first nine items take 59 bytes, each always at the same place: heartbeat.lua counts on it.
local function write_lock(key, l)
  l[19] = struct_pack('>BI8BI8BI8BI8BI8BI8BBBI2BI2c0BI2c0BI2c0BI2c0BI2c0BI2c0BI8BBI2c0',
    207, l[1], 207, l[2], 207, l[3], 207, l[4], 207, l[5], 207, l[6], l[7], l[8], 205, l[9], 218, #l[10], l[10],
    218, #l[11], l[11], 218, #l[12], l[12], 218, #l[13], l[13], 218, #l[14], l[14], 218, #l[15], l[15], 207, l[16],
    l[17], 218, #l[18], l[18])
  call('SET', key, l[19])
end

-- When something becomes of this lock, or of those who wait for it, by itself; 0: never.
local function deadline(l)
  local at, other = l[5], l[16]
  if l[10] == 'held' then
    local expires, idle = l[3], l[4]
    at = idle > 0 and idle < expires and idle or expires
  end
  if other > 0 and (other < at or at == 0) then
    return other
  end
  return at
end

-- The reply. `previous` and `lost` are packed ENDINGs; `names`, `members` and `count` go with few scripts; `waiting` is
-- items 16 to 18, packed.
local function answer(outcome, flags, l, limit, previous, lost, names, members, count, waiting)
  return (waiting and '\220\0\18' or '\159') .. struct_pack('>c3BI2c0BI8BI8BI8BI8B', '\162OK', 218, #outcome, outcome,
    207, tick, 207, now, 207, window, 207, deadline(l), flags) .. (l[19] and '\220\0\18' or FREE) .. (l[19] or '')
    .. (limit and pack(limit) or '\0') .. (previous or '\194') .. (lost or '\194')
    .. struct_pack('>BI2', 220, event_count) .. events .. (names and pack(names) or '\144')
    .. (members and pack(members, count) or '\144\0') .. (waiting or '')
end

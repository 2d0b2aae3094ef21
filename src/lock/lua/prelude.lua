-- What every script needs: the state of the call that runs, and the functions that begin a call and that read, write
-- and answer with a lock. Keys, arguments, reply, events: README.md beside this file.
-- KEYS[1]: meta. ARGV: the arguments, the caller's incarnation. Redis spends more on passing
-- values to Lua and back than on the work. Therefore all arguments are one packed value, and so is the reply; values
-- are unpacked onto the stack, not into tables; and `struct` packs everything at once (207: an integer of 8 bytes, 218:
-- text of up to 65535 bytes, 205: an integer of 2 bytes). Lua hashes every byte of every string that it makes, so a
-- long one is made once, not from parts that are put together one by one.

-- While a library is loaded, it sees no function of Lua or Redis. The first call sets these.
local call, try, may, pack, unpack_values, unpack_one, struct_pack, find, sub, match, format

-- Of the call that runs.
local KEYS, ARGV
local call_number = 0
local shard, tag -- the names of the shard's keys, and what they begin with
local clock, us, now -- the store's time: the reply of TIME, µs, ms
local tick -- the shard's clock: the id of its last event
local window -- when the open recovery window was opened, 0: none
local events, event_count -- made by this call, packed in a row

-- The server's master_replid, and when it was asked for, ms. It is asked for again if `meta` has another, and after
-- SAME_SERVER_MS. A restart and a full resynchronisation load the library anew, without an id. A change of roles keeps
-- Lua's state: a server that was a replica in between could find its own old id in both places, while the other master
-- has changed the data since. In so short a time that master has granted nothing, as its own window is open for 3 s.
-- (INFO in each call costs a tenth of it.)
local replid, asked = nil, 0
local SAME_SERVER_MS = 100

-- Whether the server is a node of a Cluster; nil: it was not asked yet.
local in_cluster

-- By the key of `meta`. A key that a caller sends costs more than one that is here.
local shards = {}

local function name_keys(meta)
  local tag = sub(meta, 1, -5)
  return {
    tag = tag, meta = meta, due = tag .. 'due', events = tag .. 'events', audit = tag .. 'audit',
    instances = tag .. 'instances', written = tag .. 'written', absent = tag .. 'absent',
  }
end

--@include window.lua
--@include need.lua

-- Ends the call while the shard's slot is being moved to another node. The server checks only KEYS before a script
-- runs; a key that is not here, since it was moved or never was, is an error in the midst of it. No key is `absent`.
local function need_whole_slot()
  if in_cluster == nil then
    in_cluster = find(call('INFO', 'cluster'), 'cluster_enabled:1') ~= nil
  end
  local answer = in_cluster and try('EXISTS', shard.absent)
  if type(answer) == 'table' then
    error({err = 'MOVING the slot may be between two nodes: ' .. answer.err})
  end
end

-- Reads the clock and `meta`, refuses a late call, and opens a recovery window if the store's past is in doubt. Returns
-- the reply to a call that is refused, else nil.
local function begin()
  if not call then
    call, try, may = redis.call, redis.pcall, redis.acl_check_cmd
    pack, unpack_values, unpack_one = cmsgpack.pack, cmsgpack.unpack, cmsgpack.unpack_one
    struct_pack, find, sub, match, format = struct.pack, string.find, string.sub, string.match, string.format
  end
  shard = shards[KEYS[KEY.META]]
  if not shard then
    shard = name_keys(KEYS[KEY.META])
    shards[shard.meta] = shard
  end
  tag = shard.tag
  call_number = call_number + 1
  clock = call('TIME')
  us = clock[1] * 1000000 + clock[2]
  now = (us - us % 1000) / 1000
  local meta = call('HMGET', shard.meta, 'replid', 'tick', 'valid')
  tick = (meta[2] or 0) + 0
  local valid = (meta[3] or now) + 0
  window = valid < 0 and -valid or 0
  events, event_count = '', 0
  local _, not_after = unpack_one(ARGV[1])
  if not_after > 0 and now > not_after then
    return pack({'LATE', 'NONE', tick, now, window})
  end
  need_whole_slot()
  if meta[1] ~= replid or now >= asked + SAME_SERVER_MS or now < asked then
    replid, asked = match(call('INFO', 'replication'), 'master_replid:(%x+)'), now
  end
  if meta[1] ~= replid then
    open_window(1)
  elseif window == 0 and now > valid then
    open_window(0)
  end
  return nil
end

-- Adds a script to the library. The server checks its own conditions before a script runs (memory, the right to write,
-- replicas), so a refused script has changed nothing. The rights of the user are checked by need.lua. After the
-- arguments may be the keys from the second on.
local function register(name, script)
  redis.register_function('wslock_DIGEST_' .. name, function(keys, args)
    for i = 3, #args do
      keys[i - 1] = args[i]
    end
    KEYS, ARGV = keys, args
    return begin() or script()
  end)
end

-- The same without a beginning, for a script that uses no key. It also runs where nothing may be written.
local function register_alone(name, script)
  redis.register_function({function_name = 'wslock_DIGEST_' .. name, callback = script, flags = {'no-writes'}})
end
-- A lock is an array: the items of LOCK and, as LOCK.PACKED, the same items packed in a row (false: free, and nobody
-- waits). Names like LOCK.TOKEN become numbers when the scripts are embedded (../layouts.def).
local FREE = '\154\0\0\0\0\0\0\0\0\0\164free'
local NO_ENDING = '\194'

local function read_lock(key)
  local packed = call('GET', key)
  if not packed then
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 'free', '', '', '', '', '', 0, 0, '', false}
  end
  local l = {unpack_values(packed)}
  if not l[LOCK.PAGE] then -- stored by schema 1
    l[LOCK.PAGE], packed = '', packed .. '\218\0\0'
  end
  l[LOCK.PACKED] = packed
  return l
end

-- The items up to QUEUED take 59 bytes, each always at the same place: heartbeat.lua relies on it.
local function pack_lock(l)
  l[LOCK.PACKED] = struct_pack('>BI8BI8BI8BI8BI8BI8BBBI2BI2c0BI2c0BI2c0BI2c0BI2c0BI2c0BI8BBI2c0',
    207, l[LOCK.TOKEN], 207, l[LOCK.SINCE], 207, l[LOCK.EXPIRES], 207, l[LOCK.IDLE], 207, l[LOCK.UNTIL],
    207, l[LOCK.LAST_EVENT], l[LOCK.DIRTY], l[LOCK.MADE], 205, l[LOCK.QUEUED], 218, #l[LOCK.STATE], l[LOCK.STATE],
    218, #l[LOCK.USER], l[LOCK.USER], 218, #l[LOCK.NAME], l[LOCK.NAME], 218, #l[LOCK.CLIENT], l[LOCK.CLIENT],
    218, #l[LOCK.POLICY], l[LOCK.POLICY], 218, #l[LOCK.TAKEOVER], l[LOCK.TAKEOVER], 207, l[LOCK.OTHER],
    l[LOCK.PROMPT], 218, #l[LOCK.PAGE], l[LOCK.PAGE])
end

local function write_lock(key, l)
  pack_lock(l)
  call('SET', key, l[LOCK.PACKED])
end

-- The next time at which this lock, or one of its waiters, changes without a call; 0: never.
local function deadline(l)
  local at, other = l[LOCK.UNTIL], l[LOCK.OTHER]
  if l[LOCK.STATE] == 'held' then
    local expires, idle = l[LOCK.EXPIRES], l[LOCK.IDLE]
    at = idle > 0 and idle < expires and idle or expires
  end
  if other > 0 and (other < at or at == 0) then
    return other
  end
  return at
end

-- Packs the reply. `more` (or nil) is a table with the items that few replies have: packed ENDINGs `previous`, `lost`;
-- `limit`; `names`; `members` and their `count`; `place`: the items from PLACE on, packed.
local NOTHING = {}
local function answer(outcome, flags, l, more)
  more = more or NOTHING
  local lock = l[LOCK.PACKED]
  return struct_pack('>c0c0BI2c0BI8BI8BI8BI8Bc0c0c0c0c0BI2c0c0c0c0', more.place and ARRAY.REPLY or ARRAY.REPLY_COUNT,
    '\162OK', 218, #outcome, outcome, 207, tick, 207, now, 207, window, 207, deadline(l), flags,
    lock and ARRAY.LOCK or FREE, lock or '', more.limit and pack(more.limit) or '\0', more.previous or NO_ENDING,
    more.lost or NO_ENDING, 220, event_count, events, more.names and pack(more.names) or '\144',
    more.members and pack(more.members, more.count) or '\144\0', more.place or '')
end

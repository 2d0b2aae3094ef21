-- Report: an instance tells what it has in one room: its members, and the lock as it knows it. Members that are
-- missing are restored. Inside a recovery window the lock is restored too, the highest token winning; outside,
-- a member whose lock is in grace goes on with it.
-- KEYS: ROOM+. Arguments: 1 notAfter, 2 resource, 3 the highest tick that it has seen in the shard, 4 members to
--   list, 5 POLICY, 6 ttl ms, 7 idle release ms or -1; the lock: 8 token (0: nothing about a lock, 9 to 17 are
--   ignored; a reserved lock has none), 9 state (held, grace, reserved), 10 userId, 11 username, 12 clientId, 13 the
--   server made the clientId, 14 since, 15 expires, 16 until, 17 dirty, 18 its pending takeover or '', 19 prompt,
--   20 its page, 21 the highest token of the resource that it has seen, 22 the tick up to which it has read the
--   shard's events; 23 how many places; for each, in order, `<clientId>:<userId>` and its packed WAITER; then for each
--   member, at most 100: userId, username, clientId, session, joined ms, page. A held lock comes with its owner, or
--   the owner is in the room already. A lock in grace has an owner whose connection to this instance has ended.
-- Reply: NONE; members; lost where the reported lock is not its owner's any more; names: sessions whose place a
--   newer session of the same tab has. AHEAD.
-- Events: what was due; JOIN; BACK of who waits; RECOVERED of the lock (outside a window: where it is held) and of
--   places, QUEUED of who is not the one that it is reserved for; RESUMED; RESERVED; STORE_LOST of a lock whose owner
--   is here and knows nothing of it; GRACE_STARTED and LEAVE of an owner whose connection has ended.
local arg = {unpack_values(ARGV[1])}
--@include publish.lua
--@include settle.lua
--@include member.lua
--@include recall.lua
--@include seen.lua
--@include highest.lua
local resource = arg[2]
local r = {
  token = arg[8], user = arg[10], name = arg[11], client = arg[12], made = arg[13], since = arg[14],
  expires = arg[15], grace = arg[16], dirty = arg[17], page = arg[20],
}
if not raise_clock(math.max(arg[3], arg[21], r.token)) then
  return pack({'AHEAD', 'NONE', tick, now, window})
end
local l = read_lock(KEYS[5])
settle(resource, l)
-- This instance has read all that was told of the lock.
local was_read = math.max(l[TOKEN], l[TOLD] * 1000) <= arg[22]

local owner = r.client .. ':' .. r.user
local replaced, here = {}, {} -- here: the session of each member that this instance has
for i = 24 + 2 * arg[23], #arg, 6 do
  local id, session, joined = arg[i + 2] .. ':' .. arg[i], arg[i + 3], arg[i + 4]
  local member = call('HGET', KEYS[6], id)
  local other, _, since
  if member then
    other, _, since = split_member(member)
  end
  if other ~= session and other and since + 0 > joined then
    replaced[#replaced + 1] = session
  else
    here[id] = session
    if other ~= session then
      enter(resource, id, session, ARGV[2], joined, arg[i + 5], arg[i + 1], '', member)
      if l[STATE] == 'held' and id == l[CLIENT] .. ':' .. l[USER] and arg[i + 5] ~= l[PAGE] then
        lose_owner(resource, l, '', true) -- another page of its tab has not taken it up
      end
      if l[QUEUED] > 0 then
        places_of(resource, l).arrive(id, '')
      end
    end
  end
end

-- The owner is here and says nothing of a lock of which this instance has read all: it has ended since, and the store
-- has lost that.
local function is_disowned()
  local id = l[CLIENT] .. ':' .. l[USER]
  return is_owned(l) and here[id] and (r.token == 0 or id ~= owner) and was_read
end

-- The reported owner's connection ended here, and the store has lost that, or has not been told: what is left of the
-- grace is as reported.
local function end_connection()
  local member, until_ms = call('HGET', KEYS[6], owner), l[UNTIL]
  if member and not here[owner] and select(2, split_member(member)) == ARGV[2] then
    depart(resource, l, owner, member, arg[19] == 1 and 'LOST' or 'SERVER', '')
    l[UNTIL] = until_ms
  end
end

if window > 0 and is_disowned() then
  finish(resource, l, 'STORE_LOST', '')
elseif window > 0 and arg[9] == 'grace' and l[TOKEN] == r.token then
  end_connection()
end
-- The owner is in the room, by the connection that is reported.
local member = arg[9] == 'held' and call('HGET', KEYS[6], owner)
local _, instance, _, page = split_member(member or '')
local held = instance == ARGV[2] and page == r.page
local idle = arg[7] > 0 and now + arg[7] or 0
local same = l[TOKEN] == r.token and l[STATE] ~= 'free'

-- Outside a window a report gives nothing back but a grace lock to its owner, and confirms one that is held.
local function confirm()
  if not same then
    return recall(r.user, r.token) or forgotten(r.token, 'NOT_HELD')
  elseif l[STATE] == 'held' then
    l[TOLD] = now
    change(resource, l, 'RECOVERED', '')
  elseif held and l[STATE] == 'grace' then
    l[STATE], l[UNTIL], l[TOLD], l[EXPIRES], l[IDLE], l[PROMPT] = 'held', 0, now, now + arg[6], idle, 0
    l[PAGE], l[POLICY] = r.page, arg[5]
    change(resource, l, 'RESUMED', '')
  end
  return nil
end

-- Inside one the highest token wins, unless it is known to have ended. A tab whose lock goes on under a new token may
-- not have been told of it yet. What was set before the clock was set back lies no further ahead than its own length.
local function restore()
  local ending
  if same or (is_owned(l) and here[owner] and owner == l[CLIENT] .. ':' .. l[USER] and l[TOKEN] > r.token) then
    r.page = held and r.page or l[PAGE]
    held = held or l[STATE] == 'held'
    r.expires, r.grace = math.max(r.expires, l[EXPIRES]), math.max(r.grace, l[UNTIL])
  else
    local lost = recall(r.user, r.token)
    if lost or r.token < l[TOKEN] then
      return lost or forgotten(r.token, 'STALE_TOKEN')
    end
    if l[QUEUED] > 0 or l[STATE] == 'reserved' then
      places_of(resource, l).restore_owner(owner)
    end
    if l[STATE] == 'held' or l[STATE] == 'grace' then
      ending = end_grant(resource, l, 'STORE_LOST')
      call('HDEL', held_by(resource, l[USER]))
    end
    l[TAKEOVER] = ''
    l[USER], l[NAME], l[CLIENT], l[MADE], l[TOKEN], l[SINCE] = r.user, r.name, r.client, r.made, r.token, r.since
    local key, child = held_by(resource, r.user)
    call('HSET', key, child, '')
  end
  l[STATE], l[EXPIRES], l[DIRTY], l[TOLD], l[POLICY] = 'held', r.expires, r.dirty, now, arg[5]
  l[IDLE], l[UNTIL], l[PROMPT], l[PAGE] = idle, 0, 0, r.page
  l[EXPIRES] = math.min(l[EXPIRES], now + arg[6])
  if l[TAKEOVER] == '' and arg[18] ~= '' then
    local t = cmsgpack.unpack(arg[18])
    t[6] = math.min(t[6], now + t[8])
    l[TAKEOVER] = pack(t)
  end
  if not held then
    local _, _, grace = policy_of(l)
    l[STATE], l[IDLE], l[PROMPT] = 'grace', 0, arg[19]
    l[UNTIL] = now + math.min(r.grace > 0 and r.grace - now or grace, grace)
  end
  if l[QUEUED] > 0 or l[OTHER] > 0 or l[TAKEOVER] ~= '' then
    places_of(resource, l).recount()
  end
  change(resource, l, 'RECOVERED', '', ending)
  return nil
end

-- Who waits, and whose turn it is, as far as the store has forgotten it.
local function restore_places()
  local places = places_of(resource, l)
  for i = 24, 23 + 2 * arg[23], 2 do
    places.restore(arg[i], cmsgpack.unpack(arg[i + 1]), arg[5])
  end
  if arg[9] == 'reserved' and l[STATE] == 'free' and l[TAKEOVER] == '' then
    l[STATE], l[USER], l[NAME], l[CLIENT], l[MADE], l[POLICY], l[TOLD] =
      'reserved', r.user, r.name, r.client, r.made, arg[5], now
    local _, _, _, claim = policy_of(l)
    l[UNTIL] = math.min(r.grace, now + claim)
    places.restore_turn(owner)
    change(resource, l, 'RECOVERED', '')
  end
end

local lost, waiting
if r.token ~= 0 then
  lost = (window > 0 and restore or confirm)()
end
if window > 0 then
  witness(resource, math.max(arg[21], r.token, highest_known(resource)))
end
if window > 0 and (arg[9] == 'reserved' or arg[23] > 0) then
  restore_places()
elseif l[QUEUED] > 0 then
  places_of(resource, l).serve('')
end
if l[QUEUED] > 0 or l[STATE] == 'reserved' then
  waiting = places_of(resource, l).reply(nil, true)
end
local list, count = list_members(resource, l, arg[4])
return answer('NONE', 0, l, nil, nil, lost, replaced, list, count, waiting)

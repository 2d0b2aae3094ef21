-- Report: an instance reports one room: its members, and the lock as it knows it. Missing members are restored. Inside
-- a recovery window the lock is restored too, and the highest token wins. Outside, a member resumes its lock in grace.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 the highest tick that it has seen in the shard, 4 members to
--   list, 5 POLICY, 6 ttl ms, 7 idle release ms or -1; the lock: 8 token (0: nothing about a lock, 9 to 17 are ignored;
--   a reserved lock has none), 9 state (held, grace, reserved), 10 userId, 11 username, 12 clientId, 13 the server made
--   the clientId, 14 since, 15 expires, 16 until, 17 dirty, 18 its pending takeover or '', 19 prompt, 20 its page, 21
--   the highest token of the resource that it has seen, 22 the tick up to which it has read the shard's events; 23 how
--   many places; for each, in order, `<clientId>:<userId>` and its packed WAITER; then for each member, at most 100:
--   userId, username, clientId, session, joined ms, page. A held lock is reported with its owner, or the owner is in
--   the room already. The owner of a lock in grace had a connection to this instance, which has ended.
-- Reply: NONE; members; lost if the owner no longer has the reported lock; names: sessions whose place a newer
--   session of the same tab has. AHEAD.
-- Events: what was due; JOIN; BACK of waiters; RECOVERED of the lock (outside a window: if it is held) and of places,
--   QUEUED of a beneficiary that is not the one in the store; RESUMED; RESERVED; STORE_LOST of a lock whose owner is
--   here and does not have it; GRACE_STARTED and LEAVE of an owner whose connection has ended.
local arg = {unpack_values(ARGV[1])}
local resource, highest, listed, policy, ttl, idle_release, token, state, user, name, client, made, since, expires,
  until_ms, dirty, takeover, prompt, page, seen, read, waiter_count = unpack(arg, 2, 23)
local WAITERS, MEMBERS = 24, 24 + 2 * waiter_count
local r = {
  token = token, user = user, name = name, client = client, made = made, since = since, expires = expires,
  grace = until_ms, dirty = dirty, page = page,
}
need_all()
if not raise_clock(math.max(highest, seen, r.token)) then
  return refuse('AHEAD', tick)
end
local l = read_lock(KEYS[KEY.LOCK])
settle(resource, l)
-- This instance has read all events of the lock.
local was_read = math.max(l[LOCK.TOKEN], l[LOCK.LAST_EVENT] * 1000) <= read

local owner = r.client .. ':' .. r.user
local replaced, here = {}, {} -- here: the session of each member that this instance has
for i = MEMBERS, #arg, 6 do
  local id, session, joined = arg[i + 2] .. ':' .. arg[i], arg[i + 3], arg[i + 4]
  local member = call('HGET', KEYS[KEY.MEMBER], id)
  local other, _, since_ms
  if member then
    other, _, since_ms = split_member(member)
  end
  if other ~= session and other and since_ms + 0 > joined then
    replaced[#replaced + 1] = session
  else
    here[id] = session
    if other ~= session then
      enter(resource, id, session, ARGV[2], joined, arg[i + 5], arg[i + 1], '', member)
      if l[LOCK.STATE] == 'held' and id == l[LOCK.CLIENT] .. ':' .. l[LOCK.USER] and arg[i + 5] ~= l[LOCK.PAGE] then
        lose_owner(resource, l, '', true) -- another page of its tab has not resumed it
      end
      if l[LOCK.QUEUED] > 0 then
        waiters_of(resource, l).arrive(id, '')
      end
    end
  end
end

-- The owner is here and does not have the lock, although this instance has read all its events: the lock has ended
-- since, and the store has lost that.
local function is_disowned()
  local id = l[LOCK.CLIENT] .. ':' .. l[LOCK.USER]
  return is_owned(l) and here[id] and (r.token == 0 or id ~= owner) and was_read
end

-- The reported owner's connection ended here, and the store has lost that, or was not told. The rest of the grace
-- period is as reported.
local function end_connection()
  local member, left_ms = call('HGET', KEYS[KEY.MEMBER], owner), l[LOCK.UNTIL]
  if member and not here[owner] and select(2, split_member(member)) == ARGV[2] then
    depart(resource, l, owner, member, prompt == 1 and 'LOST' or 'SERVER', '')
    l[LOCK.UNTIL] = left_ms
  end
end

if window > 0 and is_disowned() then
  finish(resource, l, 'STORE_LOST', '')
elseif window > 0 and state == 'grace' and l[LOCK.TOKEN] == r.token then
  end_connection()
end
-- The owner is in the room, by the reported connection.
local member = state == 'held' and call('HGET', KEYS[KEY.MEMBER], owner)
local _, instance, _, member_page = split_member(member or '')
local held = instance == ARGV[2] and member_page == r.page
local idle = idle_release > 0 and now + idle_release or 0
local same = l[LOCK.TOKEN] == r.token and l[LOCK.STATE] ~= 'free'

-- Outside a window a report restores only a lock in grace to its owner, and confirms a held lock.
local function confirm()
  if not same then
    return recall(r.user, r.token) or forgotten(r.token, 'NOT_HELD')
  elseif l[LOCK.STATE] == 'held' then
    l[LOCK.LAST_EVENT] = now
    change(resource, l, 'RECOVERED', '')
  elseif held and l[LOCK.STATE] == 'grace' then
    l[LOCK.STATE], l[LOCK.UNTIL], l[LOCK.PROMPT], l[LOCK.PAGE], l[LOCK.POLICY] = 'held', 0, 0, r.page, policy
    l[LOCK.LAST_EVENT], l[LOCK.EXPIRES], l[LOCK.IDLE] = now, now + ttl, idle
    change(resource, l, 'RESUMED', '')
  end
  return nil
end

-- Inside one the highest token wins, unless its grant is known to have ended. A tab whose lock continues under a new
-- token may not know it yet. A deadline from before the clock was set back is at most its whole period from now.
local function restore()
  local ending
  local owns = is_owned(l) and owner == l[LOCK.CLIENT] .. ':' .. l[LOCK.USER]
  if same or (owns and here[owner] and l[LOCK.TOKEN] > r.token) then
    r.page = held and r.page or l[LOCK.PAGE]
    held = held or l[LOCK.STATE] == 'held'
    r.expires, r.grace = math.max(r.expires, l[LOCK.EXPIRES]), math.max(r.grace, l[LOCK.UNTIL])
  else
    local lost = recall(r.user, r.token)
    if lost or r.token < l[LOCK.TOKEN] then
      return lost or forgotten(r.token, 'STALE_TOKEN')
    end
    if l[LOCK.QUEUED] > 0 or l[LOCK.STATE] == 'reserved' then
      waiters_of(resource, l).restore_owner(owner)
    end
    if l[LOCK.STATE] == 'held' or l[LOCK.STATE] == 'grace' then
      ending = end_grant(resource, l, 'STORE_LOST')
      call('HDEL', held_by(resource, l[LOCK.USER]))
    end
    l[LOCK.TAKEOVER] = ''
    l[LOCK.USER], l[LOCK.NAME], l[LOCK.CLIENT], l[LOCK.MADE] = r.user, r.name, r.client, r.made
    l[LOCK.TOKEN], l[LOCK.SINCE] = r.token, r.since
    local key, child = held_by(resource, r.user)
    call('HSET', key, child, '')
  end
  l[LOCK.STATE], l[LOCK.EXPIRES], l[LOCK.DIRTY] = 'held', r.expires, r.dirty
  l[LOCK.LAST_EVENT], l[LOCK.POLICY] = now, policy
  l[LOCK.IDLE], l[LOCK.UNTIL], l[LOCK.PROMPT], l[LOCK.PAGE] = idle, 0, 0, r.page
  l[LOCK.EXPIRES] = math.min(l[LOCK.EXPIRES], now + ttl)
  if l[LOCK.TAKEOVER] == '' and takeover ~= '' then
    local t = cmsgpack.unpack(takeover)
    t[TAKEOVER.FORCE_AT] = math.min(t[TAKEOVER.FORCE_AT], now + t[TAKEOVER.LENGTH])
    l[LOCK.TAKEOVER] = pack(t)
  end
  if not held then
    local _, _, grace = policy_of(l)
    l[LOCK.STATE], l[LOCK.IDLE], l[LOCK.PROMPT] = 'grace', 0, prompt
    l[LOCK.UNTIL] = now + math.min(r.grace > 0 and r.grace - now or grace, grace)
  end
  if l[LOCK.QUEUED] > 0 or l[LOCK.OTHER] > 0 or l[LOCK.TAKEOVER] ~= '' then
    waiters_of(resource, l).recount()
  end
  change(resource, l, 'RECOVERED', '', ending)
  return nil
end

-- Restores places, and the turn, as far as the store has lost them.
local function restore_waiters()
  local waiters = waiters_of(resource, l)
  for i = WAITERS, MEMBERS - 1, 2 do
    waiters.restore(arg[i], cmsgpack.unpack(arg[i + 1]), policy)
  end
  if state == 'reserved' and l[LOCK.STATE] == 'free' and l[LOCK.TAKEOVER] == '' then
    l[LOCK.STATE], l[LOCK.USER], l[LOCK.NAME], l[LOCK.CLIENT], l[LOCK.MADE], l[LOCK.POLICY], l[LOCK.LAST_EVENT] =
      'reserved', r.user, r.name, r.client, r.made, policy, now
    local _, _, _, claim = policy_of(l)
    l[LOCK.UNTIL] = math.min(r.grace, now + claim)
    waiters.restore_turn(owner)
    change(resource, l, 'RECOVERED', '')
  end
end

local lost, place
if r.token ~= 0 then
  lost = (window > 0 and restore or confirm)()
end
if window > 0 then
  note_token(resource, math.max(seen, r.token, highest_known(resource)))
end
if window > 0 and (state == 'reserved' or waiter_count > 0) then
  restore_waiters()
elseif l[LOCK.QUEUED] > 0 then
  waiters_of(resource, l).serve('')
end
if l[LOCK.QUEUED] > 0 or l[LOCK.STATE] == 'reserved' then
  place = waiters_of(resource, l).reply(nil, true)
end
local members, count = list_members(resource, l, listed)
return answer('NONE', 0, l, {lost = lost, names = replaced, members = members, count = count, place = place})

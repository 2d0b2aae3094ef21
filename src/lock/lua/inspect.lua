-- Inspect: a lock with its waiters, members and endings, for an operator; and what an acquire from a new tab of a user
-- would get.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource, 3 userId ('': nobody's acquire is judged), 4 most locks of a user in a
--   document or -1, 5 most places in the queue, -1: no limit, 0: no queue, 6 members to list.
-- Reply: NONE, or the outcome of the acquire; names: the packed ENDINGs, newest first; members; waiting (all places).
-- Events: what was due.
local _, limit, most, listed
_, resource, user, limit, most, listed = unpack_values(ARGV[1])
client, made = '', 0
local l = read_lock(KEYS[KEY.LOCK])
settle(resource, l)

-- The same as held_elsewhere of judge.lua, but nothing is settled or removed.
local function count_elsewhere()
  local document, own = match(resource, '^(.*):(.*)$')
  local count = 0
  for _, child in ipairs(call('HKEYS', KEYS[KEY.HELD])) do
    local other = child ~= own and read_lock(tag .. 'lock:' .. document .. ':' .. child)
    if other and other[LOCK.USER] == user and is_owned(other) then
      local at = other[LOCK.STATE] == 'held' and other[LOCK.EXPIRES] or other[LOCK.UNTIL]
      count = count + (at > now and (other[LOCK.IDLE] == 0 or other[LOCK.IDLE] > now) and 1 or 0)
    end
  end
  return count
end

local outcome = 'NONE'
if user ~= '' then
  outcome = judge(l, -1, false, HOW.ACQUIRE, most)
  if outcome ~= 'RECOVERING' and limit >= 0 and count_elsewhere() >= limit then
    outcome = 'TAB_LIMIT'
  elseif outcome == 'grant' then
    outcome = 'GRANTED'
  elseif outcome == 'QUEUED' and most >= 0 and l[LOCK.QUEUED] >= most then
    outcome = 'QUEUE_FULL'
  end
end
local members, count = list_members(resource, l, listed)
return answer(outcome, 0, l, {
  limit = outcome == 'TAB_LIMIT' and limit, names = call('LRANGE', KEYS[KEY.ENDED], '0', '15'), members = members,
  count = count, place = waiters_of(resource, l).reply(nil, true),
})

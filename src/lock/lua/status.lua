-- Status: the state of the lock, for anyone.
-- KEYS: ROOM. Arguments: 1 notAfter, 2 resource.
-- Reply: NONE.
-- Events: what was due.
local _, resource = unpack_values(ARGV[1])
local l = read_lock(KEYS[KEY.LOCK])
if deadline(l) > now or deadline(l) == 0 then
  return answer('NONE', 0, l)
end
settle(resource, l)
return answer('NONE', 0, l)

-- List: reads locks for an operator's list. Settles nothing.
-- KEYS: SHARD; others are built from the resources. Arguments: 1 notAfter, 2 userId: only locks that this user has or
--   that are reserved for it ('': all); then the resources.
-- Reply: NONE; names: of each lock that is not free its resource and the packed LOCK. One that cannot be read is left
--   out.
-- Events: none.
local arg, found = {unpack_values(ARGV[1])}, {}
for i = 3, #arg do
  local readable, l = pcall(read_lock, tag .. 'lock:' .. arg[i])
  if readable and (is_owned(l) or l[LOCK.STATE] == 'reserved') and (arg[2] == '' or l[LOCK.USER] == arg[2]) then
    found[#found + 1] = arg[i]
    found[#found + 1] = ARRAY.LOCK .. l[LOCK.PACKED]
  end
end
return answer_shard(0, #found > 0 and found or nil)

-- List: reads locks for an operator's list. Settles nothing.
-- KEYS: SHARD; others are built from the resources. Arguments: 1 notAfter, 2 userId: only locks that this user has or
--   that are reserved for it ('': all), 3 text: only locks with it in the resource or in that user's id or name, ASCII
--   letters in either case ('': all); then the resources.
-- Reply: NONE; names: of each lock that is not free its resource and the packed LOCK. One that cannot be read is left
--   out.
-- Events: none.
local arg, found = {unpack_values(ARGV[1])}, {}
local text = string.lower(arg[3])
local function has_text(...)
  for _, part in ipairs({...}) do
    if string.find(string.lower(part), text, 1, true) then return true end
  end
  return false
end
for i = 4, #arg do
  local readable, l = pcall(read_lock, tag .. 'lock:' .. arg[i])
  if readable and (is_owned(l) or l[LOCK.STATE] == 'reserved') and (arg[2] == '' or l[LOCK.USER] == arg[2])
      and has_text(arg[i], l[LOCK.USER], l[LOCK.NAME]) then
    found[#found + 1] = arg[i]
    found[#found + 1] = ARRAY.LOCK .. l[LOCK.PACKED]
  end
end
return answer_shard(0, #found > 0 and found or nil)

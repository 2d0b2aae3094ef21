-- Included by what may find a lock whose token is below one that was granted after it; needs settle.lua.

local function is_owned(l)
  return l[STATE] == 'held' or l[STATE] == 'grace'
end

-- A lock is not confirmed below `highest`: where somebody stands for it in this window, it goes on under a new token.
local function lift_token(resource, l, highest)
  if is_owned(l) and l[TOKEN] < highest and l[TOLD] >= window then
    local ending = end_grant(resource, l, 'MOVED')
    l[TOKEN], l[SINCE], l[TOLD] = us > tick and us or tick + 1, now, now
    change(resource, l, 'RECOVERED', '', ending)
  end
end

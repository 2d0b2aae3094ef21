-- The page in the value of a member (false: not in the room), '' for none. Plain searches cost a tenth of a pattern
-- here.
local function page_of(member)
  if member then
    local joined_at = find(member, ' ', find(member, ' ', 1, true) + 1, true) + 1
    local slash, space = find(member, '/', joined_at, true), find(member, ' ', joined_at, true)
    if slash and slash < space then
      return sub(member, slash + 1, space - 1)
    end
  end
  return ''
end

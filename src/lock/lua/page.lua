-- Included by scripts that need the page of a member, whose value in the room is `member` (false: not in the room).
-- Sets `page`, '' for none. Plain searches cost a tenth of a pattern here.
local page = ''
if member then
  local find = string.find
  local joined_at = find(member, ' ', find(member, ' ', 1, true) + 1, true) + 1
  local slash, space = find(member, '/', joined_at, true), find(member, ' ', joined_at, true)
  if slash and slash < space then
    page = string.sub(member, slash + 1, space - 1)
  end
end

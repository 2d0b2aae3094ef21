-- Included by what needs the page of a member, whose value in the room is `member` (false: it is not there). Gives
-- `page`, '' for none.
local page = member and string.match(member, '^%S+ %S+ %d+/(%S+)') or ''

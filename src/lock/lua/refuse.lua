-- The reply to a call that is refused and has changed nothing. `found`: its rev; for SHARDS and SCHEMA the number that
-- the store has.
local function refuse(status, found)
  return pack({status, 'NONE', found, now, window})
end

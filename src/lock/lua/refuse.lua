-- Included by scripts that may refuse a call and change nothing.

-- The reply. `found`: its rev; for SHARDS and SCHEMA the number that the store has.
local function refuse(status, found)
  return pack({status, 'NONE', found, now, window})
end

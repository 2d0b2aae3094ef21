-- Included by scripts that only members may call, and nobody inside a window; needs settle.lua, and of the including
-- script the caller: resource, session, user, client. Settles what is due.
local l = read_lock(KEYS[KEY.LOCK])
settle(resource, l)
local id = client .. ':' .. user
local member = call('HGET', KEYS[KEY.MEMBER], id)
if not member or sub(member, 1, #session + 1) ~= session .. ' ' then
  return answer('NOT_JOINED', 0, l)
elseif window > 0 then
  return answer('RECOVERING', 0, l)
end

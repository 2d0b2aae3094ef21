-- How the grant of `token` to `user` ended: the packed ENDING and its reason, or nil.
local function recall(user, token)
  for _, packed in ipairs(call('LRANGE', KEYS[KEY.ENDED], '0', '15')) do
    local ending = unpack_values(packed)
    if ending[ENDING.USER] == user and ending[ENDING.TOKEN] == token then
      return packed, ending[ENDING.REASON]
    end
  end
  return nil
end

local function forgotten(token, reason)
  return pack({'', '', '', token, reason, 0, false, 0, 0, ''})
end

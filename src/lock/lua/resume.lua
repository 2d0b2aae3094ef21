-- Included by judge and heartbeat; needs `page`, the caller's.

-- Whether the caller, the owner's tab on another connection, keeps the token of the lock: on the same page, or from
-- grace if one of the two pages has no id.
local function keeps_token(l)
  if page == '' or l[LOCK.PAGE] == '' then
    return l[LOCK.STATE] == 'grace'
  end
  return page == l[LOCK.PAGE]
end

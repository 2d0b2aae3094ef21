-- Included by judge and heartbeat; needs `page`, the caller's.

-- Whether the caller, the owner's tab on another connection, may go on with the lock under its token: on the same page,
-- or from grace where one of the two pages has no name.
local function keeps_token(l)
  if page == '' or l[LOCK.PAGE] == '' then
    return l[LOCK.STATE] == 'grace'
  end
  return page == l[LOCK.PAGE]
end

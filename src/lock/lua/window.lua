-- Included by prelude.lua.

-- Opens a recovery window. `lost`: 1 if the store may have lost writes, else 0. The gap began with the last lease that
-- any instance renewed. Two gaps with less than 5 s between them are one: the deadlines in the first may not be settled
-- yet. A scan by another server starts again.
local function open_window(lost)
  local last_from, last_to, last_renewed, scanning =
    unpack(call('HMGET', shard.meta, 'from', 'to', 'renewed', 'back'))
  local from = (last_renewed or now) + 0
  if last_from and (window > 0 or (last_to and from - last_to < 5000)) then
    from = math.min(from, last_from + 0)
  end
  window = now > window and now or window + 1
  call('HSET', shard.meta, 'replid', replid, 'tick', tick, 'valid', -window, 'window', window, 'from', from,
    'lost', lost)
  if scanning then
    call('HSET', shard.meta, 'back', '0')
  end
end

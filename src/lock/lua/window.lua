-- Included where a recovery window opens. Of the including script: `lost`, 1 where the store may have lost writes,
-- else 0. The gap began with the last lease that anyone renewed. Two gaps with less than 5 s between them are one:
-- what fell into the first may not have been settled. A scan by another server begins anew.
local past = call('HMGET', KEYS[1], 'from', 'to', 'renewed', 'back')
local from = (past[3] or now) + 0
if past[1] and (window > 0 or (past[2] and from - past[2] < 5000)) then
  from = math.min(from, past[1] + 0)
end
window = now > window and now or window + 1
call('HSET', KEYS[1], 'replid', string.match(replication, 'master_replid:(%x+)'), 'tick', tick, 'valid', -window,
  'window', window, 'from', from, 'lost', lost)
if past[4] then
  call('HSET', KEYS[1], 'back', '0')
end

-- Advances the clock and writes an event under its tick. `last`: the number of the event's last item. `what`: a
-- cause, or a member's id. Then the items after that, packed, in one to three parts. The tick is converted to text
-- once, since Redis prints a number among a command's arguments with %.17g.
local function publish(last, kind, resource, actor, what, first, second, third)
  local prev = tick
  tick = us > prev and us or prev + 1
  local event = struct_pack('>BBBI8BI8BI2c0BI2c0BI2c0c0c0c0', 144 + last, kind, 207, tick, 207, prev,
    218, #resource, resource, 218, #actor, actor, 218, #what, what, first,
    second or '', third or '')
  local id = tick == us and clock[1] .. sub('00000' .. clock[2], -6) or string.format('%.0f', tick)
  events, event_count = event_count > 0 and events .. event or event, event_count + 1
  call('HSET', shard.meta, 'tick', id)
  -- Streams are trimmed by whole nodes of about 100 entries, so one call in 16 is enough.
  if tick % 16 == 0 then
    call('XADD', shard.events, 'MINID', '~', us - 60000000, id, 'e', event)
  else
    call('XADD', shard.events, id, 'e', event)
  end
  if what ~= 'RENEWED' then
    call('XADD', shard.audit, id, 'e', event, 'i', ARGV[2])
  end
end

-- Included by what opens and closes recovery windows for a lock; needs publish.lua.

-- The highest token of grants that are over, as far as the store remembers: by their endings, and by what was told of
-- them in earlier windows.
local function highest_known(resource)
  local last = call('LINDEX', tag .. 'ended:' .. resource, '0')
  local kept = call('GET', tag .. 'highest:' .. resource) or 0
  return math.max(last and unpack_values(last)[ENDING.TOKEN] or 0, kept + 0)
end

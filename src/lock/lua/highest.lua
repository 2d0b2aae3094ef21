-- The highest token of grants that have ended, as far as the store knows: from their endings, and from the reports of
-- earlier windows.
local function highest_known(resource)
  local last = call('LINDEX', tag .. 'ended:' .. resource, '0')
  local kept = call('GET', tag .. 'highest:' .. resource) or 0
  return math.max(last and unpack_values(last)[ENDING.TOKEN] or 0, kept + 0)
end

-- part quarantine: sets bad data aside, where a person sees it (G13).
local quarantined = 0

local function quarantine(kind, where, blob, reason)
  local member
  repeat
    quarantined = quarantined + 1
    member = table.concat({ kind, text(now_us), text(quarantined), where }, ' ')
  until safely('ZADD', P .. 'quarantine', 'NX', now_ms, member) == 1
  safely('HSET', P .. 'quarantined', member, reason .. '\n' .. blob)
end

-- Trims to the bounds of R28, a hundred entries at a time; what leaves is counted.
local function trim_quarantine(most, oldest_ms)
  local old = safely('ZRANGE', P .. 'quarantine', '-inf', '(' .. text(oldest_ms), 'BYSCORE',
    'LIMIT', 0, 100)
  local excess = call('ZCARD', P .. 'quarantine') - most
  if #old == 0 and excess > 0 then
    old = call('ZRANGE', P .. 'quarantine', 0, math.min(excess, 100) - 1)
  end
  for _, member in ipairs(old) do
    call('ZREM', P .. 'quarantine', member)
    safely('HDEL', P .. 'quarantined', member)
    if string.sub(member, 1, 4 + #P + 6) == 'key ' .. P .. 'aside:' then
      call('UNLINK', string.sub(member, 5))
    end
  end
  return #old
end

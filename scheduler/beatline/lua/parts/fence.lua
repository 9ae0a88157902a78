-- part fence: the partition's hybrid clock (R11). Tokens only rise, whatever the clock does.
local function draw_fence(count)
  local last = tonumber(safely('GET', P .. 'fence') or '0')
  if not last or last ~= last or last < 0 or last > 8e15 then
    last = 0
  end
  local first = math.max(last + 1, now_us)
  redis.call('SET', P .. 'fence', text(first + count - 1))
  return first
end

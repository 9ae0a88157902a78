-- part fence: the partition's hybrid clock (R11). Tokens only rise, whatever the clock does.
-- Draws `count` tokens in a row; returns the first, and the last as text.
local function draw_fence(count)
  local first, last = now_us, text(now_us + count - 1)
  local before = tonumber(safely('SET', P .. 'fence', last, 'GET') or '')
  if before and before >= now_us and before < 8e15 then
    first = math.floor(before) + 1
    last = text(first + count - 1)
    call('SET', P .. 'fence', last)
  end
  return first, last
end

-- part timeline: puts members on the one sorted set; a new head wakes beat at once.
-- `pairs_of`: due in ms as text, member, and so on; `earliest` is the least due.
local function put_all_on_timeline(pairs_of, earliest)
  local head = safely('ZRANGE', P .. 'timeline', 0, 0, 'WITHSCORES')
  for first = 1, #pairs_of, 2000 do
    call('ZADD', P .. 'timeline', unpack(pairs_of, first, math.min(first + 1999, #pairs_of)))
  end
  if not head[2] or earliest < tonumber(head[2]) then
    safely('RPUSH', P .. 'wake:beat', '1')
    call('LTRIM', P .. 'wake:beat', -4, -1)
  end
end

local function put_on_timeline(member, due_ms)
  put_all_on_timeline({ text(due_ms), member }, due_ms)
end

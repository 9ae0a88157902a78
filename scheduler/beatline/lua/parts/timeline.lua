-- part timeline: puts a member on the one sorted set; a new head wakes beat at once.
local function nudge_beat(member)
  local head = redis.call('ZRANGE', P .. 'timeline', 0, 0)
  if head[1] == member then
    safely('RPUSH', P .. 'wake:beat', '1')
    redis.call('LTRIM', P .. 'wake:beat', -4, -1)
  end
end

local function put_on_timeline(member, due_ms)
  safely('ZADD', P .. 'timeline', text(due_ms), member)
  nudge_beat(member)
end

-- part quarantine: sets bad data aside, where a person sees it (G13).
local function quarantine(kind, where, blob, reason)
  local member = kind .. ' ' .. text(now_us) .. ' ' .. where
  safely('ZADD', P .. 'quarantine', now_ms, member)
  safely('HSET', P .. 'quarantined', member, reason .. '\n' .. blob)
  local excess = redis.call('ZCARD', P .. 'quarantine') - 100000
  if excess > 0 then
    local oldest = redis.call('ZRANGE', P .. 'quarantine', 0, math.min(excess, 100) - 1)
    redis.call('ZREM', P .. 'quarantine', unpack(oldest))
    redis.call('HDEL', P .. 'quarantined', unpack(oldest))
    safely('HINCRBY', P .. 'counters', 'quarantine_dropped', #oldest)
  end
end

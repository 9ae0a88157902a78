-- part results: what is kept of a job's end, for its time, and told to who waits.
-- `ttl_ms` is a number, or digits. A user without the right to publish may settle all the same:
-- waiters then look for themselves.
local function keep_result(id, state, body, ttl_ms)
  local ttl = tonumber(ttl_ms)
  if ttl ~= ttl_ms and ttl >= 1 and ttl <= 1e13 and not string.find(ttl_ms, '%D') then
    ttl = ttl_ms
  else
    ttl = text(math.min(math.max(ttl, 1), 1e13))
  end
  call('SET', P .. 'result:' .. id, state .. '\n' .. body, 'PX', ttl)
  redis.pcall('PUBLISH', P .. 'done:' .. id, state)
end

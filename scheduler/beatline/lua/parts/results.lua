-- part results: what is kept of a job's end, for its time, and told to who waits.
local is_awaited

-- Published only while somebody waits for ends (look.lua): that costs a third of all that a kept
-- result costs. A user without the right to publish may settle all the same: who waits then looks.
local function tell_end(id, state)
  if is_awaited == nil then is_awaited = call('EXISTS', P .. 'awaited') == 1 end
  if is_awaited then redis.pcall('PUBLISH', P .. 'done:' .. id, state) end
end

local function lifetime(ttl_ms)
  local ttl = tonumber(ttl_ms)
  if ttl ~= ttl_ms and ttl >= 1 and ttl <= 1e13 and not string.find(ttl_ms, '%D') then
    return ttl_ms
  end
  return text(math.min(math.max(ttl, 1), 1e13))
end

-- `ttl_ms` is a number, or digits.
local function keep_result(id, state, body, ttl_ms)
  call('SET', P .. 'result:' .. id, state .. '\n' .. body, 'PX', lifetime(ttl_ms))
  tell_end(id, state)
end

-- Results of successes: each stands whole in ARGV, two behind its place.
local function keep_results(ids, places, ttl_ms)
  local ttl, kept = lifetime(ttl_ms), P .. 'result:'
  for i = 1, #ids do
    call('SET', kept .. ids[i], ARGV[places[i] + 2], 'PX', ttl)
  end
  for i = 1, #ids do
    if is_awaited == false then break end
    tell_end(ids[i], 'SUCCESS')
  end
end

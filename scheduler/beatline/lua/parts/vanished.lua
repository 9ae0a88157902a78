-- part vanished: empties the hands of a worker that is gone, a bounded number of jobs at a time.
-- What lay unopened in a wake list is not charged: its consumer never saw it (R4).
local function strike_consumers(worker)
  local unopened, books = {}, safely('HGETALL', P .. 'consumers:' .. worker)
  for at = 1, #books, 2 do
    local connection, idle = string.match(books[at + 1], '^.-|(%d+)|(.*)$')
    local wake = books[at] .. ':' .. (connection or '0')
    for queue in string.gmatch(idle or '', '[^,]+') do
      safely('SREM', P .. 'idle:' .. queue,
        worker .. '|' .. books[at] .. '|' .. connection .. '|' .. idle)
    end
    for _, offer in ipairs(safely('LRANGE', P .. 'wake:' .. wake, 0, -1)) do
      unopened[string.match(offer, '^%d+') or ''] = true
    end
    redis.call('DEL', P .. 'wake:' .. wake)
    safely('ZREM', P .. 'offers', worker .. '|' .. wake)
  end
  redis.call('DEL', P .. 'consumers:' .. worker)
  return unopened
end

-- Returns how many jobs were taken back; the worker leaves `gone` when all is empty.
local function empty_vanished(worker, limit, max_deliveries, ttl_ms)
  local held, about = P .. 'held:' .. worker, P .. 'worker:' .. worker
  local unopened = strike_consumers(worker)
  local all, entries = safely('HGETALL', held), {}
  for at = 1, #all, 2 do
    local fence = string.match(all[at + 1], ':(%d+)$') or '0'
    entries[#entries + 1] = { all[at], fence, not unopened[fence] }
  end
  -- Highest fences first: later calls put what came earlier in front of them.
  table.sort(entries, function(a, b) return tonumber(a[2]) > tonumber(b[2]) end)
  local now = {}
  for i = 1, math.min(limit, #entries) do now[i] = entries[i] end
  local described = safely('HMGET', about, 'host', 'pid', 'max_deliveries', 'renewed')
  local forensics = cjson.encode({
    reason = 'worker vanished', worker = worker, host = described[1] or '',
    pid = described[2] or '', last_renewal_ms = described[4] or '', at_ms = text(now_ms),
  })
  return_held(held, now, forensics, tonumber(described[3] or '') or max_deliveries, tonumber(ttl_ms))
  if #now == #entries then
    redis.call('DEL', held, about, P .. 'control:' .. worker)
    redis.call('ZREM', P .. 'gone', worker)
  end
  return #now
end

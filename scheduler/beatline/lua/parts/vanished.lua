-- part vanished: empties the hands of a worker that is gone, a bounded number at a time.
-- Takes back up to `limit` jobs of a worker that is gone; how many. It leaves `gone` when all is
-- empty. What was never opened comes first, because only the first call knows it; then the highest
-- fences, because later calls put what came earlier in front of them.
local function empty_vanished(worker, limit, max_deliveries, ttl_ms)
  local held, unopened = P .. 'held:' .. worker, strike_consumers(worker)
  local entries, garbage = held_by(held)
  for _, entry in ipairs(garbage) do entries[#entries + 1] = entry end
  for _, entry in ipairs(entries) do entry.is_charged = not unopened[entry.fence] end
  table.sort(entries, function(a, b)
    if a.is_charged ~= b.is_charged then return b.is_charged end
    return a.fence > b.fence
  end)
  local now = {}
  for i = 1, #entries do
    if i <= limit or not entries[i].is_charged then now[i] = entries[i] end
  end
  local described = safely('HMGET', P .. 'worker:' .. worker, 'host', 'pid', 'max_deliveries',
    'renewed')
  local forensics = cjson.encode({
    reason = 'worker vanished', worker = worker, host = described[1] or '',
    pid = described[2] or '', last_renewal_ms = described[4] or '', at_ms = text(now_ms),
  })
  return_held(held, now, forensics, whole(described[3]) or max_deliveries, ttl_ms)
  if #now == #entries then forget_worker(worker) end
  return #now
end

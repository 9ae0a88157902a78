-- reclaim: RUNNING -> QUEUED | RUNNING | CANCELLED | LOST | DEAD
-- Ticks the watch, and takes back what workers held whose lease ran out while a beat watched.
-- Guarantee: unobserved time does not age a lease (G10, R12); a worker enters `gone` before it is
-- emptied, so that no call of its can come between (R15); at most `limit` jobs a call.
-- ARGV: now, limit, max deliveries (where the worker said none), result ttl in ms.
-- REPLY: {W in ms, workers that were found gone, jobs taken back, workers still to be emptied,
--   absence: ms without any tick before this one, or 0}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
-- include: timeline
-- include: ledger
-- include: finish
-- include: returning
-- include: vanished
local LONGEST_STEP_MS = 2000
allow_when_full()

local function number_at(field)
  local value = tonumber(safely('HGET', P .. 'watch', field) or '')
  return value and value == value and value >= 0 and value < 9e15 and value or nil
end
local last, observed, amnesty = number_at('t'), number_at('w') or 0, number_at('a') or 0
local gap = last and now_ms - last or LONGEST_STEP_MS + 1
if gap < 0 or gap > LONGEST_STEP_MS then
  -- Nobody watched: the living get a full lease, counted from here, to report.
  amnesty = observed + math.min(math.max(gap, 0), LONGEST_STEP_MS)
  if last and gap > 0 then
    safely('RPUSH', P .. 'absences', text(last) .. ' ' .. text(now_ms))
    redis.call('LTRIM', P .. 'absences', -100, -1)
  end
end
observed = observed + math.min(math.max(gap, 0), LONGEST_STEP_MS)
redis.call('HSET', P .. 'watch', 't', text(now_ms), 'w', text(observed), 'a', text(amnesty))

local found = {}
local overdue = safely('ZRANGE', P .. 'workers', '-inf', '(' .. text(observed), 'BYSCORE',
  'LIMIT', 0, 10)
for _, worker in ipairs(overdue) do
  local lease_ms = tonumber(safely('HGET', P .. 'worker:' .. worker, 'lease_ms') or '') or 15000
  if observed >= amnesty + lease_ms then
    redis.call('ZREM', P .. 'workers', worker)
    safely('ZADD', P .. 'gone', now_ms, worker)
    found[#found + 1] = worker
  end
end

local returned, limit = 0, tonumber(ARGV[2])
for _, worker in ipairs(safely('ZRANGE', P .. 'gone', 0, 9)) do
  if returned < limit then
    returned = returned + empty_vanished(worker, limit - returned, tonumber(ARGV[3]), ARGV[4])
  end
end
return { text(observed), found, returned, safely('ZCARD', P .. 'gone'),
  last and gap > LONGEST_STEP_MS and text(gap) or '0' }

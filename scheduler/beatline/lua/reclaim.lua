-- reclaim: RUNNING -> QUEUED | RUNNING | CANCELLED | LOST | DEAD
-- Ticks the watch, and takes back what workers held whose lease ran out while a beat watched.
-- Guarantee: unobserved time does not age a lease (G10, R12); a worker enters `gone` before it is
-- emptied, so that no call of its can come between (R15); at most `limit` jobs a call.
-- ARGV: now, limit, max deliveries (where the worker said none), result ttl in ms.
-- REPLY: {W in ms, workers that were found gone, jobs taken back, workers still to be emptied,
--   absence: ms without any tick before this one, or 0}
-- include: prelude, numbers, record, job, counting, quarantine, marks, watched
-- defer: fence, queues, handing
-- include: handing_one, make_ready, ledger, results, timeline, buffering, closing, finish, holding, consumer
-- include: returning, striking, vanished
local LONGEST_STEP_MS = 2000
allow_when_full()

local watch = safely('HMGET', P .. 'watch', 't', 'a')
local last, observed, amnesty = whole(watch[1]), watched_ms(), whole(watch[2]) or 0
local gap = last and now_ms - last or LONGEST_STEP_MS + 1
local step = math.min(math.max(gap, 0), LONGEST_STEP_MS)
observed = observed + step
if gap ~= step or amnesty > observed then
  -- Nobody watched: the living get a full lease, counted from here, to report.
  amnesty = observed
  if last and gap > step then
    safely('RPUSH', P .. 'absences', text(last) .. ' ' .. text(now_ms))
    call('LTRIM', P .. 'absences', -100, -1)
  end
end
call('HSET', P .. 'watch', 't', text(now_ms), 'w', text(observed), 'a', text(amnesty))

local function lease_of(worker)
  local lease_ms = whole(safely('HGET', P .. 'worker:' .. worker, 'lease_ms'))
  return lease_ms and lease_ms <= 86400000 and lease_ms or 15000
end
-- No lease ends later than a lease from now: a deadline that does was written under a watch that
-- has been lost since, or by nobody of ours. Left there, its worker would never be reclaimed.
local latest = safely('ZRANGE', P .. 'workers', 0, 9, 'REV', 'WITHSCORES')
for at = 1, #latest, 2 do
  local ends = observed + lease_of(latest[at])
  if tonumber(latest[at + 1]) > ends then
    call('ZADD', P .. 'workers', text(ends), latest[at])
  end
end

-- A step of the watch that is long beside a lease must not end it alone: where the whole machine
-- stood still for a moment, its workers get a quarter of their lease to report.
local function is_over(worker)
  local lease_ms, about = lease_of(worker), P .. 'worker:' .. worker
  if observed < amnesty + lease_ms then return false end
  local since = tonumber(safely('HGET', about, 'suspect') or '')
  if since and since <= now_ms then return now_ms - since >= lease_ms / 4 end
  if 4 * step <= lease_ms then return true end
  call('HSET', about, 'suspect', text(now_ms))
  return false
end

local found = {}
for _, worker in ipairs(call('ZRANGE', P .. 'workers', '-inf', '(' .. text(observed), 'BYSCORE',
  'LIMIT', 0, 100)) do
  if is_over(worker) then
    call('ZREM', P .. 'workers', worker)
    safely('ZADD', P .. 'gone', now_ms, worker)
    found[#found + 1] = worker
  end
end

local returned, limit = 0, tonumber(ARGV[2])
for _, worker in ipairs(safely('ZRANGE', P .. 'gone', 0, 9)) do
  if returned < limit then
    returned = returned + empty_vanished(worker, limit - returned, tonumber(ARGV[3]),
      tonumber(ARGV[4]))
  end
end
return { text(observed), found, returned, safely('ZCARD', P .. 'gone'),
  gap > step and last and text(gap) or '0' }

-- release: RUNNING -> QUEUED | SUCCESS | FAILURE | CANCELLED | EXPIRED | LOST | DEAD | RETRYING | SCHEDULED
-- A child has ended, for certain (R3): its supervisor settles what the child had finished, charges
-- the jobs that were running, returns the rest to the front uncounted, and strikes the consumer (R1).
-- Also where the consumer is not registered: what it holds would otherwise be held for ever.
-- ARGV: now, worker, consumer, charged fences with spaces between, forensics, max deliveries,
--   result ttl in ms, ends of deliveries as in part settling.
-- REPLY: {"OK"|"GONE", number of jobs returned}; GONE: reclaim does it.
-- include: prelude, record, results, acking
-- defer: numbers, job, counting, quarantine, marks, watched
-- defer: fence, queues, handing, handing_one, make_ready, timeline
-- defer: ledger, buffering, closing, finish, holding, consumer, retrying, settling_special, settling
-- defer: returning
allow_when_full()
local worker, consumer, charged = ARGV[2], ARGV[3], {}
local forensics, max_deliveries, ttl_ms = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local held = P .. 'held:' .. worker
if safely('ZSCORE', P .. 'gone', worker) then
  return { 'GONE', 0 }
end
for fence in string.gmatch(ARGV[4], '%d+') do charged[tonumber(fence)] = true end

local parts, unopened = rarely(), {}
local entry = safely('HGET', P .. 'consumers:' .. worker, consumer)
if entry then
  parts.strike(worker, consumer, entry, unopened)
  call('HDEL', P .. 'consumers:' .. worker, consumer)
  safely('HSET', P .. 'worker:' .. worker, 'registered',
    call('HLEN', P .. 'consumers:' .. worker))
end
local _, ended = parts.settle_all(held, consumer, 8, {})
parts.forget_marks(ended)

local entries, garbage = parts.held_by(held, consumer)
for _, one in ipairs(entries) do
  one.is_charged = charged[one.fence] and not unopened[one.fence]
end
for _, one in ipairs(garbage) do entries[#entries + 1] = one end
parts.return_held(held, entries, forensics, max_deliveries, ttl_ms)
return { 'OK', #entries }

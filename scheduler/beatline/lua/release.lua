-- release: RUNNING -> QUEUED | RUNNING | SUCCESS | FAILURE | CANCELLED | LOST | DEAD | RETRYING
-- A child has ended, for certain (R3): its supervisor settles what the child had finished, charges
-- the job that was running, returns the rest to the front uncounted, and strikes the consumer (R1).
-- ARGV: now, worker, consumer, charged fence ("" none), forensics, max deliveries, result ttl in ms,
--   count of plain acks, (id, fence)*, rich settlements of 8 arguments as in settle.
-- REPLY: {"OK"|"GONE", number of jobs returned}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
-- include: timeline
-- include: ledger
-- include: finish
-- include: consumer
-- include: ending
-- include: returning
allow_when_full()
local worker, consumer, charged = ARGV[2], ARGV[3], ARGV[4]
local forensics, max_deliveries, ttl_ms = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local acks, held = tonumber(ARGV[8]), P .. 'held:' .. worker

local last, refusal = check_consumer(worker, consumer, '9007199254740992')
if refusal and (safely('ZSCORE', P .. 'gone', worker)
  or safely('HEXISTS', P .. 'consumers:' .. worker, consumer) == 0) then
  return { 'GONE', 0 }
end
leave_idle(worker, consumer)
local waiting = safely('LRANGE', P .. 'wake:' .. consumer .. ':' .. entry_connection, 0, -1)
drain_wake(consumer, entry_connection)
local unopened = {}
for _, offer in ipairs(waiting) do
  unopened[string.match(offer, '^%d+') or ''] = true
end
settle_acks(held, consumer, 9, acks, {})
for at = 9 + 2 * acks, #ARGV, 8 do
  settle_rich(held, consumer, at)
end

local all, entries = safely('HGETALL', held), {}
for at = 1, #all, 2 do
  local owner, fence = string.match(all[at + 1], '^(.*):(%d+)$')
  if owner == consumer then
    entries[#entries + 1] = { all[at], fence, fence == charged and not unopened[fence] }
  end
end
return_held(held, entries, forensics, max_deliveries, ttl_ms)
safely('HDEL', P .. 'consumers:' .. worker, consumer)
return { 'OK', #entries }

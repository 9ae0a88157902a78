-- settle: RUNNING | QUEUED -> SUCCESS | FAILURE | CANCELLED | EXPIRED | DEAD | RETRYING | QUEUED | RUNNING
-- Ends deliveries and takes the next ones, in one step. With nothing to settle it is a plain take.
-- Guarantee: each effect depends on the removal of the id from `held` under its fence (R7); a
-- repeated call settles nothing anew (R6); a consumer or worker that was struck is refused (R1).
-- ARGV: now, worker, consumer, call, flags ("s" tell all that I hold, "i" register me idle if there
--   is nothing), limit, connection, holding, queues separated by commas, count of plain acks,
--   (id, fence)*, then per rich settlement 8 arguments: id, fence, outcome, state, body, ttl_ms,
--   delay_ms, ledger's detail.
-- REPLY: {"OK"|"REPEATED", server's now in µs, stale ids, ids, fences, records, marks, idle queues};
--   marks is flat: position, deliveries, attempts.
-- RAISES: LEASELOST worker or consumer is not registered; SKIPPED a call number was left out.
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
-- include: taking
allow_when_full()
local worker, consumer, number, flags = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local limit, connection, holding = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local queues, acks = ARGV[9], tonumber(ARGV[10])
local held = P .. 'held:' .. worker

local last, refusal = check_consumer(worker, consumer, connection)
if refusal then
  return redis.error_reply(refusal)
end
local repeated = last and number == last
if last and not repeated and number ~= last + 1 then
  return redis.error_reply('SKIPPED call ' .. number .. ' after ' .. last)
end

local stale = {}
if not repeated then
  settle_acks(held, consumer, 11, acks, stale)
  for at = 11 + 2 * acks, #ARGV, 8 do
    if not settle_rich(held, consumer, at) then
      stale[#stale + 1] = ARGV[at]
    end
  end
end

leave_idle(worker, consumer)
local ids, fences, records, marks = {}, {}, {}, {}
if repeated or string.find(flags, 's', 1, true) then
  drain_wake(consumer, connection)
  ids, fences, records, marks = list_held(held, consumer)
  holding = #ids
end
if limit > #ids and not repeated then
  take_ready(held, consumer, queues, limit - #ids, holding, ids, fences, records, marks)
end
local idle = ''
if #ids == 0 and holding == 0 and string.find(flags, 'i', 1, true) then
  enter_idle(worker, consumer, connection, queues)
  idle = queues
end
note_call(worker, consumer, number, connection, idle)
return { repeated and 'REPEATED' or 'OK', text(now_us), stale, ids, fences, records, marks, idle }

-- settle: RUNNING | QUEUED -> SUCCESS | FAILURE | CANCELLED | EXPIRED | DEAD | RETRYING | SCHEDULED, or again
-- Ends deliveries and takes the next ones, in one step. With nothing to settle it is a plain take.
-- Guarantee: each effect depends on the removal of the id from `held` under its fence (R7); a
-- repeated call settles nothing anew (R6); a consumer or worker that was struck is refused (R1).
-- ARGV: now, worker, consumer, call, flags ("s" tell all that I hold, "i" register me idle if there
--   is nothing, "h" also while I hold jobs), limit, connection, holding, queues separated by
--   commas, ends of deliveries as in part settling.
-- REPLY: {"OK"|"REPEATED", server's now in µs, stale ids, ids, fences, records, marks, idle queues};
--   fences may be fewer than ids: each of the others is one more than the one before;
--   marks is flat: position, deliveries, attempts. Idle queues are empty where the consumer was not
--   registered idle: then it calls again, and does not wait.
-- RAISES: LEASELOST worker or consumer is not registered; SKIPPED a call number was left out.
-- defer: prelude, watched, record, fence, results, acking, numbers, job, counting, quarantine, marks
-- defer: queues, handing, handing_one, make_ready, timeline
-- defer: ledger, buffering, closing, finish, holding, consumer, retrying
-- defer: settling_special, sifting, telling, settling, taking, settle_and_take
--
-- The usual call of a child that takes one job at a time ends one plain job, and takes the next from
-- one queue with one priority. It needs no part: making their functions would cost half of its time.
-- Whatever else it finds, the whole transition is run; until then nothing has changed.
local call, try, P, queue = redis.call, redis.pcall, KEYS[1], ARGV[9]
local worker, consumer, id, is_ack = ARGV[2], ARGV[3], ARGV[13], ARGV[10] == '1'
local held, books, jobs = P .. 'held:' .. worker, P .. 'consumers:' .. worker, P .. 'jobs'
if ARGV[6] ~= '1' or not (is_ack and #ARGV == 14 or ARGV[11] == '1' and #ARGV == 15)
  or string.find(ARGV[5], 's', 1, true) or string.find(queue, ',', 1, true)
  or not is_ack and not string.find(ARGV[12], '^[1-9]%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?$')
  or try('HGET', books, consumer) ~= ARGV[4] - 1 .. '|' .. ARGV[7] .. '||'
  or try('HGET', held, id) ~= consumer .. ':' .. ARGV[14]
  or call('EXISTS', P .. 'deliveries', P .. 'attempts', P .. 'tombs', P .. 'cancelled',
    P .. 'unknown', P .. 'progress', P .. 'checkpoints', P .. 'unsure') > 0 then
  return rarely().settle_and_take()
end
local used, deadline = try('HGET', P .. 'queues', queue), try('ZSCORE', P .. 'workers', worker)
local watched = try('HGET', P .. 'watch', 'w') or '0'
if type(used) ~= 'string' or not string.find(used, '^-%d$') or type(deadline) ~= 'string'
  or type(watched) ~= 'string' or not string.find(watched, '^%d+$')
  or deadline + 0 < watched + 0 then
  return rarely().settle_and_take()
end

-- Whether a record is one of a job of ours, outside schedules.
local function is_plain(record)
  local version, priority, flags, length = string.byte(record or '', 1, 4)
  return version == 1 and length and length > 0 and #record > 4 + length and flags % 4 < 2
    and priority > 47 and priority < 58 and flags % 16 < 8
end
local list = P .. 'ready:' .. queue .. string.gsub(used, '-', ':')
local taken = try('LPOP', list)
if type(taken) ~= 'string' then return rarely().settle_and_take() end
local t = ARGV[1] == '0' and call('TIME') or { 0, ARGV[1] }
local now_us = t[1] * 1000000 + t[2]
local fence = string.format('%.0f', now_us)
local record = try('HGET', jobs, taken)
local can_go = #taken == 16 and type(record) == 'string' and is_plain(record)
local before = can_go and try('SET', P .. 'fence', fence, 'GET')
if not can_go or type(before) == 'table' then
  call('LPUSH', list, taken)
  return rarely().settle_and_take()
end
before = tonumber(before or '')
if before and before >= now_us and before < 8e15 then
  fence = string.format('%.0f', math.floor(before) + 1)
  call('SET', P .. 'fence', fence)
end
call('HDEL', held, id)
call('HDEL', jobs, id)
if not is_ack then
  call('SET', P .. 'result:' .. id, ARGV[15], 'PX', ARGV[12])
  if call('EXISTS', P .. 'awaited') == 1 then try('PUBLISH', P .. 'done:' .. id, 'SUCCESS') end
end
call('HSET', held, taken, consumer .. ':' .. fence)
call('HSET', books, consumer, ARGV[4] .. '|' .. ARGV[7] .. '||')
return { 'OK', now_us, {}, { taken }, { fence }, { record }, {}, '' }

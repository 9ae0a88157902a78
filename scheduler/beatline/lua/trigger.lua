-- trigger: new -> QUEUED | RUNNING | SCHEDULED; under cancel_running also SCHEDULED | RETRYING -> CANCELLED
-- A job of a schedule outside its grid, by hand.
-- Guarantee: one step with the overlap policy and the ledger; what is planned stays as it is, also
-- where the schedule rests. A repeated call makes no second job. Refused whole under OOM.
-- ARGV: now, schedule, overlap, nominal, id, record.
-- REPLY: {"OK"|"REPEATED"|"ABSENT", ""} | {"SKIPPED", id of the job in the way}
-- RAISES: BADRECORD the record cannot be read.
-- include: prelude, numbers, record, job, counting, quarantine, marks, ledger
-- defer: watched, fence, queues, handing
-- include: results, timeline, buffering, closing, finish, place, cancelling, overlapping
-- include: handing_one, make_ready
-- include: tombs
local name, overlap, nominal, id, record = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local key, job = P .. 'sched:' .. name, read_record(record, id)
if not job then
  return redis.error_reply('BADRECORD the job has no readable record')
elseif not safely('HGET', key, 'rev') then
  return { 'ABSENT', '' }
elseif safely('HEXISTS', P .. 'jobs', id) == 1 or safely('STRLEN', P .. 'result:' .. id) > 0 then
  return { 'REPEATED', '' }
end
-- The first write, which OOM denies.
call('HSET', key, 'triggered_at', text(now_ms))
local other, waits = nil, false
if overlap ~= 'allow' then other = next(open_jobs(name)) end
if other and overlap ~= 'skip' then
  other, waits = resolve(overlap, name, other)
end
if other then
  note_in_ledger(name, table.concat({ 'skipped', nominal, text(now_ms), other }, ' '))
  count_up(key, 'skipped', 1)
  return { 'SKIPPED', other }
end
safely('HSET', P .. 'jobs', id, record)
safely('SADD', P .. 'open:' .. name, id)
note_in_ledger(name, table.concat({ 'fired', nominal, text(now_ms), id, '' }, ' '))
count_up(key, 'triggered', 1)
clear_tombs({ id })
if waits then
  await_turn(name, id, job)
else
  make_ready(job.queue, job.priority, { id }, false)
end
return { 'OK', '' }

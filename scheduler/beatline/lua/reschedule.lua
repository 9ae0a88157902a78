-- reschedule: SCHEDULED | RETRYING | QUEUED -> SCHEDULED | QUEUED
-- Guarantee: one step; a job that is running or over is left alone and named as such.
-- ARGV: now, id, due in ms ("0": run now).
-- REPLY: {"OK"|"RUNNING"|"DONE"|"UNKNOWN", state or worker}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
-- include: timeline
-- include: place
allow_when_full()
local id, due_ms = ARGV[2], tonumber(ARGV[3])
local job = read_record(safely('HGET', P .. 'jobs', id))
if not job then
  return { redis.call('EXISTS', P .. 'result:' .. id) == 1 and 'DONE' or 'UNKNOWN', '' }
end
if safely('ZSCORE', P .. 'dead', id) then
  return { 'DONE', 'DEAD' }
end
local worker = holder_of(id)
if worker then
  return { 'RUNNING', worker }
end
local member, place = timeline_member(id, job), job.queue .. ':' .. job.priority
local waits = safely('ZREM', P .. 'timeline', member) == 1
if due_ms > now_ms then
  if not waits then
    -- Its entry in the ready list is stale from here on (R17).
    safely('HSET', P .. 'tombs', id, place)
  end
  put_on_timeline(member, due_ms)
elseif waits then
  if safely('HDEL', P .. 'tombs', id) == 1 then
    safely('LREM', P .. 'ready:' .. place, 0, id)
  end
  make_ready(job.queue, job.priority, { id }, false)
end
return { 'OK', '' }

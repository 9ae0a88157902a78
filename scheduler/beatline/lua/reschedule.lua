-- reschedule: SCHEDULED | RETRYING | QUEUED -> SCHEDULED | RETRYING | QUEUED | RUNNING
-- Guarantee: one step; a job that is running or over is left alone and named as such.
-- ARGV: now, id, due in ms ("0": run now).
-- REPLY: {"OK"|"RUNNING"|"DONE"|"UNKNOWN", state or worker}
-- include: prelude, record, job, quarantine, marks
-- defer: watched, fence, queues, handing
-- include: handing_one, make_ready, timeline, tombs, place, living
allow_when_full()
local id, due_ms = ARGV[2], tonumber(ARGV[3])
local job, answer = living_job(id)
if not job then return answer end
local worker = holder_of(id)
if worker then
  return { 'RUNNING', worker }
end
local member = timeline_member(id, job)
if job.schedule then
  safely('LREM', P .. 'buffered:' .. job.schedule, 1, id)
end
local waits = safely('ZREM', P .. 'timeline', member) == 1
if due_ms > now_ms then
  if not waits then
    -- Its entry in the ready list is stale from here on (R17).
    safely('HSET', P .. 'tombs', id, job.queue .. ':' .. job.priority)
  end
  put_on_timeline(member, due_ms)
elseif waits then
  clear_tombs({ id })
  make_ready(job.queue, job.priority, { id }, false)
end
return { 'OK', '' }

-- cancel: SCHEDULED | RETRYING | QUEUED -> CANCELLED, or RUNNING -> RUNNING with a flag
-- Guarantee: the answer is true at that instant (G8): removed before its start, running, or over.
-- ARGV: now, id, result ttl in ms, how a running job is stopped ("soft" or "hard").
-- REPLY: {"CANCELLED"|"RUNNING"|"DONE"|"UNKNOWN", state or worker}
-- include: prelude, numbers, record, job, counting, quarantine, marks, ledger, results, timeline, buffering
-- include: closing, finish, place, cancelling, living
allow_when_full()
local id, ttl_ms = ARGV[2], tonumber(ARGV[3])
local job, answer = living_job(id)
if not job then return answer end
local worker = cancel_job(id, job, ttl_ms, ARGV[4])
return { worker and 'RUNNING' or 'CANCELLED', worker or '' }

-- part finish: the end of a job's life, in one place: record, marks, result; part closing tells its
-- schedule.
-- Ends a job: `body` is what the result holds after its state, `ended` the ledger's detail. A
-- caller's own id leaves a marker for an hour at least, so that it makes one job (R8).
local function finish(id, job, state, body, ttl_ms, ended)
  safely('HDEL', P .. 'jobs', id)
  forget_marks({ id })
  if job.schedule then
    close_occurrence(id, job, state, ended or '')
  end
  if has_flag(job, FLAG_OWN_ID) then
    ttl_ms = math.max(ttl_ms, 3600000)
  end
  if not has_flag(job, FLAG_IGNORE_RESULT) then
    keep_result(id, state, body, ttl_ms)
  elseif has_flag(job, FLAG_OWN_ID) then
    keep_result(id, state, '', ttl_ms)
  end
end

-- Buries a job: its record stays, so that it can be looked at and revived.
local function bury(id, job, forensics, ttl_ms)
  safely('ZADD', P .. 'dead', now_ms, id)
  safely('HSET', P .. 'forensics', id, forensics)
  for _, mark in ipairs({ 'cancelled', 'unknown' }) do
    safely('HDEL', P .. mark, id)
  end
  if job.schedule then
    close_occurrence(id, job, 'DEAD', '')
  end
  keep_result(id, 'DEAD', forensics, ttl_ms)
end

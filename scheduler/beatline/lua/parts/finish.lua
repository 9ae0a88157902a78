-- part finish: the end of a job's life, in one place: record, marks, result, schedule, ledger.
local function forget_marks(id)
  for _, mark in ipairs({ 'deliveries', 'attempts', 'cancelled', 'unknown', 'checkpoints' }) do
    safely('HDEL', P .. mark, id)
  end
end

-- Tells the schedule that one of its jobs has ended; `state` counts, `blob` is the ledger's tail.
local function close_occurrence(id, job, state, ended)
  safely('SREM', P .. 'open:' .. job.schedule, id)
  local key = P .. 'sched:' .. job.schedule
  if redis.call('EXISTS', key) == 0 then
    return
  end
  safely('HINCRBY', key, 'ended:' .. state, 1)
  if state == 'SUCCESS' then
    redis.call('HSET', key, 'last_success', text(now_ms), 'failures', '0')
  else
    safely('HINCRBY', key, 'failures', 1)
  end
  note_in_ledger(job.schedule, 'ended ' .. job.nominal .. ' ' .. text(now_ms) .. ' ' .. state
    .. ' ' .. ended)
end

-- Ends a job: `body` is what the result holds after its state, `ended` the ledger's detail.
local function finish(id, job, state, body, ttl_ms, ended)
  safely('HDEL', P .. 'jobs', id)
  forget_marks(id)
  if job.schedule then
    close_occurrence(id, job, state, ended or '')
  end
  if not has_flag(job, FLAG_IGNORE_RESULT) then
    redis.call('SET', P .. 'result:' .. id, state .. '\n' .. body, 'PX', ttl_ms)
    redis.call('PUBLISH', P .. 'done:' .. id, state)
  elseif has_flag(job, FLAG_OWN_ID) then
    redis.call('SET', P .. 'result:' .. id, state .. '\n', 'PX', math.max(ttl_ms, 3600000))
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
  redis.call('SET', P .. 'result:' .. id, 'DEAD\n' .. forensics, 'PX', ttl_ms)
  redis.call('PUBLISH', P .. 'done:' .. id, 'DEAD')
end

-- part finish: the end of a job's life, in one place: record, marks, result, schedule, ledger.
-- Ends of which a schedule's `pause_after_failures` counts those in a row.
local FAILED = { FAILURE = true, DEAD = true, LOST = true }

-- A schedule that fails again and again is put to rest, if it was declared so.
local function pause_after(name, key, failures)
  local stored = safely('HMGET', key, 'pause_after', 'paused')
  local most = tonumber(string.match(stored[1] or '', '^%d+$') or '')
  if most and failures >= most and (stored[2] or '') == '' then
    call('HSET', key, 'paused', 'after ' .. text(failures) .. ' failures in a row',
      'paused_at', text(now_ms))
    safely('ZREM', P .. 'timeline', 's' .. name)
  end
end

-- What has to succeed within a time (part expecting) has done so, and has to do it again unless
-- nothing more is planned.
local function note_success(name, key)
  call('HSET', key, 'last_success', text(now_ms), 'failures', '0')
  local stored = safely('HMGET', key, 'expect', 'next')
  local within_ms = tonumber(string.match(stored[1] or '', '^%d+$') or '')
  if not within_ms then return end
  local expected, was_late = P .. 'expected', safely('HDEL', P .. 'alerts', name) == 1
  if was_late then
    safely('RPUSH', P .. 'recovered', name)
    call('LTRIM', P .. 'recovered', -100, -1)
  end
  if (stored[2] or '') == '' then
    safely('ZREM', expected, name)
  elseif was_late or safely('ZSCORE', expected, name) then
    local watched = string.match(safely('HGET', P .. 'watch', 'w') or '', '^%d+$') or '0'
    safely('ZADD', expected, text(watched + within_ms), name)
  end
end

-- Tells the schedule that one of its jobs has ended; `ended` is the ledger's tail.
local function close_occurrence(id, job, state, ended)
  safely('SREM', P .. 'open:' .. job.schedule, id)
  if call('EXISTS', P .. 'buffered:' .. job.schedule) == 1 then
    safely('LREM', P .. 'buffered:' .. job.schedule, 1, id)
    take_turn(job.schedule)
  end
  local key = P .. 'sched:' .. job.schedule
  if safely('HEXISTS', key, 'rev') == 0 then
    return
  elseif has_flag(job, FLAG_BACKFILL) then
    -- It tells of the past, and not of how the schedule does now.
    return note_backfill(job.schedule, table.concat(
      { 'filled', job.nominal, text(now_ms), id .. state, ended }, ' '))
  end
  count_up(key, 'ended:' .. state, 1)
  if state == 'SUCCESS' then
    note_success(job.schedule, key)
  elseif FAILED[state] then
    pause_after(job.schedule, key, count_up(key, 'failures', 1))
  end
  note_in_ledger(job.schedule, table.concat(
    { 'ended', job.nominal, text(now_ms), state, ended }, ' '))
end

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

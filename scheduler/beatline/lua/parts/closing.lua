-- part closing: a schedule learns that one of its jobs has ended: counters, deadman, ledger.
-- Ends of which a schedule's `pause_after_failures` counts those in a row.
local FAILED = { FAILURE = true, DEAD = true, LOST = true }

-- What has to succeed within a time (part expecting) has done so, and has to do it again unless
-- nothing more is planned.
local function expect_next(name, within_ms, has_next)
  local expected, was_late = P .. 'expected', safely('HDEL', P .. 'alerts', name) == 1
  if was_late then
    safely('RPUSH', P .. 'recovered', name)
    call('LTRIM', P .. 'recovered', -100, -1)
  end
  if not has_next then
    safely('ZREM', expected, name)
  elseif was_late or safely('ZSCORE', expected, name) then
    local watched = string.match(safely('HGET', P .. 'watch', 'w') or '', '^%d+$') or '0'
    safely('ZADD', expected, text(watched + within_ms), name)
  end
end

-- A schedule that fails again and again is put to rest, if it was declared so.
local function count_failure(name, key)
  local failures = count_up(key, 'failures', 1)
  local stored = safely('HMGET', key, 'pause_after', 'paused')
  local most = whole(stored[1])
  if most and failures >= most and (stored[2] or '') == '' then
    call('HSET', key, 'paused', 'after ' .. text(failures) .. ' failures in a row',
      'paused_at', text(now_ms))
    safely('ZREM', P .. 'timeline', 's' .. name)
  end
end

-- Counts the end in the schedule itself; false where that has gone.
local function count_end(name, state)
  local key, ended = P .. 'sched:' .. name, 'ended:' .. state
  local stored = safely('HMGET', key, 'rev', ended, 'expect', 'next')
  if not stored[1] then return false end
  local count = text((whole(stored[2]) or 0) + 1)
  if state ~= 'SUCCESS' then
    call('HSET', key, ended, count)
    if FAILED[state] then count_failure(name, key) end
    return true
  end
  call('HSET', key, ended, count, 'last_success', text(now_ms), 'failures', '0')
  local within_ms = whole(stored[3])
  if within_ms then expect_next(name, within_ms, (stored[4] or '') ~= '') end
  return true
end

-- Tells a schedule that one of its jobs has ended; `ended` is the ledger's tail.
local function close_occurrence(id, job, state, ended)
  local name = job.schedule
  safely('SREM', P .. 'open:' .. name, id)
  if call('EXISTS', P .. 'buffered:' .. name) == 1 then
    safely('LREM', P .. 'buffered:' .. name, 1, id)
    take_turn(name)
  end
  if has_flag(job, FLAG_BACKFILL) then
    -- It tells of the past, and not of how the schedule does now.
    if safely('HEXISTS', P .. 'sched:' .. name, 'rev') == 1 then
      note_backfill(name, table.concat(
        { 'filled', job.nominal, text(now_ms), id .. state, ended }, ' '))
    end
  elseif count_end(name, state) then
    note_in_ledger(name,
      'ended ' .. job.nominal .. ' ' .. text(now_ms) .. ' ' .. state .. ' ' .. ended)
  end
end

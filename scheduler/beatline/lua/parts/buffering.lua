-- part buffering: occurrences that wait for the end of an earlier job (R22).
-- They lie on the timeline at an instant that never comes, the year 9999, and so are SCHEDULED; the
-- list `buffered:<schedule>` keeps their order. Like all jobs of a schedule they stand in `open`.
local TURN_MS = 253370764800000

-- Sends on the first that waits, if none of the schedule's jobs but those that wait has not ended.
local function take_turn(name)
  local list = P .. 'buffered:' .. name
  local waiting = safely('LLEN', list)
  if waiting == 0 or safely('SCARD', P .. 'open:' .. name) > waiting then
    return
  end
  for _ = 1, math.min(waiting, 1000) do
    local id = call('LPOP', list)
    local job = read_record(safely('HGET', P .. 'jobs', id), id)
    local member = job and timeline_member(id, job)
    if member and tonumber(safely('ZSCORE', P .. 'timeline', member) or '') == TURN_MS then
      return put_on_timeline(member, now_ms)
    end
  end
end

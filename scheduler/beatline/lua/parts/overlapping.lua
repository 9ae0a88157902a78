-- part overlapping: what becomes of an occurrence that finds an earlier job in the way (R22).
-- Occurrences of one schedule that wait at most; further ones are skipped (G12).
local MOST_WAITING, RESULT_MS = 1000, 86400000

-- Up to a hundred jobs of the schedule that have not ended; what is no job leaves `open`.
local function open_jobs(name)
  local open, found = P .. 'open:' .. name, {}
  for _, id in ipairs(safely('SRANDMEMBER', open, 100)) do
    local job = read_record(safely('HGET', P .. 'jobs', id), id)
    if job then
      found[id] = job
    else
      call('SREM', open, id)
    end
  end
  return found
end

-- The job that stays in the way, or nil; then whether the occurrence has to wait for its turn.
local function resolve(overlap, name, other)
  local jobs = open_jobs(name)
  if overlap == 'cancel_running' then
    for id, job in pairs(jobs) do cancel_job(id, job, RESULT_MS, 'soft') end
    return nil, false
  end
  take_turn(name)
  local most = overlap == 'buffer_one' and 1 or overlap == 'buffer_all' and MOST_WAITING or 0
  if safely('LLEN', P .. 'buffered:' .. name) >= most then
    return other, false
  end
  return nil, true
end

local function await_turn(name, id, job)
  safely('RPUSH', P .. 'buffered:' .. name, id)
  safely('ZADD', P .. 'timeline', text(TURN_MS), timeline_member(id, job))
  take_turn(name)
end

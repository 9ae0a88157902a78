-- part settling_special: settlements that do more than end a job of ours: it belongs to a schedule,
-- has its caller's own id, comes back, or cannot be read.
local function settle_special(id, record, at)
  local job = read_record(record, id)
  local outcome, body = ARGV[at + 2], ARGV[at + 4]
  local ttl_ms, delay_ms = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  if not job then
    call('HDEL', P .. 'jobs', id)
    quarantine('job', id, record, 'the record cannot be read')
  elseif outcome == 'end' then
    finish(id, job, ARGV[at + 3], body, ttl_ms, ARGV[at + 7])
  elseif outcome == 'bury' then
    bury(id, job, body, ttl_ms)
  elseif safely('HEXISTS', P .. 'cancelled', id) == 1 then
    -- Cancel sticks (R18): a job that would come back ends instead.
    finish(id, job, 'CANCELLED', '', math.max(ttl_ms, 86400000))
  elseif outcome == 'return' then
    make_ready(job.queue, job.priority, { id }, true)
  else
    retry(id, job, outcome, body, ttl_ms, delay_ms)
  end
end

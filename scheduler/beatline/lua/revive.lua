-- revive: DEAD -> QUEUED | RUNNING; or, with "drop", DEAD -> removed.
-- Guarantee: charges are cleared; the job's schedule counts it as open again (R22).
-- ARGV: now, "revive" or "drop", ids.
-- REPLY: {ids that were dead letters}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
allow_when_full()
local done = {}
for at = 3, #ARGV do
  local id = ARGV[at]
  if safely('ZREM', P .. 'dead', id) == 1 then
    safely('HDEL', P .. 'forensics', id)
    redis.call('DEL', P .. 'result:' .. id)
    for _, mark in ipairs({ 'deliveries', 'attempts', 'cancelled', 'unknown' }) do
      safely('HDEL', P .. mark, id)
    end
    local job = read_record(safely('HGET', P .. 'jobs', id))
    if ARGV[2] == 'drop' or not job then
      safely('HDEL', P .. 'jobs', id)
    else
      if job.schedule then
        safely('SADD', P .. 'open:' .. job.schedule, id)
      end
      make_ready(job.queue, job.priority, { id }, false)
    end
    done[#done + 1] = id
  end
end
return done

-- revive: DEAD -> QUEUED | RUNNING; or, with "drop", DEAD -> removed.
-- Guarantee: charges are cleared; the job's schedule counts it as open again (R22). A dropped job's
-- result stays for its time: a caller's own id is not free at once.
-- ARGV: now, "revive" or "drop", ids.
-- REPLY: {ids that were dead letters}
-- include: prelude, record, job, quarantine, marks
-- defer: watched, fence, queues, handing
-- include: handing_one, make_ready, tombs
allow_when_full()
local done = {}
for at = 3, #ARGV do
  local id = ARGV[at]
  if safely('ZREM', P .. 'dead', id) == 1 then
    done[#done + 1] = id
    safely('HDEL', P .. 'forensics', id)
    forget_marks({ id })
    local record = safely('HGET', P .. 'jobs', id)
    local job = read_record(record, id)
    if job and ARGV[2] ~= 'drop' then
      call('DEL', P .. 'result:' .. id)
      if job.schedule then
        safely('SADD', P .. 'open:' .. job.schedule, id)
      end
      clear_tombs({ id })
      make_ready(job.queue, job.priority, { id }, false)
    elseif record then
      call('HDEL', P .. 'jobs', id)
      if not job then quarantine('job', id, record, 'the record cannot be read') end
    end
  end
end
return done

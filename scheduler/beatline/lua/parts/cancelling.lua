-- part cancelling: a job that waits ends, one that runs is flagged; its consumer stops it.
-- Returns the worker that runs it, or nil where it has ended here.
local function cancel_job(id, job, ttl_ms, how)
  local worker = holder_of(id)
  if worker then
    -- Who asked for a kill is not overruled by a later, softer wish.
    if safely('HGET', P .. 'cancelled', id) ~= 'hard' then
      call('HSET', P .. 'cancelled', id, how)
    end
    return worker
  end
  if safely('ZREM', P .. 'timeline', timeline_member(id, job)) == 0 then
    safely('HSET', P .. 'tombs', id, job.queue .. ':' .. job.priority)
  end
  finish(id, job, 'CANCELLED', '', ttl_ms)
end

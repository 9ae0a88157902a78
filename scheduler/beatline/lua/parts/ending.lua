-- part ending: settlements, each of which depends on the removal of its id from `held` (R7).
-- Plain acks: jobs that keep no result, belong to no schedule and have ids of ours.
local function settle_acks(held, consumer, first, count, stale)
  for from = first, first + 2 * count - 1, 1000 do
    local ids, kept = {}, {}
    for at = from, math.min(from + 999, first + 2 * count - 1), 2 do
      ids[#ids + 1] = ARGV[at]
    end
    local owners = safely('HMGET', held, unpack(ids))
    for i, id in ipairs(ids) do
      if owners[i] == consumer .. ':' .. ARGV[from + 2 * i - 1] then
        kept[#kept + 1] = id
      else
        stale[#stale + 1] = id
      end
    end
    if #kept > 0 then
      redis.call('HDEL', held, unpack(kept))
      safely('HDEL', P .. 'jobs', unpack(kept))
      if redis.call('EXISTS', P .. 'deliveries', P .. 'attempts', P .. 'cancelled',
        P .. 'unknown', P .. 'checkpoints') > 0 then
        for _, id in ipairs(kept) do forget_marks(id) end
      end
    end
  end
end

local function retry(id, job, outcome, body, ttl_ms, delay_ms)
  if safely('HEXISTS', P .. 'cancelled', id) == 1 then
    return finish(id, job, 'CANCELLED', '', ttl_ms)
  end
  if outcome == 'retry' then
    safely('HINCRBY', P .. 'attempts', id, 1)
  else
    local since = tonumber(safely('HGET', P .. 'unknown', id) or '')
    if not since then
      since = now_ms
      redis.call('HSET', P .. 'unknown', id, text(now_ms))
    end
    if now_ms - since > ttl_ms then
      return bury(id, job, body, ttl_ms)
    end
  end
  put_on_timeline(timeline_member(id, job), now_ms + delay_ms)
end

-- One settlement with effects: {id, fence, outcome, state, body, ttl_ms, delay_ms, detail}.
-- Outcomes: end, retry, unknown (no such task here), return, bury. Returns false under a stale fence.
local function settle_rich(held, consumer, at)
  local id, outcome = ARGV[at], ARGV[at + 2]
  if safely('HGET', held, id) ~= consumer .. ':' .. ARGV[at + 1] then
    return false
  end
  redis.call('HDEL', held, id)
  local record = safely('HGET', P .. 'jobs', id)
  local job = read_record(record)
  local body, ttl_ms, delay_ms = ARGV[at + 4], tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  if not job then
    if record then
      redis.call('HDEL', P .. 'jobs', id)
      quarantine('job', id, record, 'the record cannot be read')
    end
  elseif outcome == 'end' then
    finish(id, job, ARGV[at + 3], body, ttl_ms, ARGV[at + 7])
  elseif outcome == 'bury' then
    bury(id, job, body, ttl_ms)
  elseif outcome == 'return' then
    make_ready(job.queue, job.priority, { id }, true)
  else
    retry(id, job, outcome, body, ttl_ms, delay_ms)
  end
  return true
end

-- part make_ready: the one way into readiness (R16): an idle consumer's hands, or the list.
local function is_alive(worker)
  local deadline = safely('ZSCORE', P .. 'workers', worker)
  local observed = tonumber(safely('HGET', P .. 'watch', 'w') or '0') or 0
  return deadline and tonumber(deadline) >= observed
end

-- Takes an idle consumer out of all its idle sets; nil where none is left.
local function claim_idle(queue)
  for _ = 1, 1000 do
    local member = safely('SPOP', P .. 'idle:' .. queue)
    if not member then
      return nil
    end
    local worker, consumer, connection, queues =
      string.match(member, '^([^|]+)|([^|]+)|(%d+)|(.+)$')
    if worker then
      for other in string.gmatch(queues, '[^,]+') do
        safely('SREM', P .. 'idle:' .. other, member)
      end
      if safely('HEXISTS', P .. 'consumers:' .. worker, consumer) == 1 and is_alive(worker) then
        return worker, consumer, connection, queues
      end
    end
  end
  return nil
end

local function hand_over(id, record, worker, consumer, connection)
  local fence = text(draw_fence(1))
  local wake = consumer .. ':' .. connection
  safely('HSET', P .. 'held:' .. worker, id, consumer .. ':' .. fence)
  safely('RPUSH', P .. 'wake:' .. wake, string.format('%s %s %s %d\n',
    fence, safely('HGET', P .. 'deliveries', id) or '0',
    safely('HGET', P .. 'attempts', id) or '0', #id) .. id .. record)
  safely('ZADD', P .. 'offers', now_ms, worker .. '|' .. wake)
end

local function is_empty(queue, entry)
  for priority in string.gmatch(string.sub(entry, 2), '%d') do
    if safely('LLEN', P .. 'ready:' .. queue .. ':' .. priority) > 0 then
      return false
    end
  end
  return true
end

-- Ids of one queue and priority become ready, in this order; `at_front` puts them before the rest.
-- The table of ids is used up.
local function make_ready(queue, priority, ids, at_front)
  local entry = note_queue(queue, priority)
  local rest = ids
  if not is_paused(entry) and safely('SCARD', P .. 'idle:' .. queue) > 0
    and is_empty(queue, entry) then
    rest = {}
    for _, id in ipairs(ids) do
      local record = #rest == 0 and safely('HGET', P .. 'jobs', id)
      local worker, consumer, connection
      if record then
        worker, consumer, connection = claim_idle(queue)
      end
      if worker then
        hand_over(id, record, worker, consumer, connection)
      else
        rest[#rest + 1] = id
      end
    end
  end
  local push = 'RPUSH'
  if at_front then
    push = 'LPUSH'
    for i = 1, math.floor(#rest / 2) do
      rest[i], rest[#rest - i + 1] = rest[#rest - i + 1], rest[i]
    end
  end
  for first = 1, #rest, 1000 do
    safely(push, P .. 'ready:' .. queue .. ':' .. priority,
      unpack(rest, first, math.min(first + 999, #rest)))
  end
end

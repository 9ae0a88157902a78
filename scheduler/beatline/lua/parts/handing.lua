-- part handing: ready jobs straight into the hands of idle consumers (R10, R16).
local function holds_any(worker, consumer)
  for _, holder in ipairs(safely('HVALS', P .. 'held:' .. worker)) do
    if string.sub(holder, 1, #consumer + 1) == consumer .. ':' then return true end
  end
end

-- Takes an idle consumer out of all its idle sets; nil where none is left. What is to be run alone
-- (R4) needs one that holds nothing; those that run several jobs at a time wait on.
local function claim_idle(queue, is_alone)
  local busy, found = {}, nil
  for _ = 1, 1000 do
    local member = safely('SPOP', P .. 'idle:' .. queue)
    if not member then break end
    local worker, consumer, connection, queues =
      string.match(member, '^([^|]+)|([^|]+)|(%d+)|(.+)$')
    for other in string.gmatch(queues or '', '[^,]+') do
      safely('SREM', P .. 'idle:' .. other, member)
    end
    if worker and is_alive(worker)
      and safely('HEXISTS', P .. 'consumers:' .. worker, consumer) == 1 then
      if not is_alone or not holds_any(worker, consumer) then
        found = { worker, consumer, connection, queues }
        break
      end
      busy[#busy + 1] = { member, queues }
    end
  end
  for _, one in ipairs(busy) do
    for other in string.gmatch(one[2], '[^,]+') do
      safely('SADD', P .. 'idle:' .. other, one[1])
    end
  end
  return found
end

-- A hand-off is an offer (R10): held from here on, and withdrawn if nobody opens it.
local function hand_over(id, record, charges, claimed)
  local worker, consumer, connection, queues = unpack(claimed)
  local fence, wake = text(draw_fence(1)), consumer .. ':' .. connection
  safely('HSET', P .. 'held:' .. worker, id, consumer .. ':' .. fence)
  safely('RPUSH', P .. 'wake:' .. wake, table.concat(
    { fence, charges, count_of('attempts', id), text(#id) }, ' ') .. '\n' .. id .. record)
  safely('ZADD', P .. 'offers', now_ms, worker .. '|' .. wake)
  if charges ~= '0' then
    -- It is to be run alone (R4): its consumer gets nothing else while it holds it.
    local entry = call('HGET', P .. 'consumers:' .. worker, consumer)
    call('HSET', P .. 'consumers:' .. worker, consumer, (string.match(entry, '^[^|]*') or '*')
      .. '|' .. connection .. '|' .. queues .. '|' .. id)
  end
end

local function is_empty(queue, entry)
  for priority in string.gmatch(entry, '%d') do
    if safely('LLEN', P .. 'ready:' .. queue .. ':' .. priority) > 0 then
      return false
    end
  end
  return true
end

-- Hands over as many as there are idle consumers, if nobody waits before them; the rest is returned.
local function hand_over_some(queue, entry, ids)
  if not is_empty(queue, entry) then
    return ids
  end
  local rest = {}
  for _, id in ipairs(ids) do
    local record = #rest == 0 and safely('HGET', P .. 'jobs', id)
    local charges = record and count_of('deliveries', id)
    local claimed = record and claim_idle(queue, charges ~= '0')
    if claimed then
      hand_over(id, record, charges, claimed)
    else
      rest[#rest + 1] = id
    end
  end
  return rest
end

-- In reverse: LPUSH puts what comes last before the rest.
local function turned(ids)
  local row, count = {}, #ids
  for i, id in ipairs(ids) do row[count + 1 - i] = id end
  return row
end

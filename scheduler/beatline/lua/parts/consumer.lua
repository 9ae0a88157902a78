-- part consumer: who may take and settle, and in which order its calls come (R1, R6, R14).
-- `consumers:<worker>` HASH: consumer -> "<last call or *>|<connection>|<queues while idle>".
local entry_idle, entry_connection = '', '0'

-- The number of the consumer's last call (nil: any is taken), or nil and a refusal.
local function check_consumer(worker, consumer, connection)
  if not is_alive(worker) then
    return nil, 'LEASELOST worker ' .. worker .. ' has no lease'
  end
  local entry = safely('HGET', P .. 'consumers:' .. worker, consumer)
  if not entry then
    return nil, 'LEASELOST consumer ' .. consumer .. ' is not registered'
  end
  local last, known, idle = string.match(entry, '^(.-)|(%d+)|(.*)$')
  entry_idle, entry_connection = idle or '', known or '0'
  if tonumber(connection) < tonumber(entry_connection) then
    return nil, 'SKIPPED connection ' .. connection .. ' is older than ' .. entry_connection
  end
  return tonumber(last)
end

local function note_call(worker, consumer, number, connection, idle)
  redis.call('HSET', P .. 'consumers:' .. worker, consumer,
    text(number) .. '|' .. connection .. '|' .. idle)
end

local function idle_member(worker, consumer, connection, queues)
  return worker .. '|' .. consumer .. '|' .. connection .. '|' .. queues
end

local function enter_idle(worker, consumer, connection, queues)
  local member = idle_member(worker, consumer, connection, queues)
  for queue in string.gmatch(queues, '[^,]+') do
    safely('SADD', P .. 'idle:' .. queue, member)
  end
end

-- Out of all idle sets; what was offered on the wake list stays in `held`.
local function leave_idle(worker, consumer)
  if entry_idle == '' then
    return
  end
  local member = idle_member(worker, consumer, entry_connection, entry_idle)
  for queue in string.gmatch(entry_idle, '[^,]+') do
    safely('SREM', P .. 'idle:' .. queue, member)
  end
  local wake = consumer .. ':' .. entry_connection
  safely('ZREM', P .. 'offers', worker .. '|' .. wake)
end

local function drain_wake(consumer, connection)
  redis.call('DEL', P .. 'wake:' .. consumer .. ':' .. entry_connection,
    P .. 'wake:' .. consumer .. ':' .. connection)
end

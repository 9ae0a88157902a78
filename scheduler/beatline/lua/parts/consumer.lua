-- part consumer: who takes and settles, and in which order its calls come (R1, R4, R6).
-- `consumers:<worker>` HASH: consumer -> "<last call or *>|<connection>|<queues while idle>|<id>":
-- the id is a job that was charged with a death and is to be run alone.
-- An entry that is garbage reads as one of a consumer that has not called yet.
local function read_consumer(entry)
  local last, connection, idle, alone = string.match(entry, '^(.-)|(%d+)|([^|]*)|?(.*)$')
  return string.match(last or '', '^%d+$') or '*', connection or '0', idle or '', alone or ''
end

-- Out of all idle sets. Returns what was offered on the wake list and not opened, as it lay there.
local function leave_idle(worker, consumer, connection, idle)
  local member = table.concat({ worker, consumer, connection, idle }, '|')
  for queue in string.gmatch(idle, '[^,]+') do
    safely('SREM', P .. 'idle:' .. queue, member)
  end
  local wake = consumer .. ':' .. connection
  safely('ZREM', P .. 'offers', worker .. '|' .. wake)
  local unopened = safely('LRANGE', P .. 'wake:' .. wake, 0, -1)
  if #unopened > 0 then
    call('DEL', P .. 'wake:' .. wake)
  end
  return unopened
end

local function enter_idle(worker, consumer, connection, queues)
  local member = table.concat({ worker, consumer, connection, queues }, '|')
  for queue in string.gmatch(queues, '[^,]+') do
    safely('SADD', P .. 'idle:' .. queue, member)
  end
end

-- Fence and id of an offer, as `hand_over` writes it; nil where it is garbage.
local function read_offer(offer)
  local fence, size, at = string.match(offer, '^(%d+) %d+ %d+ (%d+)\n()')
  if fence then
    return fence, string.sub(offer, at, at + tonumber(size) - 1)
  end
end

-- Out of all idle sets, by its entry in the register. Notes what lay unopened, by fence: its consumer
-- never saw it, so it is not charged (R4).
local function strike(worker, consumer, entry, noted)
  local _, connection, idle = read_consumer(entry)
  for _, offer in ipairs(leave_idle(worker, consumer, connection, idle)) do
    local fence = read_offer(offer)
    noted[tonumber(fence or '') or 0] = true
  end
end

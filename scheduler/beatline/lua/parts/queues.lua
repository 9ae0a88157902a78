-- part queues: which queues exist, which of their priorities were used, and which are paused.
-- `queues` HASH: queue -> "-" or "P" (paused), then the used priorities, highest first.
local function queue_entry(queue)
  local entry = safely('HGET', P .. 'queues', queue)
  if entry and not string.find(entry, '^[-P]%d*$') then
    entry = '-9876543210'
    redis.call('HSET', P .. 'queues', queue, entry)
  end
  return entry or '-'
end

local function is_paused(entry)
  return string.sub(entry, 1, 1) == 'P'
end

-- Notes that a priority of a queue is in use; returns the queue's entry.
local function note_queue(queue, priority)
  local entry = queue_entry(queue)
  if not string.find(entry, priority, 2, true) then
    local digits = {}
    for digit in string.gmatch(string.sub(entry, 2) .. priority, '%d') do
      digits[#digits + 1] = digit
    end
    table.sort(digits, function(a, b) return a > b end)
    entry = string.sub(entry, 1, 1) .. table.concat(digits)
    redis.call('HSET', P .. 'queues', queue, entry)
  end
  return entry
end

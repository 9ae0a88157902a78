-- part queues: which queues exist, which of their priorities were used, and which are paused.
-- `queues` HASH: queue -> "-" or "P" (paused), then the used priorities, highest first.
local function is_paused(entry)
  return string.byte(entry) == 80
end

-- The entry of a queue. One that is missing or garbage is made anew from the lists that there are.
local function queue_entry(queue)
  local entry = safely('HGET', P .. 'queues', queue)
  if entry and string.find(entry, '^[-P]%d*$') then
    return entry
  end
  entry = entry and is_paused(entry) and 'P' or '-'
  for priority in string.gmatch('9876543210', '%d') do
    if call('EXISTS', P .. 'ready:' .. queue .. ':' .. priority) == 1 then
      entry = entry .. priority
    end
  end
  call('HSET', P .. 'queues', queue, entry)
  return entry
end

-- Notes that a priority of a queue is in use; returns the queue's entry.
local function note_priority(queue, priority)
  local entry = queue_entry(queue)
  if not string.find(entry, priority, 2, true) then
    local higher, lower = '', ''
    for digit in string.gmatch(entry, '%d') do
      if digit > priority then higher = higher .. digit else lower = lower .. digit end
    end
    entry = string.sub(entry, 1, 1) .. higher .. priority .. lower
    call('HSET', P .. 'queues', queue, entry)
  end
  return entry
end

-- enqueue: new -> QUEUED | RUNNING | SCHEDULED
-- Guarantee: all jobs of a call or none; a repeated call number has no second effect (R8); refused
-- as a whole when memory is full (R24).
-- ARGV: now, sender, call, check ("1": ids are the caller's own), then per job: id, due, record.
--   due: "0" now, "+ms" after the server's now, or an instant in ms.
-- REPLY: {"OK"|"REPEATED", refused positions (1-based) separated by spaces, server's now in ms}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
-- include: timeline
local sender, number, check = ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'

local hour = math.floor(now_ms / 3600000)
local book = P .. 'senders:' .. hour
local entry = safely('HGET', book, sender) or safely('HGET', P .. 'senders:' .. (hour - 1), sender)
local last, refused_then = string.match(entry or '', '^(%d+):(.*)$')
if last and tonumber(last) >= number then
  -- Written again so that WAIT and WAITAOF have something to wait for (R9).
  redis.call('HSET', book, sender, entry)
  return { 'REPEATED', tonumber(last) == number and refused_then or '', text(now_ms) }
end

-- A caller's own id is refused while it lives and while its finished marker stands.
local function is_taken(id)
  return safely('HEXISTS', P .. 'jobs', id) == 1 or redis.call('EXISTS', P .. 'result:' .. id) == 1
end

-- The stale list entry of an id that was cancelled while queued goes before the new one (R17).
local function clear_tomb(id)
  local place = safely('HGET', P .. 'tombs', id)
  if place then
    safely('LREM', P .. 'ready:' .. place, 0, id)
    redis.call('HDEL', P .. 'tombs', id)
  end
end

local refused, fields, timed, ready, order, seen = {}, {}, {}, {}, {}, {}
for at = 5, #ARGV, 3 do
  local id, record = ARGV[at], ARGV[at + 2]
  local job = read_record(record)
  if not job then
    return redis.error_reply('BADRECORD job ' .. (at - 2) / 3 .. ' has no readable record')
  end
  if check and (seen[id] or is_taken(id)) then
    refused[#refused + 1] = (at - 2) / 3
  else
    seen[id] = true
    fields[#fields + 1] = id
    fields[#fields + 1] = record
    local due = ARGV[at + 1]
    due = string.sub(due, 1, 1) == '+' and now_ms + tonumber(due) or tonumber(due)
    if due > now_ms then
      timed[#timed + 1] = { timeline_member(id, job), due }
    else
      local place = job.queue .. ':' .. job.priority
      if not ready[place] then
        ready[place] = { job.queue, job.priority, {} }
        order[#order + 1] = place
      end
      local ids = ready[place][3]
      ids[#ids + 1] = id
    end
  end
end

for first = 1, #fields, 2000 do
  safely('HSET', P .. 'jobs', unpack(fields, first, math.min(first + 1999, #fields)))
end
if check and redis.call('EXISTS', P .. 'tombs') == 1 then
  for at = 1, #fields, 2 do clear_tomb(fields[at]) end
end
for _, entry_of in ipairs(timed) do
  put_on_timeline(entry_of[1], entry_of[2])
end
for _, place in ipairs(order) do
  make_ready(ready[place][1], ready[place][2], ready[place][3], false)
end
local refusals = table.concat(refused, ' ')
if safely('HSET', book, sender, text(number) .. ':' .. refusals) == 1 then
  redis.call('EXPIRE', book, 7200)
end
return { 'OK', refusals, text(now_ms) }

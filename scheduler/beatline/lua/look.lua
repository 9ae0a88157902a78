-- look: where each id lives, in one instant (G14). Changes nothing.
-- Who waits for ends has them published for so many ms (part results). Where that cannot be noted
-- (memory is short, the user may not write), they are not told, and look again after a while.
-- ARGV: now, "0" or how long ends are waited for, ids.
-- REPLY: per id {state, record, result, due in ms, worker, consumer:fence, deliveries, attempts,
--   cancelled, forensics, progress}; "" where there is none.
-- include: prelude, record, job, place
local function read(command, key, ...)
  local value = redis.pcall(command, P .. key, ...)
  return type(value) == 'string' and value or nil
end

if ARGV[2] ~= '0' then
  local noted = redis.pcall('SET', P .. 'awaited', '', 'PX', ARGV[2], 'GET')
  if type(noted) == 'table' and string.find(noted.err, 'WRONGTYPE', 1, true) then
    safely('SET', P .. 'awaited', '', 'PX', ARGV[2], 'GET')
  end
end
local reply = {}
for at = 3, #ARGV do
  local id, state = ARGV[at], 'UNKNOWN'
  local record, result = read('HGET', 'jobs', id), read('GET', 'result:' .. id)
  local job, due, worker, entry = read_record(record, id), nil, nil, nil
  local attempts = read('HGET', 'attempts', id)
  if read('ZSCORE', 'dead', id) then
    state = 'DEAD'
  elseif job then
    worker, entry = holder_of(id)
    due = read('ZSCORE', 'timeline', timeline_member(id, job))
    state = worker and 'RUNNING' or due and (attempts and 'RETRYING' or 'SCHEDULED') or 'QUEUED'
  elseif result then
    state = string.match(result, '^[A-Z]+') or 'UNKNOWN'
  end
  reply[#reply + 1] = { state, record or '', result or '', due or '', worker or '', entry or '',
    read('HGET', 'deliveries', id) or '', attempts or '', read('HGET', 'cancelled', id) or '',
    read('HGET', 'forensics', id) or '', read('HGET', 'progress', id) or '' }
end
return reply

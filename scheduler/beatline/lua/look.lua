-- look: where each id lives, in one instant (G14). Reads only.
-- ARGV: now, ids.
-- REPLY: per id {state, record, result, due in ms, worker, consumer:fence, deliveries, attempts,
--   cancelled, forensics}; "" where there is none.
-- include: prelude
-- include: record
-- include: place
local reply = {}
local function read(command, key, ...)
  local value = redis.pcall(command, key, ...)
  return type(value) == 'string' and value or nil
end
for at = 2, #ARGV do
  local id, state = ARGV[at], 'UNKNOWN'
  local record, result = read('HGET', P .. 'jobs', id), read('GET', P .. 'result:' .. id)
  local job, due, worker, entry = read_record(record), nil, nil, nil
  local attempts = read('HGET', P .. 'attempts', id)
  if read('ZSCORE', P .. 'dead', id) then
    state = 'DEAD'
  elseif job then
    worker, entry = holder_of(id)
    due = read('ZSCORE', P .. 'timeline', timeline_member(id, job))
    state = worker and 'RUNNING' or due and (attempts and 'RETRYING' or 'SCHEDULED') or 'QUEUED'
  elseif result then
    state = string.match(result, '^[A-Z]+') or 'UNKNOWN'
  end
  reply[#reply + 1] = { state, record or '', result or '', due or '', worker or '', entry or '',
    read('HGET', P .. 'deliveries', id) or '', attempts or '',
    read('HGET', P .. 'cancelled', id) or '', read('HGET', P .. 'forensics', id) or '' }
end
return reply

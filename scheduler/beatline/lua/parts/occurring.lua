-- part occurring: an occurrence becomes a job, or an event of its schedule's ledger.
-- What several schedules have in common is written once: ready jobs are collected by queue, a
-- ledger's events by schedule, until somebody has to find them in their places.
local now_text, ready, order, events = text(now_ms), {}, {}, {}

local function flush_events(name)
  if #events > 0 then
    note_in_ledger(name, unpack(events))
    events = {}
  end
end

local function flush()
  local has_tombs = #order > 0 and call('EXISTS', P .. 'tombs') == 1
  for _, place in ipairs(order) do
    if has_tombs then rarely().clear_tombs(ready[place]) end
    make_ready(string.sub(place, 2), string.sub(place, 1, 1), ready[place], false)
  end
  ready, order = {}, {}
end

local function put_ready(place, id)
  local ids = ready[place]
  if ids then
    ids[#ids + 1] = id
  else
    ready[place], order[#order + 1] = { id }, place
  end
end

local function missed(first, last, count, reason)
  events[#events + 1] = 'missed ' .. first .. ' ' .. now_text .. ' ' .. last .. ' ' .. count
    .. ' ' .. reason
end

-- One occurrence: 1 where it became a job, 0 where an earlier one was in its way, else nil.
local function occur(name, overlap, nominal, id, record, mark)
  local job = read_record(record, id)
  local other, waits = overlap ~= 'allow' and in_the_way(name), false
  if other and overlap ~= 'skip' then
    flush_events(name)
    flush()
    other, waits = rarely().resolve(overlap, name, other)
  end
  if not job then
    missed(nominal, nominal, '1', 'unreadable record')
    return nil
  elseif other or safely('HSETNX', P .. 'jobs', id, record) == 0 then
    events[#events + 1] = 'skipped ' .. nominal .. ' ' .. now_text .. ' ' .. (other or id)
    return 0
  end
  safely('SADD', P .. 'open:' .. name, id)
  events[#events + 1] = 'fired ' .. nominal .. ' ' .. now_text .. ' ' .. id .. ' ' .. mark
  if waits then
    rarely().await_turn(name, id, job)
  else
    put_ready(job.priority .. job.queue, id)
  end
  return 1
end

-- part make_ready: the one way into readiness (R16): an idle consumer's hands, or the list.
-- Ids of one queue and priority become ready, in this order; `at_front` puts them before the rest.
local function make_ready(queue, priority, ids, at_front)
  local list, push = P .. 'ready:' .. queue .. ':' .. priority, at_front and 'LPUSH' or 'RPUSH'
  local row = at_front and rarely().turned(ids) or ids
  -- Where somebody waits already, nobody is handed anything, and the queue's entry stands.
  if #ids == 0 or #ids <= 1000 and safely(push .. 'X', list, unpack(row)) > 0 then
    return
  end
  local record = #ids == 1 and safely('HGET', P .. 'jobs', ids[1])
  local how = record and hand_one(queue, priority, ids[1], record, now_us)
  if how == 'handed' or how == 'nobody' and safely(push, list, ids[1]) then
    return
  end
  local entry = safely('HGET', P .. 'queues', queue)
  if not entry or not string.find(entry, priority, 2, true) then
    entry = rarely().note_priority(queue, priority)
  end
  if string.byte(entry) ~= 80 and safely('SCARD', P .. 'idle:' .. queue) > 0 then
    local rest = rarely().hand_over_some(queue, entry, ids)
    row = at_front and rarely().turned(rest) or rest
  end
  for first = 1, #row, 1000 do
    safely(push, list, unpack(row, first, math.min(first + 999, #row)))
  end
end

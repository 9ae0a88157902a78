-- part settling: ends of deliveries. From ARGV[first] on: count of plain acks, count of plain results,
-- the results' ttl in ms; (id, fence)*; (id, fence, result)*; then settlements with effects, 8
-- arguments each: id, fence, outcome, state, body, ttl_ms, delay_ms, detail. Outcomes: end, retry,
-- unknown (no such task here), return, bury.
local function settle_rich(held, consumer, first, stale)
  local count = math.floor((#ARGV + 1 - first) / 8)
  local gone, places = let_go(held, consumer, first, count, 8, stale)
  local ended, is_settled = {}, {}
  for from = 1, #gone, 500 do
    local last = math.min(from + 499, #gone)
    local records = safely('HMGET', P .. 'jobs', unpack(gone, from, last))
    local plain = #ended + 1
    for i = from, last do
      local id, at, record = gone[i], places[i], records[i - from + 1]
      local flags, length = is_sound(record, id)
      if is_settled[id] then
        stale[#stale + 1] = id
      elseif flags and ARGV[at + 2] == 'end' and flags % 16 < 8 then
        ended[#ended + 1] = id
        if flags % 4 >= 2 then
          close_occurrence(id, job_of(record, flags, length), ARGV[at + 3], ARGV[at + 7])
        end
        if flags % 2 == 0 then keep_result(id, ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]) end
      elseif record then
        settle_special(id, record, at)
      end
      is_settled[id] = true
    end
    if #ended >= plain then safely('HDEL', P .. 'jobs', unpack(ended, plain)) end
  end
  return #gone, ended
end

-- All of them: how many deliveries ended, and whose marks are to be forgotten.
local function settle_all(held, consumer, first, stale)
  local acks, results, at = tonumber(ARGV[first]), tonumber(ARGV[first + 1]), first + 3
  local settled, ended = 0, {}
  local function note(count, ids)
    settled = settled + count
    if #ended == 0 then
      ended = ids
    else
      for i = 1, #ids do ended[#ended + 1] = ids[i] end
    end
  end
  if acks > 0 then
    local gone = settle_plain(held, consumer, at, acks, 2, nil, stale)
    note(#gone, gone)
    at = at + 2 * acks
  end
  if results > 0 then
    local gone = settle_plain(held, consumer, at, results, 3, ARGV[first + 2], stale)
    note(#gone, gone)
    at = at + 3 * results
  end
  if ARGV[at] then note(settle_rich(held, consumer, at, stale)) end
  return settled, ended
end
